import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { ERASED_TABLES, WALKED_TABLES } from '../../src/storage/erase-store.ts';
import { TABLES } from '../../src/storage/tables.ts';
import { dataOf, send, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { sendAsOperator } from '../support/operator-socket.ts';
import { stockUp } from '../support/stock.ts';

/** Tables with a number of a realm whose rows stay, and why. */
const STAYS: Readonly<Record<string, string>> = {
  realms: 'the number, which is given once',
  ledger_entries: 'the leaves name nobody',
  signing_keys: 'public halves',
  data_keys: 'go with the keys',
  data_key_usage: 'go with the keys',
  index_keys: 'go with the keys',
};

const CANARY = 'Planted canary of a tenant';

/** Every value of the rows of some realms that is long enough to be found by chance no more. */
function valuesOf(database: string, realms: readonly number[]): Buffer[] {
  const db = new BetterSqlite3(database, { readonly: true });
  const tables = [...ERASED_TABLES, ...WALKED_TABLES].map(({ table }) => table);
  const values = [...tables, 'data_keys', 'index_keys'].flatMap((table) =>
    realms.flatMap((realm) =>
      db.prepare(`SELECT * FROM ${table} WHERE realm_id = ?`).raw().all(realm).flat(),
    ),
  );
  db.close();
  // Ids stay in the leaves of the ledger; everything else of a row is sealed, digested, or a name.
  const texts = values.filter(
    (value): value is string => typeof value === 'string' && value.includes(CANARY),
  );
  const blobs = values.filter((value): value is Buffer => Buffer.isBuffer(value) && value.length >= 16);
  return [...texts.map((text) => Buffer.from(text)), ...blobs];
}

describe('an erased tenant', () => {
  it('has every table with rows of a realm to be erased from, or it is said here why not', () => {
    const erased = [...ERASED_TABLES, ...WALKED_TABLES].map(({ table }) => table);
    const owned = Object.entries(TABLES).flatMap(([name, { scope }]) =>
      scope === 'appliance' ? [] : [name],
    );
    expect(erased.filter((table) => !['ledger_private', 'ledger_subjects'].includes(table)).sort()).toEqual(
      owned.sort(),
    );
    for (const table of Object.keys(STAYS)) expect(erased).not.toContain(table);
  });

  it('is in no byte of the database and its log, and its neighbour goes on', async () => {
    using directory = temporaryDirectory();
    const data = join(directory.path, 'appliance', 'data');
    const database = join(data, 'mintmark.db');
    const daemon = await startDaemon(join(directory.path, 'appliance'));
    const asOperator = (path: string, body: object, headers = {}) =>
      sendAsOperator(data, { method: 'POST', path, body, headers });
    const neighbour = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'neighbour');
    const kept = await neighbour.license({ name: 'A neighbour' });

    const tenant = await dataOf(asOperator('/tenants', { name: CANARY, code: 'acme' }));
    const scopes = [
      'products:write',
      'policies:write',
      'licenses:write',
      'licenses:read',
      'licenses:revoke',
      'machines:write',
      'licenses:checkout',
    ];
    const realm = { 'x-mintmark-tenant': 'acme' };
    const made = await dataOf(asOperator('/api-keys', { name: CANARY, scopes }, realm));
    const target = { url: daemon.url, key: String(made['key']) };
    const stock = await stockUp(target, 'acme', { name: CANARY, metadata: { note: CANARY } });
    const license = await stock.license({
      name: CANARY,
      userEmail: 'p@canary.example',
      metadata: { note: CANARY },
    });
    const body = { fingerprint: 'planted-fingerprint', components: { board: 'planted' }, name: CANARY };
    await dataOf(stock.post(`/licenses/${license.id}/machines`, body, { 'idempotency-key': 'planted' }));
    await dataOf(stock.post(`/licenses/${license.id}/checkout`, { fingerprint: 'planted-fingerprint' }));
    await dataOf(stock.post(`/licenses/${license.id}/revoke`, { reason: CANARY }));
    await (await fetch(`${daemon.url}/api/v1/tenants/acme/revocations`)).text();
    await wait(1500);

    const db = new BetterSqlite3(database, { readonly: true });
    const realms = db
      .prepare('SELECT realm_id FROM realms WHERE tenant_id = ?')
      .pluck()
      .all(tenant['id']) as number[];
    db.close();
    const planted = valuesOf(database, realms);
    expect(planted.length).toBeGreaterThan(40);

    const path = `/tenants/${String(tenant['id'])}/erase`;
    expect((await asOperator(path, { confirm: 'other' })).body).toMatchObject({ code: 'VALIDATION_FAILED' });
    expect((await asOperator(path, { confirm: 'acme' })).status).toBe(204);
    expect((await send(target, { method: 'GET', path: `/licenses/${license.id}` })).status).toBe(401);
    expect((await fetch(`${daemon.url}/api/v1/tenants/acme/trust-bundle`)).status).toBe(404);
    const look = new BetterSqlite3(database, { readonly: true });
    const pending = look.prepare("SELECT count(*) FROM job_state WHERE job LIKE 'erase %'").pluck();
    while (pending.get() !== 0) await wait(100);
    look.close();

    const backup = join(directory.path, 'after.backup');
    expect((await asOperator('/system/backups', { path: backup })).status).toBe(200);
    expect((await neighbour.get(`/licenses/${kept.id}`)).body['data']).toMatchObject({ name: 'A neighbour' });
    expect((await asOperator(path, { confirm: 'acme' })).status).toBe(404);
    // What is left is what the ledger says: the next start is not refused.
    const looked = (await asOperator('/system/doctor', { deep: true })).body['data'] as {
      check: string;
      result: string;
      detail: string;
    }[]; // the findings
    const wrong = looked.filter(({ check, result }) => check !== 'disk' && result === 'failed');
    expect(wrong).toEqual([]);
    expect(await daemon.stop()).toBe(0);
    const bytes = readFileSync(database);
    expect(bytes.includes('A neighbour')).toBe(false);
    expect(bytes.includes(kept.id)).toBe(true);
    expect(planted.filter((value) => bytes.includes(value)).map((value) => value.toString('latin1'))).toEqual(
      [],
    );
    expect(bytes.includes(CANARY)).toBe(false);
  });
});
