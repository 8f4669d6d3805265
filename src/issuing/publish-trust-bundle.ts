import { createHash } from 'node:crypto';
import type { Keyring, NewKey, SigningKey } from '../custody/keyring.ts';
import {
  describeTenantKeys,
  generateTenantKeys,
  type KeySource,
  type NewTenantKeys,
  registerTenantKeys,
  signingKeyColumns,
  spkiFingerprint,
  trustBundleContents,
} from '../custody/index.ts';
import { append, type Happening } from '../ledger/append.ts';
import { type EpochMs, DAY } from '../lib/clock.ts';
import { present } from '../lib/invariant.ts';
import { notFound, settle, STALE } from '../licensing/index.ts';
import type { Authority } from '../storage/entry.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { Reader, Tx } from '../storage/tx.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import { findListHead } from './revocations/revocation-list-store.ts';
import { findTenantById, storeTrustBundle, UNNUMBERED } from './trust-bundle-store.ts';
import { prepareRootRotation, prepareTrustBundle, type TrustBundleFacts } from './trust-bundle.ts';

/** A bundle asks to be renewed after this time; it stays good, and is then called stale. */
const NEXT_UPDATE_MS = 400 * DAY;
/** Number of a tenant's first bundle. */
const FIRST = 1;

/** What a tenant's trust rests on. */
export interface TrustDeps {
  readonly keyring: Keyring;
  /** Makes the data and index key of a realm, inside the unit that makes it. */
  readonly createRealmKeys: (tx: Tx, realm: RealmId) => void;
  /** Keys of the tenant that were made before, in a ceremony. */
  readonly source?: KeySource;
}

/** The keys of a tenant that does not exist yet, with its first trust bundle signed by its root. */
export interface PreparedTrust {
  /** Fingerprints of the root keys: what applications pin. */
  readonly roots: readonly string[];
  /** Compact JWS. */
  readonly trustBundle: string;
  readonly bundleSeq: number;
  /** Inside the unit that makes the tenant: stores the keys; returns what the ledger is to say of each. */
  register(tx: Tx, place: TenantPlace): readonly Happening[];
}

interface TenantPlace {
  readonly tenantId: string;
  readonly live: RealmId;
  readonly test: RealmId;
}

/**
 * Makes the keys of a new tenant and signs its first trust bundle, before its unit. Stop here: keys that nothing names
 * lie in the custodian.
 * @throws Fault SIGNER_UNAVAILABLE, SIGNER_BUSY, SEALED
 */
export async function prepareTenantTrust(
  deps: TrustDeps,
  tenant: { readonly id: string; readonly code: string; readonly at: EpochMs },
): Promise<PreparedTrust> {
  const { keyring } = deps;
  const keys = await generateTenantKeys(keyring, deps.source);
  // The realms have no numbers yet, and a bundle does not name them.
  const place = { tenantId: tenant.id, live: UNNUMBERED, test: UNNUMBERED, notBefore: tenant.at };
  const described = describeTenantKeys(keys, place);
  const facts = bundleFacts(described, { code: tenant.code, seq: FIRST, at: tenant.at, revocation: null });
  const prepared = prepareTrustBundle(facts, rootOf(described));
  const trustBundle = prepared.finish(await keyring.signNew(keys.root, prepared.signingInput));
  return {
    roots: [spkiFingerprint(rootOf(described).publicKey)],
    trustBundle,
    bundleSeq: FIRST,
    register: (tx, realms) => register(deps, tx, { keys, place: { ...realms, notBefore: tenant.at } }),
  };
}

function register(
  { keyring, createRealmKeys }: TrustDeps,
  tx: Tx,
  made: { readonly keys: NewTenantKeys; readonly place: TenantPlace & { readonly notBefore: EpochMs } },
): readonly Happening[] {
  for (const realm of [made.place.live, made.place.test]) createRealmKeys(tx, realm);
  return registerTenantKeys(tx, keyring, made).map((key) => ({
    realm: key.realm,
    action: 'signing_key.created',
    target: { kind: 'signing-key', id: key.kid },
    after: signingKeyColumns(key),
  }));
}

/** What publishing needs. */
export interface PublishDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
  readonly keyring: Keyring;
  readonly time: { now(): EpochMs };
  /** @throws the fault of a state of the appliance in which nothing is issued */
  readonly admit: (activity: 'issue') => void;
}

/**
 * Signs and stores the next trust bundle of a tenant: after a key of it changed its state, and never otherwise.
 *
 * 1. Read: tenant, keys, next number. 2. Signed by the active root, outside any unit; stop here: a bundle that nobody has
 * seen is gone. 3. One unit stores it if its number is still the next and no key has changed since.
 * @returns the number of the bundle
 * @throws Fault NOT_FOUND, SIGNER_UNAVAILABLE, CLOCK_SUSPECT, CONFLICT
 */
export async function publishTrustBundle(
  deps: PublishDeps,
  authority: Authority,
  tenantId: string,
): Promise<number> {
  deps.admit('issue');
  return settle(`the keys of tenant ${tenantId}`, async () => {
    const { work, keyring } = deps;
    const tenant = findTenantById(work.read, tenantId);
    if (tenant === undefined) throw notFound('tenant', tenantId);
    const keys = keyring.ofTenant(tenantId);
    const seq = tenant.bundleSeq + 1;
    const jws = await signTrustBundle(deps, keys, { code: tenant.code, seq, at: deps.time.now() });
    const unchanged = (): boolean => versionsIn(keyring.ofTenant(tenantId)) === versionsIn(keys);
    return work.run(authority, (tx) =>
      unchanged() && storeBundle(tx, { tenantId, seq, jws }) ? { done: seq } : STALE,
    );
  });
}

/** What is said beside the keys, and a root that is made with the bundle and stands in no table yet. */
export interface BundleOf {
  readonly code: string;
  readonly seq: number;
  readonly at: EpochMs;
  readonly made?: NewKey | undefined;
}

/**
 * Signs a bundle over keys as they are to be: by the active root, and by a retiring one beside it.
 * @returns a JWS, compact or, with two signatures, in JSON form
 * @throws Fault SIGNER_UNAVAILABLE, SIGNER_BUSY
 */
export async function signTrustBundle(
  { keyring, work }: Pick<PublishDeps, 'keyring' | 'work'>,
  keys: readonly SigningKey[],
  of: BundleOf,
): Promise<string> {
  const facts = bundleFacts(keys, { ...of, revocation: newestList(work.read, keys) });
  const [root, old] = [rootOf(keys), keys.find((key) => key.purpose === 'root' && key.state === 'retiring')];
  if (old === undefined) {
    const one = prepareTrustBundle(facts, root);
    return one.finish(await signAsRoot(keyring, { root, made: of.made }, one.signingInput));
  }
  const both = prepareRootRotation(facts, [old, root]);
  const [first, second] = both.signingInputs;
  const byOld = await signAsRoot(keyring, { root: old }, first);
  return both.finish([byOld, await signAsRoot(keyring, { root, made: of.made }, second)]);
}

/** A root that this very bundle makes active cannot sign by the rules yet. */
function signAsRoot(
  keyring: Keyring,
  { root, made }: { readonly root: SigningKey; readonly made?: NewKey | undefined },
  message: Buffer,
): Promise<Buffer> {
  const known = keyring.find(root.kid);
  if (known === undefined) return keyring.signNew(present(made, 'a root in no table was made now'), message);
  return known.state === 'pending' ? keyring.signAhead(root.kid, message) : keyring.sign(root.kid, message);
}

/** Stores a bundle inside a unit, and records it. False: another one was stored meanwhile. */
export function storeBundle(
  tx: Tx,
  bundle: { readonly tenantId: string; readonly seq: number; readonly jws: string },
): boolean {
  if (!storeTrustBundle(tx, bundle)) return false;
  const digest = createHash('sha256').update(bundle.jws, 'ascii').digest('hex');
  const target = { kind: 'tenant', id: bundle.tenantId };
  append(tx, { realm: null, action: 'trust_bundle.published', target, facts: { seq: bundle.seq, digest } });
  return true;
}

function bundleFacts(
  keys: readonly SigningKey[],
  of: Pick<TrustBundleFacts, 'revocation' | 'seq'> & { readonly code: string; readonly at: EpochMs },
): TrustBundleFacts {
  return {
    tenantCode: of.code,
    seq: of.seq,
    issuedAt: of.at,
    nextUpdateAt: of.at + NEXT_UPDATE_MS,
    ...trustBundleContents(keys),
    revocation: of.revocation,
  };
}

/** The newest list of the live environment: how far behind a held list is at least, when the bundle is newer. */
function newestList(reader: Reader, keys: readonly SigningKey[]): TrustBundleFacts['revocation'] {
  const realm = keys.find(({ environment }) => environment === 'live')?.realm ?? null;
  const head = realm === null ? undefined : findListHead(reader.in(realm));
  return head === undefined ? null : { number: head.number, issuedAt: head.issuedAt };
}

function rootOf(keys: readonly SigningKey[]): SigningKey {
  const root = keys.find(({ purpose, state }) => purpose === 'root' && state === 'active');
  return present(root, 'a tenant has an active root key');
}

/** The keys with their versions, to compare. */
export const versionsIn = (keys: readonly SigningKey[]): string =>
  keys.map(({ kid, version }) => `${kid}.${version}`).join(' ');
