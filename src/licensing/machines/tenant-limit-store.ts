import { refuseFull, tenantRoom } from '../../access/index.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Reader, RealmTx } from '../../storage/tx.ts';
import { type Refusal, refusal } from '../refusal.ts';

/** More machines than any table holds: the limit of a tenant without one. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

const STATUS = statement<{ of: RealmId }>()((db, p) =>
  db
    .selectFrom('realms')
    .innerJoin('tenants', 'tenants.id', 'realms.tenant_id')
    .select('tenants.status as status')
    .where('realms.realm_id', '=', p.of),
);

const COUNT_ONE = statement<{ limit: number }>()((db, p) =>
  db
    .insertInto('realm_counters')
    .values({ realm_id: p.realm, machines: 1 })
    .onConflict((conflict) =>
      conflict
        .column('realm_id')
        .doUpdateSet((eb) => ({ machines: eb('realm_counters.machines', '+', 1) }))
        .where('realm_counters.machines', '<', p.limit),
    ),
);

const SHIFT = statement<{ machines: number; dead: number }>()((db, p) =>
  db
    .updateTable('realm_counters')
    .set((eb) => ({ machines: eb('machines', '+', p.machines), dead: eb('dead', '+', p.dead) }))
    .where('realm_id', '=', p.realm),
);

/**
 * Counts one more living machine of the realm, by one conditional statement; null: it is counted, the tenant may have one
 * more in this environment.
 * @param by who wants it: see {@link refuseFull}
 */
export function claimTenantMachine(tx: RealmTx, by: 'publisher' | 'holder' = 'publisher'): Refusal | null {
  const room = tenantRoom(tx);
  const full = refuseFull(room, 1, by);
  if (full !== null) return full;
  const limit = room?.maxMachines ?? UNLIMITED;
  if (limit >= 1 && tx.run(COUNT_ONE, { limit }).changes === 1) return null;
  return refusal('TENANT_LIMIT', 'the tenant has as many machines in this environment as it may');
}

/** Whether the tenant of the realm may do business: it is neither suspended nor erased. */
export function isTenantActive(reader: Reader, realm: RealmId): boolean {
  return reader.get(STATUS, { of: realm })?.status === 'active';
}

/** A machine has ended its life; whether it was dead before. */
export function uncountTenantMachine(tx: RealmTx, was: { readonly dead: boolean } = { dead: false }): void {
  tx.run(SHIFT, { machines: -1, dead: -Number(was.dead) });
}

/** A living machine turned dead, or came back. */
export function countDeadMachine(tx: RealmTx, is: { readonly dead: boolean }): void {
  tx.run(SHIFT, { machines: 0, dead: is.dead ? 1 : -1 });
}
