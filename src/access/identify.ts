import { Fault } from '../faults.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import { type KeyProofDeps, proveApiKey } from './api-keys/prove-api-key.ts';
import type { FailureLimiter } from './failure-limiter.ts';
import { type LicenseProofDeps, proveLicense } from './prove-license.ts';
import type { Principal } from './principal.ts';
import type { RealmDirectory } from './tenants/realm-directory.ts';

/** What a request shows of who it is from, as the HTTP server takes it from the headers. */
export interface Presented {
  readonly authorization: string | undefined;
  readonly apiKey: string | undefined;
  readonly publishableKey: string | undefined;
  /** Code of the tenant the local operator acts in. */
  readonly tenant: string | undefined;
  readonly environment: string | undefined;
  readonly face: 'api' | 'operator' | 'metrics';
  /** The client's address. */
  readonly address: string;
}

/** Who it is, or why nobody believes it. */
export type Identified =
  | { readonly known: true; readonly who: Principal; readonly name: string; readonly anonymous: boolean }
  | { readonly known: false; readonly fault: Fault; readonly rule: string };

/** A proof that failed: what to say, and which rule decided. */
export interface Disproof {
  readonly fault: Fault;
  readonly rule: string;
  /** As how many failures it counts; 1 when absent. */
  readonly points?: number;
}

/** What one way of proving oneself comes to. */
export type Proof = { readonly who: Principal } | Disproof;

/** What identifying needs. */
export interface IdentifyDeps extends KeyProofDeps, LicenseProofDeps {
  readonly realms: RealmDirectory;
  readonly failures: FailureLimiter;
}

const ANONYMOUS: Identified = {
  known: true,
  who: { kind: 'anonymous', actor: { kind: 'anonymous', id: '-', via: 'http' }, realm: null },
  name: 'anonymous',
  anonymous: true,
};

/**
 * Finds out who a request is from. Every failure is charged to the address it came from; past the limit the answer is
 * 429, to failures only: who proves himself is never asked how his neighbours behave.
 */
export async function identify(deps: IdentifyDeps, presented: Presented): Promise<Identified> {
  const proof = prove(deps, presented);
  if (proof === undefined) return ANONYMOUS;
  if ('who' in proof) {
    const { actor } = proof.who;
    const elsewhere = contradiction(deps, presented, proof.who);
    if (elsewhere !== undefined) return { known: false, ...elsewhere };
    return { known: true, who: proof.who, name: `${actor.kind}:${actor.id}`, anonymous: false };
  }
  const { fault, rule, points } = proof;
  const limited =
    presented.face === 'operator' ? undefined : await deps.failures.charge(presented.address, points);
  if (limited === undefined) return { known: false, fault, rule };
  return { known: false, fault: limited, rule: 'limit.failures' };
}

/**
 * A key acts in its own realm, whatever else a request says: one that asks for another is refused, or somebody would
 * change what is live and believe it a test.
 */
function contradiction(deps: IdentifyDeps, presented: Presented, who: Principal): Disproof | undefined {
  if (who.kind !== 'secret-key' && who.kind !== 'publishable-key') return undefined;
  const { tenantCode, environment } = deps.realms.name(who.realm);
  const otherTenant = presented.tenant !== undefined && presented.tenant !== tenantCode;
  const otherEnvironment = presented.environment !== undefined && presented.environment !== environment;
  if (!otherTenant && !otherEnvironment) return undefined;
  const what = otherTenant ? 'tenant' : 'environment';
  const message = `the API key is of tenant ${tenantCode}, ${environment}; the request names another ${what}`;
  return { fault: new Fault('REALM_MISMATCH', message), rule: 'credentials.realm' };
}

/** Undefined: nothing was shown. */
function prove(deps: IdentifyDeps, presented: Presented): Proof | undefined {
  const { authorization, apiKey, publishableKey } = presented;
  if (authorization !== undefined && apiKey !== undefined) {
    return disproof('credentials.two', 'two credentials were sent; send Authorization or X-API-Key');
  }
  if (authorization !== undefined) return proveAuthorization(deps, presented, authorization);
  if (apiKey !== undefined) return proveApiKey(deps, { text: apiKey, address: presented.address });
  if (publishableKey !== undefined) return provePublishable(deps, presented, publishableKey);
  return presented.face === 'operator' ? proveOperator(deps, presented) : undefined;
}

/** RFC 9110 §11.4: the scheme is case-insensitive, one space, then the credential. */
function proveAuthorization(deps: IdentifyDeps, presented: Presented, value: string): Proof {
  const space = value.indexOf(' ');
  const scheme = value.slice(0, Math.max(0, space)).toLowerCase();
  const credential = value.slice(space + 1).trim();
  if (scheme === 'bearer') return proveApiKey(deps, { text: credential, address: presented.address });
  if (scheme !== 'license') {
    return disproof(
      'credentials.scheme',
      'Authorization takes Bearer with an API key, or License with a licence key',
    );
  }
  return proveLicense(deps, { text: credential, realm: licenseRealm(deps, presented), presented });
}

/** A publishable key beside a licence key says in which realm to look. */
function licenseRealm(deps: IdentifyDeps, presented: Presented): RealmId | Disproof | undefined {
  if (presented.publishableKey === undefined) return undefined;
  const proof = provePublishable(deps, presented, presented.publishableKey);
  if ('who' in proof) return proof.who.realm ?? undefined;
  return proof;
}

function provePublishable(deps: IdentifyDeps, presented: Presented, text: string): Proof {
  if (text.startsWith('sk_')) {
    return disproof(
      'credentials.kind',
      'a secret key was sent as a publishable one; rotate it if others could see it',
    );
  }
  return proveApiKey(deps, { text, address: presented.address });
}

/** Whoever can open the operator's socket is the local administrator; the ledger says so. */
function proveOperator(deps: IdentifyDeps, presented: Presented): Proof {
  const actor = { kind: 'operator', id: 'local', via: 'socket' } as const;
  const tenant = presented.tenant ?? deps.realms.onlyTenant();
  const environment = presented.environment ?? 'live';
  if (environment !== 'live' && environment !== 'test') {
    return {
      fault: new Fault('MALFORMED', 'X-Mintmark-Environment is live or test'),
      rule: 'operator.environment',
    };
  }
  if (tenant === undefined) return { who: { kind: 'operator', actor, realm: null } };
  const realm = deps.realms.byCode(tenant, environment);
  if (realm !== undefined) return { who: { kind: 'operator', actor, realm } };
  return {
    fault: new Fault('NOT_FOUND', 'X-Mintmark-Tenant names no tenant of this appliance'),
    rule: 'operator.tenant',
  };
}

function disproof(rule: string, message: string): Disproof {
  return { fault: new Fault('UNAUTHENTICATED', message), rule };
}
