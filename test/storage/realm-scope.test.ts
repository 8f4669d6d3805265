import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RealmId } from '../../src/storage/realm-scope.ts';
import { check, type Writing } from './checked-statement.ts';

const TIED: readonly (readonly [title: string, build: Writing])[] = [
  ['one table', (db, p) => db.selectFrom('licenses').select('id').where('realm_id', '=', p.realm)],
  [
    'the parameter on the left',
    (db, p) =>
      db
        .selectFrom('licenses')
        .select('id')
        .where((eb) => eb(eb.val(p.realm), '=', eb.ref('realm_id'))),
  ],
  [
    'an AND in parentheses',
    (db, p) =>
      db
        .selectFrom('licenses')
        .select('id')
        .where((eb) => eb.parens(eb.and([eb('realm_id', '=', p.realm), eb('id', '=', 'x')]))),
  ],
  [
    'a join tied through another table',
    (db, p) =>
      db
        .selectFrom('machines as m')
        .innerJoin('licenses as l', (on) =>
          on.onRef('l.realm_id', '=', 'm.realm_id').onRef('l.id', '=', 'm.license_id'),
        )
        .select('l.id')
        .where('m.realm_id', '=', p.realm),
  ],
  [
    'a left join tied by its own condition',
    (db, p) =>
      db
        .selectFrom('licenses as l')
        .leftJoin('machines as m', (on) =>
          on.onRef('m.realm_id', '=', 'l.realm_id').onRef('m.license_id', '=', 'l.id'),
        )
        .select('m.id')
        .where('l.realm_id', '=', p.realm),
  ],
  [
    'a correlated EXISTS',
    (db, p) =>
      db
        .selectFrom('licenses as l')
        .select('l.id')
        .where('l.realm_id', '=', p.realm)
        .where((eb) =>
          eb.exists(eb.selectFrom('machines as m').select('m.id').whereRef('m.realm_id', '=', 'l.realm_id')),
        ),
  ],
  [
    'a sub-query that stands in FROM',
    (db, p) =>
      db
        .selectFrom((eb) => eb.selectFrom('licenses').select('id').where('realm_id', '=', p.realm).as('s'))
        .select('s.id'),
  ],
  [
    'both sides of a UNION',
    (db, p) =>
      db
        .selectFrom('licenses')
        .select('id')
        .where('realm_id', '=', p.realm)
        .union((eb) => eb.selectFrom('machines').select('id').where('realm_id', '=', p.realm)),
  ],
  [
    'UPDATE … FROM with both tables tied',
    (db, p) =>
      db
        .updateTable('licenses')
        .from('policies')
        .set({ status: 'expired' })
        .where('licenses.realm_id', '=', p.realm)
        .whereRef('policies.realm_id', '=', 'licenses.realm_id'),
  ],
  [
    'an insert of two rows',
    (db, p) =>
      db.insertInto('license_seats').values([
        { realm_id: p.realm, license_id: 'a' },
        { realm_id: p.realm, license_id: 'b' },
      ]),
  ],
  [
    'an upsert that meets its row by realm_id',
    (db, p) =>
      db
        .insertInto('license_usage')
        .values({ realm_id: p.realm, license_id: 'a', uses: 1 })
        .onConflict((c) =>
          c
            .columns(['realm_id', 'license_id'])
            .doUpdateSet((eb) => ({ uses: eb('license_usage.uses', '+', 1) })),
        ),
  ],
  ['a DELETE', (db, p) => db.deleteFrom('idempotency').where('realm_id', '=', p.realm)],
  [
    'descending order',
    (db, p) =>
      db.selectFrom('events').select('id').where('realm_id', '=', p.realm).orderBy('position', 'desc'),
  ],
  [
    'counting',
    (db, p) =>
      db
        .selectFrom('machines')
        .select((eb) => eb.fn.countAll().as('n'))
        .where('realm_id', '=', p.realm),
  ],
  ['an appliance table', (db) => db.selectFrom('tenants').select('id')],
];

describe('the check of every statement against its realm', () => {
  it.each(TIED)('accepts %s', (_, build) => {
    expect(check(build).sql).not.toBe('');
  });

  it('says what a statement touches', () => {
    const reads = check((db, p) => db.selectFrom('machines').select('id').where('realm_id', '=', p.realm));
    expect(reads.facts).toEqual({ tables: ['machines'], needsRealm: true, writes: 'nothing', adds: 0 });
    const keeps = check((db, p) =>
      db.updateTable('license_usage').set({ uses: 1 }).where('realm_id', '=', p.realm),
    );
    expect(keeps.facts.writes).toBe('bookkeeping');
    const records = check((db, p) =>
      db.updateTable('licenses').set({ status: 'active' }).where('realm_id', '=', p.realm),
    );
    expect(records.facts.writes).toBe('recorded');
    expect(check((db) => db.selectFrom('settings').select('value')).facts.needsRealm).toBe(false);
  });

  it('says by how many records each row changes its realm, and refuses an upsert that would not tell', () => {
    const made = { realm_id: 0, id: 'e', type: 't', body: Buffer.alloc(0), created_at: 0 };
    const insert = check((db, p) => db.insertInto('events').values({ ...made, realm_id: p.realm }));
    const gone = check((db, p) => db.deleteFrom('events').where('realm_id', '=', p.realm));
    const edit = check((db, p) =>
      db.updateTable('events').set({ type: 'x' }).where('realm_id', '=', p.realm),
    );
    expect([insert, gone, edit].map(({ facts }) => facts.adds)).toEqual([1, -1, 0]);
    const upsert = (): unknown =>
      check((db, p) =>
        db
          .insertInto('events')
          .values({ ...made, realm_id: p.realm })
          .onConflict((conflict) => conflict.columns(['realm_id', 'id']).doUpdateSet({ type: 'x' })),
      );
    expect(upsert).toThrow('inserted or updated, never either');
  });

  it('does not run a statement on realm-owned rows without a realm', () => {
    const made = check((db, p) => db.selectFrom('machines').select('id').where('realm_id', '=', p.realm));
    expect(() => made.bind({}, null)).toThrow('without a realm');
    expect(made.bind({}, 7 as RealmId)).toEqual([7]);
  });
});

describe('directory tables', () => {
  it('are named by the directory and nobody else', () => {
    const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ts'));
    const naming = files.filter((file) =>
      /(selectFrom|insertInto|deleteFrom|updateTable|Join)\(\s*'(license_directory|api_key_directory)/.test(
        readFileSync(join('src', file), 'utf8'),
      ),
    );
    expect(naming).toEqual(['storage/directory.ts']);
  });
});
