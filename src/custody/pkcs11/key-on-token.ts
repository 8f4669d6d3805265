import { createHash, createPublicKey, type KeyObject, verify, type VerifyKeyObjectInput } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyAlgorithm, KeyEvidence } from '../custodian.ts';
import type { Signer } from './signer.ts';

/** Beside the event loop, as the file custodian does. */
const verifyAside = promisify(verify);
const SIGNATURE_BYTES = 64;

/** A key on a token, and its public half to judge it by. */
export interface KeyOnToken {
  readonly algorithm: KeyAlgorithm;
  readonly publicKey: KeyObject;
  readonly label: string;
  readonly id: Buffer;
}

/** A signature, 64 raw bytes, verified: whatever the module computed, and whichever key it took for ours. */
export async function signBy(
  signer: Signer,
  key: KeyOnToken,
  { message, deadlineMs }: { readonly message: Buffer; readonly deadlineMs?: number | undefined },
): Promise<Buffer> {
  const { algorithm, publicKey, label, id } = key;
  const data = algorithm === 'ed25519' ? message : createHash('sha256').update(message).digest();
  const accept = async ({ signature }: { readonly signature: Buffer }): Promise<boolean> =>
    signature.length === SIGNATURE_BYTES &&
    (await verifyAside(...VERIFYING[algorithm](publicKey, message), signature));
  const asked = { algorithm: text(algorithm), label: text(label), id, data };
  const { signature } = await signer.ask('sign', asked, { deadlineMs, accept });
  return signature;
}

/** A public key of a SubjectPublicKeyInfo. */
export function nativeKey(spki: Buffer): KeyObject {
  return createPublicKey({ key: spki, format: 'der', type: 'spki' });
}

/** What the agent says of a key: `name=1`, `name=0` or `name=?` each. */
export function evidenceOf(said: string): KeyEvidence {
  const values = new Map(said.split(' ').map((pair) => pair.split('=') as [string, string])); // words of our own agent
  const of = (name: keyof KeyEvidence): boolean | null =>
    ({ '1': true, '0': false })[values.get(name) ?? ''] ?? null;
  return {
    ...{ local: of('local'), sensitive: of('sensitive'), alwaysSensitive: of('alwaysSensitive') },
    ...{ extractable: of('extractable'), neverExtractable: of('neverExtractable') },
  };
}

type VerifyArguments = [digest: string | null, message: Buffer, key: VerifyKeyObjectInput | KeyObject];

/** How node:crypto verifies what a token signs: P-256 gives r ‖ s (IEEE P1363). */
const VERIFYING: Readonly<Record<KeyAlgorithm, (key: KeyObject, message: Buffer) => VerifyArguments>> = {
  ed25519: (key, message) => [null, message, key],
  'ecdsa-p256': (key, message) => ['sha256', message, { key, dsaEncoding: 'ieee-p1363' }],
};

function text(value: string): Buffer {
  return Buffer.from(value, 'utf8');
}
