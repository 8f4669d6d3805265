import { createHash } from 'node:crypto';
import { prepareRevocationList, type RevocationListFacts } from '../../src/issuing/revocation-list.ts';
import {
  prepareRootRotation,
  prepareTrustBundle,
  type BundleKey,
  type KeyState,
  type TrustBundleFacts,
} from '../../src/issuing/trust-bundle.ts';
import { KEYS } from './samples.ts';
import type { Signer } from './signers.ts';

const at = (text: string): number => Date.parse(text);

function bundleKey(signer: Signer, purpose: string, change: Partial<BundleKey> = {}): BundleKey {
  return {
    kid: signer.ref.kid,
    jwk: signer.jwk,
    algorithm: signer.ref.algorithm,
    purpose,
    environment: 'live',
    state: 'active',
    notBefore: at('2026-01-01T00:00:00.000Z'),
    notAfter: null,
    ...change,
  };
}

const root = (signer: Signer, state: KeyState): TrustBundleFacts['roots'][number] => ({
  kid: signer.ref.kid,
  jwk: signer.jwk,
  state,
});

/** A key that will sign ninety days after the sample bundle. */
const ANNOUNCED = { state: 'pending', notBefore: at('2026-05-21T08:00:00.000Z') } as const;

/** What the sample trust bundle says. */
export const BUNDLE: TrustBundleFacts = {
  tenantCode: 'acme',
  seq: 4,
  issuedAt: at('2026-02-20T08:00:00.000Z'),
  nextUpdateAt: at('2027-03-27T08:00:00.000Z'),
  roots: [root(KEYS.root, 'active'), root(KEYS.standbyRoot, 'pending')],
  keys: [
    bundleKey(KEYS.license, 'license'),
    bundleKey(KEYS.testLicense, 'license', { environment: 'test' }),
    bundleKey(KEYS.pendingLicense, 'license', ANNOUNCED),
    bundleKey(KEYS.dueLicense, 'license', { state: 'pending' }),
    bundleKey(KEYS.retiredLicense, 'license', {
      state: 'retired',
      notAfter: at('2026-02-15T00:00:00.000Z'),
    }),
    bundleKey(KEYS.leakedLicense, 'license', { state: 'compromised' }),
    bundleKey(KEYS.productLicense, 'license', { productCodes: ['other-product'] }),
    bundleKey(KEYS.response, 'response'),
    bundleKey(KEYS.testResponse, 'response', { environment: 'test' }),
    bundleKey(KEYS.retiredResponse, 'response', { state: 'retired' }),
    bundleKey(KEYS.leakedResponse, 'response', { state: 'compromised' }),
    bundleKey(KEYS.pendingResponse, 'response', ANNOUNCED),
    bundleKey(KEYS.revocation, 'revocation', { environment: null }),
    bundleKey(KEYS.pendingRevocation, 'revocation', { ...ANNOUNCED, environment: null }),
  ],
  revocation: { number: 3, issuedAt: at('2026-02-25T08:00:00.000Z') },
};

/** The sample trust bundle, changed as asked. */
export function sampleBundle(change: Partial<TrustBundleFacts> = {}, signer: Signer = KEYS.root): string {
  const bundle = prepareTrustBundle({ ...BUNDLE, ...change }, signer.ref);
  return bundle.finish(signer.sign(bundle.signingInput));
}

/** The sample trust bundle in the JSON form of a root rotation, signed by both roots. */
export function sampleRotation(
  change: Partial<TrustBundleFacts> = {},
  signers: readonly [Signer, Signer] = [KEYS.root, KEYS.standbyRoot],
): string {
  const [first, second] = signers;
  const bundle = prepareRootRotation({ ...BUNDLE, ...change }, [first.ref, second.ref]);
  const [a, b] = bundle.signingInputs;
  return bundle.finish([first.sign(a), second.sign(b)]);
}

/** What the sample revocation list says. */
export const LIST: RevocationListFacts = {
  tenantCode: 'acme',
  environment: 'live',
  number: 3,
  issuedAt: at('2026-02-25T08:00:00.000Z'),
  nextUpdateAt: at('2026-03-25T08:00:00.000Z'),
  minEpoch: 1,
  fileIds: ['file_revoked', 'file_revoked_too'],
  licenseIds: ['lic_revoked'],
  machineIds: ['mach_revoked'],
  grantIds: [],
  keys: [],
};

/** The sample revocation list, changed as asked. */
export function sampleList(
  change: Partial<RevocationListFacts> = {},
  signer: Signer = KEYS.revocation,
): string {
  const list = prepareRevocationList({ ...LIST, ...change }, signer.ref);
  return list.finish(signer.sign(list.signingInput));
}

/** SHA-256 of the `enc` of a file, as a list affirms it. */
export function encDigestOf(file: string): Buffer {
  const certificate = Buffer.from(file.split('\n').slice(1, -2).join(''), 'base64').toString('utf8');
  const { enc } = JSON.parse(certificate) as { readonly enc: string }; // made by our own encoder
  return createHash('sha256').update(enc, 'ascii').digest();
}
