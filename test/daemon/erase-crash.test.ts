import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { initialiseCustody } from '../../src/custody/index.ts';
import { type EraseDeps, eraseJob, eraseTenant } from '../../src/daemon/erase-tenant.ts';
import { append } from '../../src/ledger/append.ts';
import { MINUTE } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { ERASED_TABLES, pendingErasures } from '../../src/storage/erase-store.ts';
import { openShop, type Shop } from '../licensing/shop.ts';

/** The process ends here. */
class Killed extends Error {}

/** A tenant with licences and keys of its own that is to be erased. */
async function erasing(shop: Shop) {
  const directory = mkdtempSync(join(tmpdir(), 'mintmark-erase-'));
  const { custody } = await initialiseCustody({ directory, random: systemRandom, now: 0 });
  const { work, time } = shop.deps;
  const { tenantId, live, test } = shop.acme;
  await work.run(shop.storage.authority(null), (tx) => {
    for (const realm of [live, test]) custody.createRealmKeys(tx, realm);
    append(tx, { realm: null, action: 'tenant.updated', target: { kind: 'tenant', id: tenantId } });
  });
  for (const realm of [live, live, test]) await shop.sell({}, {}, realm);
  const deps: EraseDeps = { work, custody, time, realmsChanged: () => undefined };
  await eraseTenant(deps, shop.operator(), { id: tenantId, confirm: 'acme' });
  const count = (tables: readonly string[]): number =>
    tables
      .map((table) => `SELECT count(*) AS n FROM ${table} WHERE realm_id IN (?, ?)`)
      .reduce((sum, sql) => sum + (shop.row(sql, live, test) as { n: number }).n, 0);
  return {
    /** The job as it runs once, a minute later; killed before a unit. */
    run: (killedAt = Infinity): Promise<unknown> => {
      shop.clock.advance(MINUTE);
      let unit = 0;
      const run: EraseDeps['work']['run'] = (authority, body) =>
        unit++ < killedAt ? work.run(authority, body) : Promise.reject(new Killed());
      const limited = { run, read: work.read, emptyLog: () => work.emptyLog() };
      const job = eraseJob({ ...deps, work: limited }, () => true);
      return Promise.resolve(job.run()).catch((error: unknown) => {
        if (!(error instanceof Killed)) throw error;
      });
    },
    rows: () => count(ERASED_TABLES.map(({ table }) => table)),
    keys: () => count(['data_keys', 'index_keys']),
    told: (action: string) => shop.actions().filter((one) => one === action).length,
    pending: () => pendingErasures(work.read).length,
    end: async () => {
      await custody[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
}

describe('erasing a tenant', () => {
  it('killed before any of its units loses its keys first, and is followed up until nothing is left', async () => {
    await using shop = await openShop();
    const erase = await erasing(shop);
    const all = erase.rows();
    expect([all > 10, erase.keys()]).toEqual([true, 4]);
    let kills = 0;
    for (; erase.pending() > 0; kills++) {
      expect(erase.told('tenant.erased')).toBe(0);
      await erase.run(kills);
      if (erase.keys() > 0) expect(erase.rows()).toBe(all);
    }
    expect(kills).toBeGreaterThan(ERASED_TABLES.length);
    expect([erase.rows(), erase.keys()]).toEqual([0, 0]);
    expect([erase.told('tenant.keys_destroyed'), erase.told('tenant.erased')]).toEqual([1, 1]);
    await erase.end();
  });

  it('waits for a reader in whose way the log is, without a word in the ledger for every look', async () => {
    await using shop = await openShop();
    const erase = await erasing(shop);
    const reader = new BetterSqlite3(shop.storage.path, { readonly: true });
    reader.exec('BEGIN');
    reader.prepare('SELECT count(*) FROM tenants').get();
    await erase.run();
    const said = shop.actions().length;
    await erase.run();
    await erase.run();
    expect([erase.pending(), shop.actions().length]).toEqual([1, said]);
    reader.close();
    await erase.run();
    expect([erase.pending(), erase.told('tenant.erased')]).toEqual([0, 1]);
    await erase.end();
  });
});
