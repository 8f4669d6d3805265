import { describe, expect, it } from 'vitest';
import type { RealmId } from '../../src/storage/realm-scope.ts';
import { check, NOT_TIED, type Refusal } from './checked-statement.ts';

const REFUSED: readonly Refusal[] = [
  ['an UPDATE of every realm', (db) => db.updateTable('licenses').set({ status: 'banned' }), NOT_TIED],
  [
    'an UPDATE that moves rows to another realm',
    (db, p) =>
      db
        .updateTable('licenses')
        .set({ realm_id: 2 as RealmId })
        .where('realm_id', '=', p.realm),
    /never moves/,
  ],
  [
    'UPDATE … FROM an untied table',
    (db, p) =>
      db
        .updateTable('licenses')
        .from('policies')
        .set({ status: 'expired' })
        .where('licenses.realm_id', '=', p.realm)
        .whereRef('policies.id', '=', 'licenses.policy_id'),
    NOT_TIED,
  ],
  [
    'a value from an untied table in SET',
    (db, p) =>
      db
        .updateTable('licenses')
        .set((eb) => ({ policy_id: eb.selectFrom('policies').select('id').limit(1) }))
        .where('realm_id', '=', p.realm),
    NOT_TIED,
  ],
  ['a DELETE of every realm', (db) => db.deleteFrom('idempotency'), NOT_TIED],
  [
    'DELETE … USING',
    (db, p) => db.deleteFrom('idempotency').using('licenses').where('idempotency.realm_id', '=', p.realm),
    /UsingNode/,
  ],
  [
    'an insert without realm_id',
    (db) => db.insertInto('license_seats').values({ license_id: 'a' } as never),
    /names realm_id/,
  ],
  [
    'an insert with a number for realm_id',
    (db) => db.insertInto('license_seats').values({ realm_id: 2 as RealmId, license_id: 'a' }),
    /binds the realm parameter/,
  ],
  [
    'one row of two with a number',
    (db, p) =>
      db.insertInto('license_seats').values([
        { realm_id: p.realm, license_id: 'a' },
        { realm_id: 2 as RealmId, license_id: 'b' },
      ]),
    /binds the realm parameter/,
  ],
  [
    'INSERT … SELECT',
    (db, p) =>
      db
        .insertInto('license_seats')
        .columns(['realm_id', 'license_id'])
        .expression((eb) =>
          eb.selectFrom('licenses').select(['realm_id', 'id']).where('realm_id', '=', p.realm),
        ),
    /lists its values/,
  ],
  ['DEFAULT VALUES', (db) => db.insertInto('license_seats').defaultValues(), /names realm_id/],
  [
    'INSERT OR REPLACE',
    (db, p) => db.insertInto('license_seats').orReplace().values({ realm_id: p.realm, license_id: 'a' }),
    /OrActionNode/,
  ],
  [
    'REPLACE INTO',
    (db, p) => db.replaceInto('license_seats').values({ realm_id: p.realm, license_id: 'a' }),
    /never replaced/,
  ],
  [
    'an upsert by a key that realms share',
    (db, p) =>
      db
        .insertInto('license_seats')
        .values({ realm_id: p.realm, license_id: 'a' })
        .onConflict((c) => c.column('license_id').doUpdateSet({ seats: 1 })),
    /by realm_id/,
  ],
  [
    'an upsert without a key',
    (db, p) =>
      db
        .insertInto('license_seats')
        .values({ realm_id: p.realm, license_id: 'a' })
        .onConflict((c) => c.doUpdateSet({ seats: 1 })),
    /by realm_id/,
  ],
  [
    'an upsert that moves the row',
    (db, p) =>
      db
        .insertInto('license_seats')
        .values({ realm_id: p.realm, license_id: 'a' })
        .onConflict((c) => c.columns(['realm_id', 'license_id']).doUpdateSet({ realm_id: 2 as RealmId })),
    /never moves/,
  ],
];

describe('a write that could touch another realm', () => {
  it.each(REFUSED)('refuses %s', (_, build, why) => {
    expect(() => check(build)).toThrow(why);
  });
});
