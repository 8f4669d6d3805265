import { type KeyObject, createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { type Entry, type Facts, encodeEntry } from '../../src/ledger/entry.ts';
import { ledgerOrigin, signCheckpoint } from '../../src/ledger/checkpoint.ts';
import { EMPTY_TREE, type TreeHead, appendLeaf, leafHash } from '../../src/ledger/merkle.ts';
import { type NoteSigner, verifierKey } from '../../src/ledger/note.ts';

/** The origin of every log made here. */
export const ORIGIN = ledgerOrigin('01J9ZC3V7M2Q5X8Y1B4N6P0R2T');

/** A key pair that is the same in every run. */
export function testSigner(
  name: string,
  origin: string = ORIGIN,
): NoteSigner & { readonly secret: KeyObject } {
  const seed = createHash('sha256').update(`ledger test key ${name}`).digest();
  // RFC 8410: the fixed beginning of a PKCS#8 Ed25519 key, then its 32 bytes.
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const secret = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const { x = '' } = createPublicKey(secret).export({ format: 'jwk' });
  const key = verifierKey(origin, Buffer.from(x, 'base64url'));
  return { key, secret, sign: (message) => Promise.resolve(sign(null, message, secret)) };
}

/** An entry with plausible content. */
export function testEntry(index: number, given: Partial<Entry> = {}): Entry {
  return {
    index,
    at: Date.UTC(2026, 0, 1) + index * 1000,
    salt: createHash('sha256')
      .update(`salt ${String(index)}`)
      .digest()
      .subarray(0, 16),
    realm: 'ten_01J9ZC3V7M2Q5X8Y1B4N6P0R2T/live',
    actor: { kind: 'api-key', id: 'key_01J9ZC3V7M2Q5X8Y1B4N6P0R2T', via: 'api-key' },
    action: 'license.created',
    target: { kind: 'license', id: `lic_${String(index).padStart(26, '0')}` },
    outcome: 'done',
    requestId: 'req_01J9ZC3V7M2Q5X8Y1B4N6P0R2T',
    after: createHash('sha256').update(String(index)).digest(),
    ...given,
  };
}

/** A key change entry. */
export const keyChange = (index: number, facts: Facts): Entry =>
  testEntry(index, {
    realm: 'system',
    action: 'ledger_key.changed',
    target: { kind: 'signing_key', id: 'k' },
    facts,
  });

/** A log of `size` entries with a checkpoint at each of `checkpointsAt`, as verification takes it. */
export interface TestLog {
  readonly lines: Buffer[];
  readonly checkpoints: string[];
  readonly heads: TreeHead[];
}

/** Builds a log signed by one key. */
export async function testLog(
  size: number,
  checkpointsAt: readonly number[],
  signer = testSigner('a'),
): Promise<TestLog> {
  const lines = Array.from({ length: size }, (_, index) => encodeEntry(testEntry(index)));
  const heads = headsOf(lines);
  const checkpoints: string[] = [];
  for (const at of checkpointsAt) checkpoints.push(await signCheckpoint(ORIGIN, headAt(heads, at), [signer]));
  return { lines, checkpoints, heads };
}

/** The head after each number of lines, from none on. */
export function headsOf(lines: readonly Buffer[]): TreeHead[] {
  const heads = [EMPTY_TREE];
  for (const line of lines) heads.push(appendLeaf(heads.at(-1) ?? EMPTY_TREE, leafHash(line)));
  return heads;
}

/** The head at a size that exists. */
export function headAt(heads: readonly TreeHead[], size: number): TreeHead {
  const head = heads[size];
  if (head === undefined) throw new Error(`the test log has no size ${String(size)}`);
  return head;
}
