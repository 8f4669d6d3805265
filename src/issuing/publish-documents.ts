import type { Keyring, SigningKey } from '../custody/keyring.ts';
import { Fault } from '../faults.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import type { Environment } from './file-meta.ts';
import { type BundledTenant, findTenantByCode, onlyTenant } from './trust-bundle-store.ts';

/** What the public documents of a tenant are made from. */
export interface DocumentDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
  readonly keyring: Pick<Keyring, 'ofTenant'>;
}

/** A document that anybody may have. */
export interface PublicDocument {
  readonly text: string;
  readonly contentType: string;
}

/** Which key set: tokens and licences stand in sets of their own, because JOSE libraries choose by `kid` alone. */
export interface KeySetAsked {
  readonly kind: 'token' | 'license';
  readonly environment: Environment;
}

/** States in which a key is still published, by kind: a licence outlives the key that signed it, a token does not. */
const PUBLISHED: Readonly<Record<KeySetAsked['kind'], ReadonlySet<SigningKey['state']>>> = {
  token: new Set(['pending', 'active', 'retiring']),
  license: new Set(['pending', 'active', 'retiring', 'retired']),
};

/**
 * The trust bundle of a tenant: a JWS.
 * @param code null: the only tenant there is
 * @throws Fault NOT_FOUND
 */
export function trustBundleOf(deps: DocumentDeps, code: string | null): PublicDocument {
  const { trustBundle } = tenantNamed(deps, code);
  if (trustBundle === null) throw noSuchTenant(code);
  // RFC 7515 section 9.2: a bundle with two signatures is in the JSON form.
  const contentType = trustBundle.startsWith('{') ? 'application/jose+json' : 'application/jose';
  return { text: trustBundle, contentType };
}

/**
 * The keys that verify a tenant's tokens or licence tokens: a JWK Set (RFC 7517 §5).
 * @param code null: the only tenant there is
 * @throws Fault NOT_FOUND
 */
export function keySetOf(deps: DocumentDeps, code: string | null, asked: KeySetAsked): PublicDocument {
  const keys = deps.keyring
    .ofTenant(tenantNamed(deps, code).id)
    .filter(({ purpose, environment }) => purpose === asked.kind && environment === asked.environment)
    .filter(({ state }) => PUBLISHED[asked.kind].has(state))
    .map(({ kid, jwk, algorithm }) => ({ ...jwk, kid, alg: algorithm, use: 'sig' }));
  return { text: JSON.stringify({ keys }), contentType: 'application/jwk-set+json' };
}

/**
 * The living tenant with this code.
 * @param code null: the only tenant there is
 * @throws Fault NOT_FOUND
 */
export function tenantNamed({ work }: Pick<DocumentDeps, 'work'>, code: string | null): BundledTenant {
  const tenant = code === null ? onlyTenant(work.read) : findTenantByCode(work.read, code);
  if (tenant === undefined) throw noSuchTenant(code);
  return tenant;
}

function noSuchTenant(code: string | null): Fault {
  if (code !== null) return new Fault('NOT_FOUND', `there is no tenant ${code}`);
  return new Fault('NOT_FOUND', 'this appliance has not exactly one tenant; name the tenant in the path');
}
