import { createHash } from 'node:crypto';
import { z } from 'zod';
import { TIERS } from '../access/index.ts';
import { readToml } from '../config/index.ts';
import type { KeyPurpose } from '../custody/index.ts';
import { Fault } from '../faults.ts';
import { parseRequest } from '../http/problem.ts';

const text = (most: number) => z.string().min(1).max(most);

/** A ceremony as it was written down and reviewed (docs/hsm/ceremony.md); nothing else is allowed in the file. */
const CONFIG = z.strictObject({
  /** Tells two ceremonies apart. */
  name: text(100),
  /** Who is there, as the record names them. */
  operators: z.array(text(200)).min(1).max(16),
  /** Serial number of the token that the keys are made in. */
  serial: text(64),
  /** SHA-256 of the module, in hex; left out: any. */
  moduleSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
    .optional(),
  /** The sentence of consequences, when there is no second token. */
  withoutCopy: text(1000).optional(),
  /** The tenant whose keys are made. */
  tenant: z.strictObject({
    code: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,50}$/, 'must be 1 to 50 letters, digits, underscores and dashes'),
    name: text(255),
    tier: z.enum(TIERS).default('standard'),
  }),
});

/** A ceremony that was read. */
export type CeremonyConfig = z.infer<typeof CONFIG>;

/** A key that the ceremony makes. */
export interface PlannedKey {
  readonly purpose: KeyPurpose;
  readonly environment: 'live' | 'test' | null;
  /** The id that it has in the token: always the same for the same file, so that a second run finds it. */
  readonly id: Buffer;
}

const ID_BYTES = 16;

/** SHA-256 of the file as it was reviewed, in hex. */
export function ceremonyDigest(file: string): string {
  return createHash('sha256').update(file, 'utf8').digest('hex');
}

/** Reads a ceremony. @throws Fault VALIDATION_FAILED, which names what is wrong in it */
export function readCeremony(file: string): CeremonyConfig {
  return parseRequest(CONFIG, tomlOf(file));
}

/** It comes in a request: what is wrong with it is no fault of our configuration. */
function tomlOf(file: string): unknown {
  try {
    return readToml(file);
  } catch (cause) {
    throw new Fault('VALIDATION_FAILED', 'the ceremony is not written in TOML', { cause });
  }
}

/** The key of a ceremony for a purpose and environment. Pure. */
export function plannedKey(
  digest: string,
  { purpose, environment }: Pick<PlannedKey, 'purpose' | 'environment'>,
): PlannedKey {
  const named = ['mintmark/ceremony/1', digest, purpose, environment ?? ''].join('\n');
  const id = createHash('sha256').update(named, 'utf8').digest().subarray(0, ID_BYTES);
  return { purpose, environment, id };
}
