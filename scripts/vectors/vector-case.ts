import { FINGERPRINT, LICENSE_KEY, NOW } from './samples.ts';

/** One file or signed key, how it is judged, and what must come out. */
export interface VectorCase {
  /** The rule that is shown. */
  readonly name: string;
  readonly kind: 'license-file' | 'machine-file' | 'signed-key';
  readonly input: string;
  readonly with: VectorOptions;
  readonly valid: boolean;
  readonly code: string;
}

/** How an input is judged; what is absent is not given to the verifier. */
export interface VectorOptions {
  /** `bundle` = the sample trust bundle; else public keys compiled in, in hexadecimal digits. */
  readonly trust: 'bundle' | readonly string[];
  readonly product: string;
  readonly environment?: 'live' | 'test';
  readonly licenseKey?: string | undefined;
  readonly fingerprint?: string;
  readonly tenant?: string;
  readonly issuer?: string;
  readonly refuseDev?: boolean;
  /** The clock of the verifier, ISO 8601. */
  readonly now: string;
  /** The newest time the verifier has ever seen, ISO 8601. */
  readonly newestTime?: string;
  /** A revocation list that the verifier holds. */
  readonly revocations?: string;
}

/** A message after others of its kind: each is given to the verifier in turn. */
export interface VectorSequence {
  readonly name: string;
  readonly kind: 'trust-bundle' | 'revocation-list';
  /** Root fingerprints pinned, for bundles. */
  readonly roots: readonly string[];
  readonly inputs: readonly string[];
  /** One code per input. */
  readonly codes: readonly string[];
}

const iso = (at: number): string => new Date(at).toISOString();

/** The usual way to judge a licence file. */
export const USUAL: VectorOptions = {
  trust: 'bundle',
  product: 'press-control',
  licenseKey: LICENSE_KEY,
  now: iso(NOW),
};

type Row = readonly [name: string, input: string, code: string, change?: Partial<VectorOptions>];

/** Codes that come with a valid verdict. */
const VALID_CODES = ['VALID', 'EXPIRED_IN_GRACE'];

const caseOf = (kind: VectorCase['kind'], usual: VectorOptions, row: Row): VectorCase => {
  const [name, input, code, change = {}] = row;
  return { name, kind, input, with: { ...usual, ...change }, valid: VALID_CODES.includes(code), code };
};

/** Cases of licence files. */
export const licenseFileCases = (rows: readonly Row[]): VectorCase[] =>
  rows.map((row) => caseOf('license-file', USUAL, row));

/** Cases of machine files. */
export const machineFileCases = (rows: readonly Row[]): VectorCase[] =>
  rows.map((row) => caseOf('machine-file', { ...USUAL, fingerprint: FINGERPRINT }, row));

/** Cases of signed keys. */
export const signedKeyCases = (rows: readonly Row[]): VectorCase[] =>
  rows.map((row) => caseOf('signed-key', { ...USUAL }, row));
