import { isoTime, type EpochMs } from '../lib/clock.ts';
import { SIGNATURE_ALGORITHMS, assertRawSignature, type SigningKeyRef } from './signature-algorithm.ts';

/** What a signed licence key says; kept short, for it must fit a QR code or a phone call. */
export interface SignedKeyFacts {
  readonly productCode: string;
  /** Policies have no code of their own: the template's name, or the policy id. */
  readonly policy: string;
  readonly licenseId: string;
  readonly entitlementCodes: readonly string[];
  readonly createdAt: EpochMs;
  /** null = perpetual. */
  readonly expiresAt: EpochMs | null;
  /** Whether a dev appliance issued it. */
  readonly dev: boolean;
}

/** A signed key that lacks nothing but its signature. */
export interface PreparedSignedKey {
  /** ASCII `key/<base64url(data)>`. */
  readonly signingInput: Buffer;
  /** `key/<base64url(data)>.<base64url(signature)>` from the raw 64 signature bytes. */
  finish(signature: Uint8Array): string;
}

/** Lays out a signed licence key (docs/formats/signed-key.md), base64url with padding. Pure. */
export function prepareSignedKey(facts: SignedKeyFacts, signingKey: SigningKeyRef): PreparedSignedKey {
  const data = Buffer.from(JSON.stringify(claims(facts, signingKey.kid)), 'utf8');
  const input = `key/${paddedBase64url(data)}`;
  const row = SIGNATURE_ALGORITHMS[signingKey.algorithm];
  return {
    signingInput: Buffer.from(input, 'ascii'),
    finish(signature) {
      assertRawSignature(signature);
      return `${input}.${paddedBase64url(row.certificateSignature(signature))}`;
    },
  };
}

function claims(facts: SignedKeyFacts, kid: string): object {
  return {
    product: facts.productCode,
    policy: facts.policy,
    license: facts.licenseId,
    entitlements: facts.entitlementCodes,
    created: isoTime(facts.createdAt),
    expiry: facts.expiresAt === null ? null : isoTime(facts.expiresAt),
    kid,
    ...(facts.dev ? { dev: true } : {}),
  };
}

/** Readers of this format expect the padding that base64url usually leaves out. */
function paddedBase64url(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}
