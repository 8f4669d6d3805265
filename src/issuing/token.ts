import { createHash } from 'node:crypto';
import { SECOND } from '../lib/clock.ts';
import type { FileMeta } from './file-meta.ts';
import { prepareJws, type PreparedJws } from './jws.ts';
import type { SigningKeyRef } from './signature-algorithm.ts';

/** What a compact token says: the claims of a file, for those who have a JOSE library. */
export interface TokenFacts {
  readonly licenseId: string;
  readonly policyId: string;
  /** Upper case, e.g. `ACTIVE`. */
  readonly status: string;
  readonly maskedKey: string;
  readonly entitlementCodes: readonly string[];
  /** The machine the token is bound to; null = not bound. */
  readonly machine: { readonly id: string; readonly fingerprint: string } | null;
  readonly meta: FileMeta;
}

/** `typ` of a compact token; the only one a `license` key signs as a JWS. */
export const TOKEN_TYP = 'license+jwt';

/**
 * Lays out a compact token: a JWT (RFC 7519) with `typ` `license+jwt`. `iss` is `<issuer>/<tenant>/<env>`, `aud` the
 * product code, `cnf.mm_fp` (RFC 7800) the base64url SHA-256 of the fingerprint. Pure.
 */
export function prepareToken(facts: TokenFacts, signingKey: SigningKeyRef): PreparedJws {
  return prepareJws(signingKey, TOKEN_TYP, claims(facts));
}

function claims(facts: TokenFacts): object {
  const { meta, machine } = facts;
  return {
    iss: `${meta.issuer}/${meta.tenantCode}/${meta.environment}`,
    aud: meta.productCode,
    sub: facts.licenseId,
    iat: Math.floor(meta.issuedAt / SECOND),
    exp: Math.floor(meta.expiresAt / SECOND),
    jti: meta.jti,
    v: 1,
    branch: meta.branch,
    seq: meta.seq,
    epoch: meta.epoch,
    key: facts.maskedKey,
    policy: facts.policyId,
    status: facts.status,
    entitlements: facts.entitlementCodes,
    enforcement: meta.enforcement,
    ...(meta.crlMaxAgeDays === null ? {} : { crlMaxAgeDays: meta.crlMaxAgeDays }),
    ...(machine === null
      ? {}
      : { machine: machine.id, cnf: { mm_fp: fingerprintDigest(machine.fingerprint) } }),
    ...(meta.dev ? { dev: true } : {}),
  };
}

function fingerprintDigest(fingerprint: string): string {
  return createHash('sha256').update(fingerprint, 'utf8').digest('base64url');
}
