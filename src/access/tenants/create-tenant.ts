import type { Sealer } from '../../custody/sealer.ts';
import { Fault } from '../../faults.ts';
import { append, type Happening } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import type { Random } from '../../lib/random.ts';
import { newId } from '../../lib/ulid.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import type { Tier } from '../api-keys/api-key.ts';
import type { Permit } from '../permit.ts';
import { tenantDecides, tenantView, type TenantView, type TenantLimits } from './tenant.ts';
import { NOTHING } from './tenant-room-store.ts';
import { codeTaken, findTenant, insertTenant, sealContact } from './tenant-store.ts';

/** A tenant's two realms, as they were numbered. */
export interface NewRealms {
  readonly live: RealmId;
  readonly test: RealmId;
}

/** The signing keys of a tenant that does not exist yet: in their custodian, and named by nothing. */
export interface PreparedTenantKeys {
  /** Fingerprints of the root keys. */
  readonly roots: readonly string[];
  /** The first trust bundle, signed by the root: compact JWS. */
  readonly trustBundle: string;
  /** Its number. */
  readonly bundleSeq: number;
  /**
   * Inside the unit that makes the tenant: stores the signing keys and makes the realms' data and index keys. Returns
   * what the ledger is to say of each.
   */
  register(tx: Tx, place: { readonly tenantId: string } & NewRealms): readonly Happening[];
}

/** What making a tenant needs. */
export interface CreateTenantDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
  readonly sealer: Pick<Sealer, 'seal'>;
  readonly random: Random;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
  /** Makes the keys of a tenant and signs its first trust bundle, outside any unit: durable when it resolves. */
  readonly prepareKeys: (tenant: {
    readonly id: string;
    readonly code: string;
    readonly at: EpochMs;
  }) => Promise<PreparedTenantKeys>;
  /** Called after the commit: there are two more realms. */
  readonly realmsChanged: () => void;
}

/** A tenant to be made. */
export interface CreateTenant extends TenantLimits {
  readonly code: string;
  readonly name: string;
  readonly tier: Tier;
  readonly contact: string | null;
}

/** A tenant with the row version of its entity tag. */
export interface ShownTenant {
  readonly view: TenantView;
  readonly version: number;
}

/**
 * Makes a tenant with its live and test realm, their keys and its trust bundle.
 *
 * 1. Its code is free. 2. Keys are made and the bundle is signed; if we stop here, the custodian holds keys that nothing
 * names. 3. One unit stores tenant, realms, keys and bundle, with their ledger entries; before its commit there is no
 * tenant, after it there is all of one.
 * @throws Fault CONFLICT when the code is taken; SIGNER_UNAVAILABLE, SEALED
 */
export async function createTenant(
  deps: CreateTenantDeps,
  permit: Permit,
  request: CreateTenant,
): Promise<ShownTenant> {
  if (codeTaken(deps.work.read, request.code)) throw taken(request.code);
  const prepared = await prepareTenant(deps, request);
  const outcome = await deps.work.run(permit, (tx) => {
    if (codeTaken(tx, request.code)) return { refused: taken(request.code) };
    const { shown } = storeTenant(deps, tx, prepared);
    permit.remember(tx, shown);
    return { done: shown };
  });
  if ('refused' in outcome) throw outcome.refused;
  deps.realmsChanged();
  return outcome.done;
}

/** A tenant that is ready to be stored. */
export interface PreparedTenant {
  readonly id: string;
  readonly request: CreateTenant;
  readonly keys: PreparedTenantKeys;
}

/** Fixes the id and makes the keys, outside any unit. */
export async function prepareTenant(
  deps: Pick<CreateTenantDeps, 'time' | 'random' | 'prepareKeys'>,
  request: CreateTenant,
): Promise<PreparedTenant> {
  const at = deps.time.now();
  const id = newId('tenant', at, deps.random);
  return { id, request, keys: await deps.prepareKeys({ id, code: request.code, at }) };
}

/** Stores a prepared tenant inside a unit, in the name of whoever runs it; `init` makes the first one so. */
export function storeTenant(
  deps: Pick<CreateTenantDeps, 'sealer'>,
  tx: Tx,
  { id, request, keys }: PreparedTenant,
): { readonly shown: ShownTenant; readonly realms: NewRealms } {
  const contact = sealContact(deps.sealer, id, request.contact);
  const bundle = { text: keys.trustBundle, seq: keys.bundleSeq };
  const realms = insertTenant(tx, { id, ...request, contact }, bundle);
  const tenant = present(findTenant(tx, id), 'the tenant was stored two lines above');
  append(tx, {
    realm: null,
    action: 'tenant.created',
    target: { kind: 'tenant', id },
    after: tenantDecides(tenant),
    facts: { code: tenant.code, roots: keys.roots.join(' ') },
  });
  for (const happening of keys.register(tx, { tenantId: id, ...realms })) append(tx, happening);
  const usage = { live: NOTHING, test: NOTHING };
  const view = tenantView(tenant, { usage, contact: request.contact, roots: keys.roots });
  return { shown: { view, version: tenant.version }, realms };
}

function taken(code: string): Fault {
  return new Fault('CONFLICT', `the code ${code} is in use by another tenant; choose another`);
}
