import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import type { KeyStanding } from './key-notices.ts';

const STANDING = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('api_key_usage')
    .select([
      'issued_day as issuedDay',
      'issued_count as issuedCount',
      'issued_total as issuedTotal',
      'alerted_day as alertedDay',
      'alerted_total as alertedTotal',
      'reminded_at as remindedAt',
      'announced_days as announcedDays',
    ])
    .where('realm_id', '=', p.realm)
    .where('api_key_id', '=', p.id),
);

const NOTE = statement<Told & { id: string }>()((db, p) =>
  db
    .insertInto('api_key_usage')
    .values({
      realm_id: p.realm,
      api_key_id: p.id,
      alerted_day: p.alertedDay,
      alerted_total: p.alertedTotal,
      reminded_at: p.remindedAt,
      announced_days: p.announcedDays,
    })
    .onConflict((conflict) =>
      conflict.columns(['realm_id', 'api_key_id']).doUpdateSet({
        alerted_day: p.alertedDay,
        alerted_total: p.alertedTotal,
        reminded_at: p.remindedAt,
        announced_days: p.announcedDays,
      }),
    ),
);

/** What was told of a key. */
export type Told = Pick<KeyStanding, 'alertedDay' | 'alertedTotal' | 'remindedAt' | 'announcedDays'>;

/** What a key has issued, and what was told of it; undefined: nothing yet. */
export function standingOf(reader: RealmReader, id: string): KeyStanding | undefined {
  return reader.get(STANDING, { id });
}

/** Notes what was told of a key; bookkeeping. */
export function noteTold(tx: RealmTx, id: string, told: Told): void {
  const { alertedDay, alertedTotal, remindedAt, announcedDays } = told;
  tx.run(NOTE, { id, alertedDay, alertedTotal, remindedAt, announcedDays });
}
