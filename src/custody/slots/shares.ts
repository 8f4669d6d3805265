import { createHash, createHmac } from 'node:crypto';
import { combine, split } from 'shamir-secret-sharing';
import { Fault } from '../../faults.ts';
import type { Random } from '../../lib/random.ts';
import { equalBytes, Secret } from '../../lib/secret.ts';
import { KEY_BYTES } from '../key-wrap.ts';
import { formatGroups, parseGroups } from './recovery-code.ts';
import type { SlotSecret } from './slot-secret.ts';

/**
 * A share: `index(1) ‖ threshold(1) ‖ x(1) ‖ y(32) ‖ check(5)`, in groups like a recovery code. (x, y) is the point of Shamir's
 * scheme over GF(2^8), byte by byte; `check` the first bytes of SHA-256 over everything before it. Typing mistakes are found in
 * their group, whatever slips through by the check, and a sound share of something else by the slot: it keeps, by index, the
 * first 16 bytes of HMAC-SHA-256 over the share under the slot's salt. So a wrong share is named and never spoils the others.
 */
export interface Share {
  /** From 1. */
  readonly index: number;
  /** So many open the slot. */
  readonly threshold: number;
  /** Everything before the check. */
  readonly body: Buffer;
}

const HEAD_BYTES = 2;
const BODY_BYTES = HEAD_BYTES + 1 + KEY_BYTES;
const CHECK_BYTES = 5;
const SLOT_CHECK_BYTES = 16;
const MIN_THRESHOLD = 2;
const MAX_COUNT = 16;

/**
 * Splits a new random secret: `count` shares, of which any `threshold` open a slot.
 * @throws Fault VALIDATION_FAILED unless 2 ≤ threshold ≤ count ≤ 16
 */
export async function makeShares(
  random: Random,
  { threshold, count }: { readonly threshold: number; readonly count: number },
): Promise<Secret[]> {
  const sound = Number.isInteger(threshold) && Number.isInteger(count) && threshold >= MIN_THRESHOLD;
  if (!sound || count < threshold || count > MAX_COUNT) {
    throw new Fault(
      'VALIDATION_FAILED',
      `shares are at most ${MAX_COUNT}, and at least two of them open a slot`,
    );
  }
  const key = random.bytes(KEY_BYTES);
  // The library draws the points' coordinates from the system's generator.
  const points = await split(new Uint8Array(key), count, threshold);
  key.fill(0);
  return points.map((point, at) => {
    // The library has x behind y.
    const body = Buffer.concat([
      Buffer.of(at + 1, threshold),
      point.slice(KEY_BYTES),
      point.slice(0, KEY_BYTES),
    ]);
    return new Secret(formatGroups(Buffer.concat([body, checkOf(body)])));
  });
}

/** Reads a share as somebody typed it. @throws Fault SLOT_SECRET_WRONG naming the group with a mistake */
export function parseShare(text: Secret): Share {
  const bytes = parseGroups(text, { bytes: BODY_BYTES + CHECK_BYTES, what: 'share' });
  const body = bytes.subarray(0, BODY_BYTES);
  const [index = 0, threshold = 0] = body;
  const sound = index >= 1 && index <= MAX_COUNT && threshold >= MIN_THRESHOLD && threshold <= MAX_COUNT;
  if (!sound || !equalBytes(checkOf(body), bytes.subarray(BODY_BYTES))) {
    throw new Fault(
      'SLOT_SECRET_WRONG',
      'what was typed is not a share: groups are missing, or in another order',
    );
  }
  return { index, threshold, body };
}

/** What a slot tells a share by. */
export function shareCheck({ body }: Share, salt: Buffer): string {
  const full = createHmac('sha256', salt).update('mintmark share').update(body).digest();
  return full.toString('base64', 0, SLOT_CHECK_BYTES);
}

/** The shares that open a slot; all of them, to make one. */
export function sharesSecret(texts: readonly Secret[]): SlotSecret {
  return {
    kind: 'shares',
    called: texts.length === 1 ? 'the share given' : 'the shares given',
    derive: async (salt, checks) => {
      const shares = parseAll(texts);
      if (checks !== undefined) demandOf(shares, { salt, checks });
      return join(shares);
    },
    checks: (salt) => {
      const shares = parseAll(texts).sort((a, b) => a.index - b.index);
      if (shares.some(({ index }, at) => index !== at + 1)) {
        throw new Fault(
          'SLOT_SECRET_WRONG',
          'a slot is made with all its shares, from the first to the last',
        );
      }
      return shares.map((share) => shareCheck(share, salt));
    },
  };
}

/** Each index once: a share that was given twice counts once. */
function parseAll(texts: readonly Secret[]): Share[] {
  const byIndex = new Map(texts.map(parseShare).map((share) => [share.index, share]));
  return [...byIndex.values()];
}

/** @throws Fault SLOT_SECRET_WRONG naming the share that is not of the slot */
function demandOf(
  shares: readonly Share[],
  { salt, checks }: { readonly salt: Buffer; readonly checks: readonly string[] },
): void {
  const foreign = shares.find((share) => checks[share.index - 1] !== shareCheck(share, salt));
  if (foreign === undefined) return;
  throw new Fault('SLOT_SECRET_WRONG', `share ${foreign.index} is not one of this slot`);
}

async function join(shares: readonly Share[]): Promise<Buffer> {
  const threshold = shares[0]?.threshold ?? MIN_THRESHOLD;
  if (shares.length < threshold) {
    throw new Fault('SLOT_SECRET_WRONG', `${shares.length} of ${threshold} shares are given`);
  }
  const points = shares.map(({ body }) => {
    const point = Buffer.concat([body.subarray(HEAD_BYTES + 1), body.subarray(HEAD_BYTES, HEAD_BYTES + 1)]);
    return new Uint8Array(point);
  });
  const key = await combine(points);
  for (const point of points) point.fill(0);
  return Buffer.from(key.buffer, key.byteOffset, key.length);
}

function checkOf(body: Buffer): Buffer {
  return createHash('sha256').update('mintmark share').update(body).digest().subarray(0, CHECK_BYTES);
}
