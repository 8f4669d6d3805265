import { describe, expect, it } from 'vitest';
import type { RealmId } from '../../src/storage/realm-scope.ts';
import { check, NOT_TIED, type Refusal } from './checked-statement.ts';

const REFUSED: readonly Refusal[] = [
  ['no condition at all', (db) => db.selectFrom('licenses').select('id'), NOT_TIED],
  [
    'a number instead of the parameter',
    (db) =>
      db
        .selectFrom('licenses')
        .select('id')
        .where('realm_id', '=', 1 as RealmId),
    NOT_TIED,
  ],
  [
    'the parameter compared with another column',
    (db, p) => db.selectFrom('licenses').select('id').where('version', '=', p.realm),
    NOT_TIED,
  ],
  ['not equal', (db, p) => db.selectFrom('licenses').select('id').where('realm_id', '!=', p.realm), NOT_TIED],
  ['at least', (db, p) => db.selectFrom('licenses').select('id').where('realm_id', '>=', p.realm), NOT_TIED],
  ['a list', (db, p) => db.selectFrom('licenses').select('id').where('realm_id', 'in', [p.realm]), NOT_TIED],
  [
    'NOT',
    (db, p) =>
      db
        .selectFrom('licenses')
        .select('id')
        .where((eb) => eb.not(eb('realm_id', '=', p.realm))),
    NOT_TIED,
  ],
  [
    'one side of an OR',
    (db, p) =>
      db
        .selectFrom('licenses')
        .select('id')
        .where((eb) => eb.or([eb('realm_id', '=', p.realm), eb('id', '=', 'x')])),
    NOT_TIED,
  ],
  [
    'both sides of an OR',
    (db, p) =>
      db
        .selectFrom('licenses')
        .select('id')
        .where((eb) => eb.or([eb('realm_id', '=', p.realm), eb('realm_id', '=', p.realm)])),
    NOT_TIED,
  ],
  [
    'only HAVING',
    (db, p) =>
      db.selectFrom('licenses').select('id').groupBy(['id', 'realm_id']).having('realm_id', '=', p.realm),
    NOT_TIED,
  ],
  [
    'realm_id equal to itself',
    (db) => db.selectFrom('licenses').select('id').whereRef('realm_id', '=', 'realm_id'),
    NOT_TIED,
  ],
  [
    'two tables tied to each other alone',
    (db) =>
      db
        .selectFrom(['licenses as l', 'machines as m'])
        .select('l.id')
        .whereRef('l.realm_id', '=', 'm.realm_id'),
    NOT_TIED,
  ],
  [
    'a join by id without realm',
    (db, p) =>
      db
        .selectFrom('machines as m')
        .innerJoin('licenses as l', 'l.id', 'm.license_id')
        .select('l.id')
        .where('m.realm_id', '=', p.realm),
    NOT_TIED,
  ],
  [
    'a left table tied only in the ON of a left join',
    (db, p) =>
      db
        .selectFrom('licenses as l')
        .leftJoin('machines as m', (on) => on.on('l.realm_id', '=', p.realm).on('m.realm_id', '=', p.realm))
        .select('l.id'),
    NOT_TIED,
  ],
  [
    'a right join',
    (db, p) =>
      db
        .selectFrom('licenses as l')
        .rightJoin('machines as m', (on) => on.on('m.realm_id', '=', p.realm).on('l.realm_id', '=', p.realm))
        .select('l.id')
        .where('l.realm_id', '=', p.realm),
    /RightJoin is not checked/,
  ],
  [
    'a full join',
    (db, p) =>
      db
        .selectFrom('licenses as l')
        .fullJoin('machines as m', (on) => on.on('m.realm_id', '=', p.realm))
        .select('l.id')
        .where('l.realm_id', '=', p.realm),
    /FullJoin is not checked/,
  ],
  [
    'a cross join',
    (db, p) =>
      db
        .selectFrom('licenses as l')
        .crossJoin('machines as m')
        .select('l.id')
        .where('l.realm_id', '=', p.realm),
    /CrossJoin is not checked|not tied/,
  ],
  [
    'an EXISTS on an untied table',
    (db, p) =>
      db
        .selectFrom('licenses as l')
        .select('l.id')
        .where('l.realm_id', '=', p.realm)
        .where((eb) =>
          eb.exists(eb.selectFrom('machines as m').select('m.id').whereRef('m.license_id', '=', 'l.id')),
        ),
    NOT_TIED,
  ],
  [
    'a sub-query in the columns',
    (db, p) =>
      db
        .selectFrom('licenses as l')
        .select((eb) => eb.selectFrom('machines as m').select('m.id').limit(1).as('x'))
        .where('l.realm_id', '=', p.realm),
    NOT_TIED,
  ],
  [
    'a sub-query in ORDER BY',
    (db, p) =>
      db
        .selectFrom('licenses as l')
        .select('l.id')
        .where('l.realm_id', '=', p.realm)
        .orderBy((eb) => eb.selectFrom('machines as m').select('m.id').limit(1)),
    NOT_TIED,
  ],
  [
    'a sub-query in FROM',
    (db) => db.selectFrom((eb) => eb.selectFrom('licenses').select('id').as('s')).select('s.id'),
    NOT_TIED,
  ],
  [
    'the second half of a UNION',
    (db, p) =>
      db
        .selectFrom('licenses')
        .select('id')
        .where('realm_id', '=', p.realm)
        .union((eb) => eb.selectFrom('machines').select('id')),
    NOT_TIED,
  ],
  [
    'a UNION half tied to the other half',
    (db, p) =>
      db
        .selectFrom('licenses')
        .select('id')
        .where('realm_id', '=', p.realm)
        .unionAll((eb) =>
          eb
            .selectFrom('machines')
            .select('machines.id')
            .where((w) =>
              w(w.ref('machines.realm_id'), '=', w.ref('licenses.realm_id' as 'machines.realm_id')),
            ),
        ),
    NOT_TIED,
  ],
  [
    'an untied side of EXCEPT',
    (db, p) =>
      db
        .selectFrom('licenses')
        .select('id')
        .where('realm_id', '=', p.realm)
        .except((eb) => eb.selectFrom('machines').select('id')),
    NOT_TIED,
  ],
  [
    'a WITH',
    (db, p) =>
      db
        .with('all_of_them', (w) => w.selectFrom('licenses').select('id'))
        .selectFrom('all_of_them')
        .select('id')
        .where('id', '=', String(p.realm)),
    /not in tables.ts|WithNode/,
  ],
  [
    'a WITH beside a tied table',
    (db, p) =>
      db
        .with('m', (w) => w.selectFrom('machines').select(['id', 'realm_id']))
        .selectFrom('licenses')
        .select('id')
        .where('realm_id', '=', p.realm),
    /WithNode is not part/,
  ],
  [
    'a sub-query that takes the name of a tied outer table',
    (db, p) =>
      db
        .selectFrom('licenses as s')
        .select('s.id')
        .where('s.realm_id', '=', p.realm)
        .where((eb) =>
          eb.exists(
            eb
              .selectFrom('machines as m')
              .innerJoin(
                (j) => j.selectFrom('realms').select('realms.realm_id').as('s'),
                (on) => on.onRef('m.realm_id', '=', 's.realm_id'),
              )
              .select('m.id'),
          ),
        ),
    NOT_TIED,
  ],
  [
    'the same in capitals',
    (db, p) =>
      db
        .selectFrom('licenses as s')
        .select('s.id')
        .where('s.realm_id', '=', p.realm)
        .where((eb) =>
          eb.exists(
            eb
              .selectFrom('machines as m')
              .innerJoin(
                (j) => j.selectFrom('realms').select('realms.realm_id').as('S'),
                (on) => on.on((o) => o(o.ref('m.realm_id'), '=', o.ref('s.realm_id' as 'm.realm_id'))),
              )
              .select('m.id'),
          ),
        ),
    NOT_TIED,
  ],
  [
    'an appliance table under the name of an owned one',
    (db) =>
      db
        .selectFrom(['realms as licenses', 'machines'])
        .select('machines.id')
        .whereRef('machines.realm_id', '=', 'licenses.realm_id'),
    NOT_TIED,
  ],
  [
    'one alias for two tables',
    (db, p) =>
      db.selectFrom(['licenses as l', 'machines as l']).select('l.id').where('l.realm_id', '=', p.realm),
    /names one source/,
  ],
  [
    'a sub-query in FROM that leans on its neighbour',
    (db, p) =>
      db
        .selectFrom('licenses as l')
        .innerJoin(
          (j) =>
            j
              .selectFrom('machines as m')
              .select('m.license_id')
              .where((w) => w(w.ref('m.realm_id'), '=', w.ref('l.realm_id' as 'm.realm_id')))
              .as('s'),
          's.license_id' as never,
          'l.id' as never,
        )
        .select('l.id')
        .where('l.realm_id', '=', p.realm),
    NOT_TIED,
  ],
  [
    'an unqualified realm_id among two tables',
    (db, p) =>
      db.selectFrom(['licenses as l', 'tenants as t']).select('l.id').where('realm_id', '=', p.realm),
    NOT_TIED,
  ],
];

describe('a read that could see another realm', () => {
  it.each(REFUSED)('refuses %s', (_, build, why) => {
    expect(() => check(build)).toThrow(why);
  });
});
