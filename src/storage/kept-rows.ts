import type { RealmId } from './realm-scope.ts';
import { statement, type Statement } from './statement.ts';

/** The part of a transaction that writes counters. */
interface Writing {
  in(realm: RealmId): { run<P>(statement: Statement<P, unknown>, parameters: P): unknown };
}

const COUNT = statement<{ rows: number }>()((db, p) =>
  db
    .insertInto('realm_counters')
    .values({ realm_id: p.realm, records: p.rows })
    .onConflict((conflict) =>
      conflict
        .column('realm_id')
        .doUpdateSet((eb) => ({ records: eb('realm_counters.records', '+', p.rows) })),
    ),
);

/**
 * Adds up what a batch adds to the rows that are kept of each realm, and writes it into `realm_counters.records`: one
 * statement for each realm and commit, none where nothing was added. Whoever reads the count inside a batch sees it as
 * the batch before left it.
 */
export class KeptRows {
  readonly #byRealm = new Map<RealmId, number>();

  /** @param rows negative: so many have gone */
  add(realm: RealmId, rows: number): void {
    this.#byRealm.set(realm, (this.#byRealm.get(realm) ?? 0) + rows);
  }

  /** Takes over what a unit of the batch has added, once it can no longer be undone by itself. */
  addAll(unit: KeptRows): void {
    for (const [realm, rows] of unit.#byRealm) this.add(realm, rows);
  }

  /** Writes the sums, in the transaction of the batch. */
  writeTo(tx: Writing): void {
    for (const [realm, rows] of this.#byRealm) if (rows !== 0) tx.in(realm).run(COUNT, { rows });
  }
}
