import { z } from 'zod';
import type { LicenseKeys, Permit, RealmName } from '../../access/index.ts';
import { type Keyring, realmScope } from '../../custody/keyring.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import { keyValidationInput } from './validation-schema.ts';

/** What finding and using the key that signs an answer needs. */
export interface ResponseKeyDeps {
  readonly licenseKeys: Pick<LicenseKeys, 'find'>;
  readonly keyring: Pick<Keyring, 'activeKey' | 'sign'>;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
  readonly realmName: (realm: RealmId) => RealmName | null;
  /** The realm of an environment when the appliance has exactly one. */
  readonly onlyRealm: (environment: RealmName['environment']) => RealmId | undefined;
}

/** What the body of a validation by key says about its realm; the rest of it may be anything. */
const { key, environment } = keyValidationInput.shape;
const place = z.looseObject({
  key: key.optional().catch(undefined),
  environment: environment.catch(undefined),
});

/**
 * The kid of the `response` key that speaks for a validation: of the caller's realm; without a credential, of the one
 * realm of the asked environment in which the licence key exists, else of the only realm of that environment. Null when
 * that leaves several: nobody can speak for a key that no tenant has.
 * @throws Fault SIGNER_UNAVAILABLE when the realm has no active key
 */
export function responseKeyFor(deps: ResponseKeyDeps, permit: Permit, body: unknown): string | null {
  const realm = permit.realm ?? realmAskedAbout(deps, body);
  return realm === undefined ? null : deps.keyring.activeKey('response', realmScope(realm)).kid;
}

function realmAskedAbout(deps: ResponseKeyDeps, body: unknown): RealmId | undefined {
  const asked = place.safeParse(body).data;
  const wanted = asked?.environment ?? 'live';
  const found = asked?.key === undefined ? [] : deps.licenseKeys.find(asked.key).places;
  const here = found.filter(({ realm }) => deps.realmName(realm)?.environment === wanted);
  const [only, ...more] = here;
  if (more.length > 0) return undefined;
  return only?.realm ?? deps.onlyRealm(wanted);
}
