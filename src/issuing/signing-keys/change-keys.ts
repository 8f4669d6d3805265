import {
  describeKey,
  type Keyring,
  type NewKey,
  type Registration,
  type SigningKey,
  signingKeyColumns,
  type SigningKeyState,
} from '../../custody/index.ts';
import type { EventType } from '../../delivery/index.ts';
import type { Outbox } from '../../delivery/outbox.ts';
import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { notFound, type Outcome, settle, STALE } from '../../licensing/index.ts';
import type { Authority } from '../../storage/entry.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { signTrustBundle, storeBundle, versionsIn } from '../publish-trust-bundle.ts';
import { findTenantById } from '../trust-bundle-store.ts';

/** What changing keys needs. */
export interface KeyDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read' | 'keep'>;
  readonly keyring: Keyring;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
  readonly outbox: Outbox;
  /** @throws the fault of a state of the appliance in which nothing is issued */
  readonly admit: (activity: 'issue') => void;
}

/** In whose name keys change: a permit, which remembers its answer, or a job. */
export interface KeyCaller extends Authority {
  remember?(tx: Tx, result: unknown): void;
}

/** A key that was made for a change, and what it is to be registered as. */
export interface AddedKey {
  readonly made: NewKey;
  readonly as: Registration;
}

/** What becomes of the keys of one tenant, or of the appliance. */
export interface KeyChange {
  /** Keys as they are to be; one that makes room for another comes before it. */
  readonly changed: readonly SigningKey[];
  readonly added?: AddedKey | undefined;
}

/** The keys after a change. */
export interface Changed {
  readonly keys: readonly SigningKey[];
  /** Number of the bundle that says so; null: no bundle speaks of these keys. */
  readonly bundleSeq: number | null;
}

/** A change to be made. */
export interface ChangeRequest<T> {
  /** Whose keys; null: the appliance's own. */
  readonly tenantId: string | null;
  /** Decides from the keys as they are. Pure. @throws Fault when they do not allow it */
  readonly plan: (keys: readonly SigningKey[], at: EpochMs) => KeyChange;
  /** What else happens in the unit, and its result. */
  readonly commit: (tx: Tx, changed: Changed) => T;
}

/**
 * Changes signing keys, together with the bundle that tells of it.
 *
 * 1. A key that is new was made before, by its custodian. Stop here: it lies there and nothing names it; it signs nothing.
 * 2. Read, and decide what the keys will be. Nothing is written.
 * 3. The bundle over these keys is signed, outside any unit. Stop here: a bundle that nobody has seen is gone, and its number is
 *    given again.
 * 4. ONE unit stores keys, bundle, ledger entries and events, if neither a key nor the bundle has changed since 2. Stop before
 *    its commit: as after 3. After it: everything is true, and whoever asks for the bundle gets the new one.
 * 5. A checkpoint is signed before the answer (forced-actions.ts). Stop here: the change stands, and an identical request with its
 *    idempotency key is answered once the checkpoint is there.
 * @throws Fault NOT_FOUND, CONFLICT, SIGNER_UNAVAILABLE, SIGNER_BUSY, CLOCK_SUSPECT; what `plan` throws
 */
export function changeKeys<T>(deps: KeyDeps, caller: KeyCaller, request: ChangeRequest<T>): Promise<T> {
  deps.admit('issue');
  const { tenantId } = request;
  return settle(tenantId === null ? 'the keys of the appliance' : `the keys of tenant ${tenantId}`, () =>
    attempt(deps, caller, request),
  );
}

async function attempt<T>(
  deps: KeyDeps,
  caller: KeyCaller,
  { tenantId, plan, commit }: ChangeRequest<T>,
): Promise<Outcome<T>> {
  const { keyring, work } = deps;
  const at = deps.time.now();
  const before = keysOf(keyring, tenantId);
  const change = plan(before, at);
  const bundle = tenantId === null ? null : await nextBundle(deps, { tenantId, before, change, at });
  // Keys of a tenant concern both its realms: the unit is the appliance's, whichever realm was named.
  const authority = { actor: caller.actor, requestId: caller.requestId, realm: null };
  return work.run(authority, (tx) => {
    if (versionsIn(keysOf(keyring, tenantId)) !== versionsIn(before)) return STALE;
    if (bundle !== null && !storeBundle(tx, bundle)) return STALE;
    const keys = store(deps, tx, { before, change });
    const done = commit(tx, { keys, bundleSeq: bundle?.seq ?? null });
    caller.remember?.(tx, done);
    return { done };
  });
}

/** The keys of a tenant, or those of the appliance itself. */
export function keysOf(keyring: Keyring, tenantId: string | null): readonly SigningKey[] {
  return keyring.list().filter((key) => key.tenantId === tenantId);
}

interface Bundle {
  readonly tenantId: string;
  readonly seq: number;
  readonly jws: string;
}

async function nextBundle(
  deps: KeyDeps,
  given: {
    readonly tenantId: string;
    readonly before: readonly SigningKey[];
    readonly change: KeyChange;
    readonly at: EpochMs;
  },
): Promise<Bundle> {
  const { tenantId, before, change, at } = given;
  const tenant = findTenantById(deps.work.read, tenantId);
  if (tenant === undefined) throw notFound('tenant', tenantId);
  const seq = tenant.bundleSeq + 1;
  const of = { code: tenant.code, seq, at, made: change.added?.made };
  return { tenantId, seq, jws: await signTrustBundle(deps, keysAfter(before, change), of) };
}

/** The keys as they will be. Pure. */
export function keysAfter(before: readonly SigningKey[], { changed, added }: KeyChange): SigningKey[] {
  const next = new Map(changed.map((key) => [key.kid, key]));
  const kept = before.map((key) => next.get(key.kid) ?? key);
  return added === undefined ? kept : [...kept, describeKey(added.made, added.as)];
}

function store(
  deps: KeyDeps,
  tx: Tx,
  { before, change }: { readonly before: readonly SigningKey[]; readonly change: KeyChange },
): readonly SigningKey[] {
  const { keyring } = deps;
  const { changed, added } = change;
  keyring.change(tx, changed);
  const made = added === undefined ? [] : [keyring.register(tx, added.made, added.as)];
  for (const key of changed) {
    const was = before.find(({ kid }) => kid === key.kid);
    tell(deps, tx, { key, was, ...TOLD[key.state] });
  }
  for (const key of made) tell(deps, tx, { key, was: undefined, ...CREATED });
  return [...changed, ...made];
}

interface Told {
  readonly action: string;
  readonly event: EventType | null;
}

const CREATED: Told = { action: 'signing_key.created', event: 'signing_key.created' };

/** What the ledger and the events say when a key has come into a state. */
const TOLD: Readonly<Record<SigningKeyState, Told>> = {
  pending: CREATED,
  active: { action: 'signing_key.activated', event: 'signing_key.activated' },
  retiring: { action: 'signing_key.retiring', event: null },
  retired: { action: 'signing_key.retired', event: 'signing_key.retired' },
  compromised: { action: 'signing_key.compromised', event: 'signing_key.compromised' },
};

function tell(
  deps: KeyDeps,
  tx: Tx,
  of: Told & { readonly key: SigningKey; readonly was: SigningKey | undefined },
): void {
  const { key, was, action, event } = of;
  const { kid, purpose, algorithm, state } = key;
  const before = was === undefined ? {} : { before: signingKeyColumns(was) };
  const target = { kind: 'signing-key', id: kid };
  append(tx, { realm: key.realm, action, target, ...before, after: signingKeyColumns(key) });
  const realm = eventRealm(deps, key);
  if (event === null || realm === null) return;
  deps.outbox.emit(tx, { type: event, realm, data: { kid, purpose, algorithm, status: state } });
}

/** What concerns a whole tenant is told in its live realm; of the appliance's own keys nobody reads events. */
function eventRealm({ keyring }: KeyDeps, { realm, tenantId }: SigningKey): RealmId | null {
  if (realm !== null || tenantId === null) return realm;
  return keyring.ofTenant(tenantId).find(({ environment }) => environment === 'live')?.realm ?? null;
}
