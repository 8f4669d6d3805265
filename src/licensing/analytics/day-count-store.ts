import { DAY, type EpochMs } from '../../lib/clock.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';

/** What is counted by day. `name` divides a kind further: the code of a validation; otherwise empty. */
export interface DayCount {
  readonly kind: 'activation' | 'validation' | 'file';
  /** Days since the epoch, UTC. */
  readonly day: number;
  readonly name: string;
}

const COUNT = statement<DayCount & { by: number }>()((db, p) =>
  db
    .insertInto('day_counts')
    .values({ realm_id: p.realm, kind: p.kind, day: p.day, name: p.name, count: p.by })
    .onConflict((conflict) =>
      conflict
        .columns(['realm_id', 'kind', 'day', 'name'])
        .doUpdateSet((eb) => ({ count: eb('day_counts.count', '+', p.by) })),
    ),
);

const SINCE = statement<{ kind: DayCount['kind']; day: number }>()((db, p) =>
  db
    .selectFrom('day_counts')
    .select(['day', 'name', 'count'])
    .where('realm_id', '=', p.realm)
    .where('kind', '=', p.kind)
    .where('day', '>=', p.day)
    .orderBy('day'),
);

const PURGE = statement<{ kind: DayCount['kind']; day: number }>()((db, p) =>
  db
    .deleteFrom('day_counts')
    .where('realm_id', '=', p.realm)
    .where('kind', '=', p.kind)
    .where('day', '<', p.day),
);

/** The day a time is of, as days since the epoch, UTC. */
export function dayOf(at: EpochMs): number {
  return Math.floor(at / DAY);
}

/** Counts `by` more of something on a day; in the unit that does it, or written behind. */
export function countDay(tx: RealmTx, what: DayCount, by: number): void {
  tx.run(COUNT, { ...what, by });
}

/** The counts of a kind from a day on, oldest first: at most one row for each day and name. */
export function dayCountsSince(
  reader: RealmReader,
  kind: DayCount['kind'],
  day: number,
): { readonly day: number; readonly name: string; readonly count: number }[] {
  return reader.all(SINCE, { kind, day });
}

/** Forgets the counts of a kind before a day. */
export function purgeDayCounts(tx: RealmTx, kind: DayCount['kind'], day: number): void {
  tx.run(PURGE, { kind, day });
}
