import type { EpochMs } from './clock.ts';
import { CROCKFORD } from './base32.ts';
import type { Random } from './random.ts';

const TIME_CHARACTERS = 10;
const RANDOM_BYTES = 10;
const RANDOM_CHARACTERS = 16;

/**
 * A ULID (26 Crockford characters: 48 bits of time, 80 random bits): sortable by the time it was prepared.
 * @param at milliseconds since the epoch, < 2^48
 */
export function ulid(at: EpochMs, random: Random): string {
  let time = '';
  let rest = at;
  for (let i = 0; i < TIME_CHARACTERS; i++) {
    time = CROCKFORD.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  return time + randomPart(random);
}

function randomPart(random: Random): string {
  const bytes = random.bytes(RANDOM_BYTES);
  let text = '';
  for (let i = 0; i < RANDOM_CHARACTERS; i += 8) {
    // 5 bytes are exactly 8 characters, and 40 bits stay exact in a double.
    let group = bytes.readUIntBE((i / 8) * 5, 5);
    let part = '';
    for (let j = 0; j < 8; j++) {
      part = CROCKFORD.charAt(group % 32) + part;
      group = Math.floor(group / 32);
    }
    text += part;
  }
  return text;
}

/** What an id names, by its prefix. One row per noun of the API. */
export const ID_PREFIXES = {
  tenant: 'ten',
  product: 'prod',
  policy: 'pol',
  entitlement: 'ent',
  license: 'lic',
  batch: 'batch',
  machine: 'mach',
  file: 'file',
  apiKey: 'key',
  event: 'evt',
  request: 'req',
  signingKey: 'sig',
} as const;

/** A prefixed ULID, e.g. `lic_01J9ZC…`. */
export function newId(noun: keyof typeof ID_PREFIXES, at: EpochMs, random: Random): string {
  return `${ID_PREFIXES[noun]}_${ulid(at, random)}`;
}
