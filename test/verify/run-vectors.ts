import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ResponseCase } from '../../scripts/vectors/response-cases.ts';
import type { VectorCase, VectorOptions, VectorSequence } from '../../scripts/vectors/vector-case.ts';
import {
  EMPTY_STATE,
  RevocationList,
  pinPublicKeys,
  verifyLicenseFile,
  verifyMachineFile,
  verifySignedKey,
  verifyTrustBundle,
  type SignatureVerifiers,
  type SignedKeyVerdict,
  type TrustBundle,
  type Verdict,
  type VerifyOptions,
  type VerifierState,
} from '../../src/verify/index.ts';

const VECTORS = join(import.meta.dirname, '../vectors');

/** The text of a published vector file. */
export function readVector(name: string): string {
  return readFileSync(join(VECTORS, name), 'utf8');
}

/** The published cases, as any other verifier would read them. */
export const publishedCases = JSON.parse(readVector('cases.json')) as readonly VectorCase[]; // written by our generator
/** The published sequences. */
export const publishedSequences = JSON.parse(readVector('sequences.json')) as readonly VectorSequence[]; // likewise
/** The published answers. */
export const publishedResponses = JSON.parse(readVector('responses.json')) as readonly ResponseCase[]; // likewise

interface PublishedKeys {
  readonly licenseKey: string;
  readonly fingerprint: string;
  readonly keys: Readonly<Record<string, { readonly publicKey: string; readonly fingerprint: string }>>;
}

/** The published keys. */
export const publishedKeys = JSON.parse(readVector('keys.json')) as PublishedKeys; // written by our generator

const rootPin = publishedKeys.keys['root']?.fingerprint ?? '';

/** The sample trust bundle, accepted by its pinned root. */
export function sampleTrust(): TrustBundle {
  const { trust, message } = verifyTrustBundle(readVector('trust-bundle.jws'), { roots: [rootPin] });
  if (trust === undefined) throw new Error(message);
  return trust;
}

/** The options of a case in the words of the library. */
export function optionsOf(options: VectorOptions, verifiers?: SignatureVerifiers): VerifyOptions {
  const trust = options.trust === 'bundle' ? sampleTrust() : pinPublicKeys({ license: options.trust });
  const { now, newestTime, revocations, ...rest } = options;
  const newestTimeMs = newestTime === undefined ? 0 : Date.parse(newestTime);
  return {
    ...rest,
    trust,
    now: Date.parse(now),
    state: { ...EMPTY_STATE, newestTimeMs },
    revocations: revocations === undefined ? undefined : acceptedList(revocations),
    verifiers,
  };
}

function acceptedList(text: string): RevocationList {
  const { list, message } = RevocationList.accept(text, { trust: sampleTrust() });
  if (list === undefined) throw new Error(message);
  return list;
}

/** Judges one case. */
export function runCase(vector: VectorCase, verifiers?: SignatureVerifiers): Verdict | SignedKeyVerdict {
  const options = optionsOf(vector.with, verifiers);
  if (vector.kind === 'signed-key') return verifySignedKey(vector.input, options);
  if (vector.kind === 'license-file') return verifyLicenseFile(vector.input, options);
  return verifyMachineFile(vector.input, { ...options, fingerprint: vector.with.fingerprint ?? '' });
}

/** The code of each message of a sequence, each judged with what the earlier ones left behind. */
export function runSequence(sequence: VectorSequence): readonly string[] {
  return sequence.kind === 'trust-bundle' ? runBundles(sequence) : runLists(sequence);
}

function runBundles(sequence: VectorSequence): string[] {
  let held: TrustBundle | undefined;
  let state: VerifierState = EMPTY_STATE;
  return sequence.inputs.map((input) => {
    const answer = verifyTrustBundle(input, { roots: sequence.roots, held, state });
    ({ trust: held, state } = answer);
    return answer.code;
  });
}

function runLists(sequence: VectorSequence): string[] {
  let held: RevocationList | undefined;
  let state: VerifierState = EMPTY_STATE;
  const trust = sampleTrust();
  return sequence.inputs.map((input) => {
    const answer = RevocationList.accept(input, { trust, held, state });
    ({ list: held, state } = answer);
    return answer.code;
  });
}
