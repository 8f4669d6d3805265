import { isoTime, type EpochMs } from '../lib/clock.ts';
import type { Environment } from './file-meta.ts';
import type { PublicJwk } from './jwk.ts';
import { prepareDualJws, prepareJws, type PreparedDualJws, type PreparedJws } from './jws.ts';
import type { SignatureAlgorithm, SigningKeyRef } from './signature-algorithm.ts';

/** Where a key stands in its life. */
export type KeyState = 'pending' | 'active' | 'retiring' | 'retired' | 'compromised';

/** A root key as the bundle lists it. */
export interface BundleRoot {
  readonly kid: string;
  readonly jwk: PublicJwk;
  readonly state: KeyState;
}

/** A certified key as the bundle lists it. */
export interface BundleKey {
  readonly kid: string;
  readonly jwk: PublicJwk;
  readonly algorithm: SignatureAlgorithm;
  readonly purpose: string;
  /** null = the key serves the tenant as a whole. */
  readonly environment: Environment | null;
  /** Codes of the only products it may sign for; absent = any. */
  readonly productCodes?: readonly string[];
  readonly state: KeyState;
  readonly notBefore: EpochMs;
  /** null = no end. */
  readonly notAfter: EpochMs | null;
}

/** Everything a trust bundle says. */
export interface TrustBundleFacts {
  readonly tenantCode: string;
  /** Counts up with every change of a key's state. */
  readonly seq: number;
  readonly issuedAt: EpochMs;
  readonly nextUpdateAt: EpochMs;
  readonly roots: readonly BundleRoot[];
  readonly keys: readonly BundleKey[];
  /** The newest revocation list at signing; null before the first. */
  readonly revocation: { readonly number: number; readonly issuedAt: EpochMs } | null;
}

/** `typ` of a trust bundle; the only one a root key signs. */
export const TRUST_BUNDLE_TYP = 'mm-trust+jws';

/** Lays out a trust bundle (docs/formats/trust-bundle.md) for one root. Pure. */
export function prepareTrustBundle(facts: TrustBundleFacts, root: SigningKeyRef): PreparedJws {
  return prepareJws(root, TRUST_BUNDLE_TYP, encodeBundle(facts));
}

/** Lays out the bundle of a root rotation, signed by the old and the new root, so that holders of either accept it. */
export function prepareRootRotation(
  facts: TrustBundleFacts,
  roots: readonly [SigningKeyRef, SigningKeyRef],
): PreparedDualJws {
  return prepareDualJws(roots, TRUST_BUNDLE_TYP, encodeBundle(facts));
}

function encodeBundle(facts: TrustBundleFacts): object {
  const { revocation } = facts;
  return {
    v: 1,
    tenant: facts.tenantCode,
    seq: facts.seq,
    issuedAt: isoTime(facts.issuedAt),
    nextUpdate: isoTime(facts.nextUpdateAt),
    roots: facts.roots.map(({ kid, jwk, state }) => ({ kid, jwk, state })),
    keys: facts.keys.map(encodeKey),
    revocation: revocation && { number: revocation.number, issued: isoTime(revocation.issuedAt) },
  };
}

function encodeKey(key: BundleKey): object {
  return {
    kid: key.kid,
    jwk: key.jwk,
    alg: key.algorithm,
    purpose: key.purpose,
    environment: key.environment,
    ...(key.productCodes === undefined ? {} : { products: key.productCodes }),
    state: key.state,
    notBefore: isoTime(key.notBefore),
    notAfter: key.notAfter === null ? null : isoTime(key.notAfter),
  };
}
