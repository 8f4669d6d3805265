import type { Indexer } from '../../custody/sealer.ts';
import { Fault } from '../../faults.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { equalBytes, type Secret } from '../../lib/secret.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Reader } from '../../storage/tx.ts';
import { cidrsAllow } from '../cidr.ts';
import type { Principal } from '../principal.ts';
import type { Scope } from '../scopes.ts';
import type { RealmDirectory } from '../tenants/realm-directory.ts';
import type { ApiKey } from './api-key.ts';
import { findByPublicId, findKey, secretCandidates } from './api-key-store.ts';
import type { ProvenKey, ProvenKeys } from './proven-keys.ts';
import { parseApiKey } from './api-key-text.ts';

/** What proving a key needs. */
export interface KeyProofDeps {
  readonly read: Reader;
  readonly indexer: Indexer;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
  readonly realms: Pick<RealmDirectory, 'standing'>;
  readonly proven: Pick<ProvenKeys, 'find' | 'keep'>;
  /** Age at which a secret is no longer accepted, milliseconds; null: none. */
  readonly maxKeyAgeMs: number | null;
  /** Told of every use of a key; must not wait. */
  readonly used: (use: {
    readonly realm: RealmId;
    readonly id: string;
    readonly at: EpochMs;
    readonly from: string;
  }) => void;
}

/** A key that was shown, and where from. */
export interface ShownKey {
  readonly text: string;
  readonly address: string;
}

type Proof = { readonly who: Principal } | { readonly fault: Fault; readonly rule: string };

/** Compared with when there is no key, so that an unknown id costs what a known one does. */
const NO_DIGEST = Buffer.alloc(32);
/** Scope lists that were turned into sets; there are as many as keys have been given different scopes. */
const SETS_KEPT = 256;

/**
 * Proves an API key: checksum, look-up, secret in constant time, then what its row allows. Until the secret is proven,
 * every refusal reads the same. A text that was proven before is known by its digest; what its row allows is asked anew.
 */
export function proveApiKey(deps: KeyProofDeps, shown: ShownKey): Proof {
  const at = deps.time.now();
  const known = deps.proven.find(shown.text);
  const proof = known !== undefined && isGood(known, at) ? known : proveSecret(deps, shown.text, at);
  if ('fault' in proof) return proof;
  const { realm, key, who } = proof;
  const tenant = deps.realms.standing(realm).status;
  const refused = refuse(key, { at, address: shown.address, tenant, maxAgeMs: deps.maxKeyAgeMs });
  if (refused !== undefined) return refused;
  deps.used({ realm, id: key.id, at, from: shown.address });
  return { who };
}

/** The secret before the last rotation is good for a while. */
function isGood({ secretUntil }: ProvenKey, at: EpochMs): boolean {
  return secretUntil === null || at < secretUntil;
}

/** From the text alone, and what is stored. */
function proveSecret(
  deps: KeyProofDeps,
  text: string,
  at: EpochMs,
): ProvenKey | { readonly fault: Fault; readonly rule: string } {
  const parsed = parseApiKey(text);
  if (parsed === undefined) return unknown('key.checksum');
  const found = findByPublicId(deps.read, deps.indexer, parsed.publicId);
  const key = found === undefined ? undefined : findKey(deps.read.in(found.realm), found.apiKeyId);
  const which = whichSecret(deps.indexer, key, { secret: parsed.secret, at });
  if (found === undefined || key === undefined) return unknown('key.unknown');
  if (which === undefined) return unknown('key.secret');
  const { realm } = found;
  // The text names kind and environment for people; the row decides.
  const environment = deps.realms.standing(realm).environment;
  if (key.kind !== parsed.kind || environment !== parsed.environment) return unknown('key.form');
  const secretUntil = which === 'current' ? null : key.previousValidUntil;
  const proven: ProvenKey = { realm, key, who: principalOf(key, realm), secretUntil };
  deps.proven.keep(text, proven);
  return proven;
}

/** Compares with the secret and the one before it, always both, and always with something. */
function whichSecret(
  indexer: Indexer,
  key: ApiKey | undefined,
  shown: { readonly secret: Secret; readonly at: EpochMs },
): 'current' | 'previous' | undefined {
  const candidates = secretCandidates(indexer, shown.secret.expose());
  const digest =
    candidates.find(({ version }) => version === key?.indexVersion)?.digest ?? candidates[0]?.digest;
  const current = equalBytes(digest ?? NO_DIGEST, key?.secretHash ?? NO_DIGEST);
  const before = equalBytes(digest ?? NO_DIGEST, key?.previousSecretHash ?? NO_DIGEST);
  const overlaps = shown.at < (key?.previousValidUntil ?? Number.NEGATIVE_INFINITY);
  if (current) return 'current';
  return before && overlaps ? 'previous' : undefined;
}

function refuse(
  key: ApiKey,
  now: {
    readonly at: EpochMs;
    readonly address: string;
    readonly tenant: string;
    readonly maxAgeMs: number | null;
  },
): Proof | undefined {
  if (key.revokedAt !== null) return refusal('key.revoked', 'the API key is revoked; use another one');
  if (key.expiresAt !== null && key.expiresAt <= now.at) {
    return refusal('key.expired', 'the API key has expired; use another one');
  }
  if (now.maxAgeMs !== null && now.at >= key.rotatedAt + now.maxAgeMs) {
    return refusal('key.age', 'the secret of the API key is older than allowed; have the key rotated');
  }
  if (now.tenant !== 'active')
    return refusal('tenant.suspended', 'the tenant is suspended; ask its operator');
  if (!cidrsAllow(key.allowedCidrs, now.address)) {
    return refusal('key.address', 'the API key may not be used from this address');
  }
  return undefined;
}

function principalOf(key: ApiKey, realm: RealmId): Principal {
  const actor = {
    kind: 'api-key',
    id: key.id,
    via: key.kind === 'sk' ? 'secret-key' : 'publishable-key',
  } as const;
  return {
    kind: actor.via,
    actor,
    realm,
    scopes: scopeSet(key.scopes),
    tier: key.tier,
    products: key.allowedProducts,
  };
}

const scopeSets = new Map<string, ReadonlySet<Scope>>();

/** One set per list of scopes: keys have few different ones, requests are many. */
function scopeSet(scopes: readonly Scope[]): ReadonlySet<Scope> {
  const name = scopes.join(' ');
  const known = scopeSets.get(name);
  if (known !== undefined) return known;
  const made: ReadonlySet<Scope> = new Set(scopes);
  if (scopeSets.size < SETS_KEPT) scopeSets.set(name, made);
  return made;
}

function unknown(rule: string): { readonly fault: Fault; readonly rule: string } {
  return refusal(rule, 'the API key is not valid; check that it is complete and of this appliance');
}

function refusal(rule: string, message: string): { readonly fault: Fault; readonly rule: string } {
  return { fault: new Fault('UNAUTHENTICATED', message), rule };
}
