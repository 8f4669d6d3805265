import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { check, type Refusal } from './checked-statement.ts';

const REFUSED: readonly Refusal[] = [
  [
    'RETURNING',
    (db, p) => db.deleteFrom('idempotency').where('realm_id', '=', p.realm).returning('answer'),
    /ReturningNode/,
  ],
  [
    'SELECT *',
    (db, p) => db.selectFrom('licenses').selectAll().where('realm_id', '=', p.realm),
    /name their columns/,
  ],
  [
    'SELECT table.*',
    (db, p) => db.selectFrom('licenses').selectAll('licenses').where('realm_id', '=', p.realm),
    /name their columns/,
  ],
  [
    'raw SQL as a condition',
    (db) =>
      db
        .selectFrom('licenses')
        .select('id')
        .where(sql<boolean>`realm_id = 1`),
    /raw sql|not tied/,
  ],
  [
    'raw SQL as a column',
    (db, p) =>
      db
        .selectFrom('licenses')
        .select(sql<string>`(SELECT id FROM machines)`.as('x'))
        .where('realm_id', '=', p.realm),
    /raw sql/,
  ],
  [
    'raw SQL as a table',
    (db) => db.selectFrom(sql<{ id: string }>`licenses`.as('x')).select('x.id'),
    /RawNode is not a source/,
  ],
  [
    'raw SQL hidden in an order',
    (db, p) =>
      db
        .selectFrom('licenses')
        .select('id')
        .where('realm_id', '=', p.realm)
        .orderBy(sql`(SELECT id FROM machines)`),
    /raw sql/,
  ],
  [
    'raw SQL at the end',
    (db, p) =>
      db
        .selectFrom('licenses')
        .select('id')
        .where('realm_id', '=', p.realm)
        .modifyEnd(sql`UNION SELECT id FROM machines`),
    /raw sql/,
  ],
  [
    'SQL in the name of a function',
    (db, p) =>
      db
        .selectFrom('licenses')
        .select((eb) => eb.fn('(SELECT id FROM machines LIMIT 1) || lower', ['id']).as('x'))
        .where('realm_id', '=', p.realm),
    /name of a function/,
  ],
  [
    'another schema',
    (db, p) => db.withSchema('temp').selectFrom('licenses').select('id').where('realm_id', '=', p.realm),
    /one schema/,
  ],
  [
    'a table that is not listed',
    (db) =>
      (db as unknown as { selectFrom(t: string): { select(c: string): unknown } })
        .selectFrom('sqlite_schema')
        .select('sql'),
    /not in tables.ts/,
  ],
  [
    'a table named like a property of every object',
    (db) =>
      (db as unknown as { selectFrom(t: string): { select(c: string): unknown } })
        .selectFrom('constructor')
        .select('sql'),
    /not in tables.ts/,
  ],
  [
    'a MERGE',
    (db, p) =>
      db
        .mergeInto('license_seats')
        .using('licenses', 'licenses.id', 'license_seats.license_id')
        .whenMatched()
        .thenDelete()
        .modifyEnd(sql`${p.realm}`),
    /a statement is a query/,
  ],
];

describe('a statement the check cannot see through', () => {
  it.each(REFUSED)('refuses %s', (_, build, why) => {
    expect(() => check(build)).toThrow(why);
  });
});
