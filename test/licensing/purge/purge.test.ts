import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { purgeEvents } from '../../../src/delivery/purge-events.ts';
import { deleteEntitlement } from '../../../src/licensing/entitlements/delete.ts';
import { deleteLicense } from '../../../src/licensing/licenses/delete.ts';
import { restoreLicense } from '../../../src/licensing/licenses/restore.ts';
import { listLicenses } from '../../../src/licensing/licenses/show.ts';
import { deactivateMachine } from '../../../src/licensing/machines/deactivate.ts';
import { isSweepHeld, releaseSweep } from '../../../src/licensing/machines/sweep-hold.ts';
import { deletePolicy } from '../../../src/licensing/policies/delete.ts';
import { deleteProduct } from '../../../src/licensing/products/delete.ts';
import { updateProduct } from '../../../src/licensing/products/update.ts';
import { indexMetadata } from '../../../src/licensing/licenses/index-metadata.ts';
import { purgeJobs } from '../../../src/licensing/purge/jobs.ts';
import { purgeDeleted, type PurgeDeps } from '../../../src/licensing/purge/purge.ts';
import { DAY } from '../../../src/lib/clock.ts';
import { columnsOf, referencesOf, tableNames } from '../../support/schema.ts';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

const ANY = { versions: null };
const KEEP_DAYS = 30;
const NEWEST = { by: 'createdAt', descending: true, after: Number.MAX_SAFE_INTEGER } as const;

function depsOf(shop: Shop, more: Partial<PurgeDeps> = {}): PurgeDeps {
  const { clock } = shop;
  return { ...shop.deps, clock, keepDeletedMs: KEEP_DAYS * DAY, mayPurge: () => true, ...more };
}

const purge = (shop: Shop, more: Partial<PurgeDeps> = {}) => purgeDeleted(depsOf(shop, more), shop.acme.live);
const removeLicense = (shop: Shop, id: string): Promise<void> =>
  deleteLicense(shop.deps, shop.operator(), { id, ...ANY });
const removeMachine = (shop: Shop, id: string): Promise<unknown> =>
  deactivateMachine(shop.deps, shop.operator(), { id, ...ANY, signed: null });
const count = (shop: Shop, table: string): number =>
  (shop.row(`SELECT count(*) AS rows FROM ${table}`) as { rows: number }).rows;

/** Rows that were not stored by a unit of work are counted by nobody else. */
function countRecords(shop: Shop, rows: number): void {
  const count = shop.storage.database.native.prepare(
    `INSERT INTO realm_counters (realm_id, records) VALUES (?, ?)
     ON CONFLICT (realm_id) DO UPDATE SET records = records + excluded.records`,
  );
  count.run(shop.acme.live, rows);
}

/** A file that was issued for the only machine of a licence, good for some days. */
function issueFile(shop: Shop, licenseId: string, days: number): void {
  const machine = shop.row('SELECT id, fingerprint_hash FROM machines WHERE license_id = ?', licenseId) as {
    id: string;
    fingerprint_hash: Buffer;
  };
  const now = shop.clock.wall();
  const { native } = shop.storage.database;
  native
    .prepare(
      `INSERT INTO issued_files (realm_id, id, kind, branch, branch_seq, license_id, machine_id, fingerprint_hash, kid,
         digest, issued_at, expires_at) VALUES (?, ?, 'machine', 'b', ?, ?, ?, ?, 'kid', x'00', ?, ?)`,
    )
    .run(
      ...[shop.acme.live, `file_${licenseId}`, count(shop, 'issued_files'), licenseId, machine.id],
      ...[machine.fingerprint_hash, now, now + days * DAY],
    );
  countRecords(shop, 1);
}

describe('what was deleted', () => {
  it('is there to be restored until the last day, and gone for good after it', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    await removeLicense(shop, license.id);
    shop.clock.advance(KEEP_DAYS * DAY - 1);
    expect((await purge(shop)).rows).toBe(0);
    const restoring = { id: license.id, ...ANY, machines: true };
    await restoreLicense(shop.deps, shop.operator(), restoring);
    await removeLicense(shop, license.id);
    shop.clock.advance(KEEP_DAYS * DAY);
    expect(await purge(shop)).toMatchObject({ held: [] });
    expect(await outcomeOf(restoreLicense(shop.deps, shop.operator(), restoring))).toBe('NOT_FOUND');
    expect(listLicenses(shop.deps, shop.operator(), { order: NEWEST, limit: 5, deleted: true })).toEqual([]);
    expect(shop.actions().filter((action) => action === 'retention.purged')).toHaveLength(2);
  });

  it('leaves no row in any table that names the licence but its reserved key and the ledger', async () => {
    await using shop = await openShop();
    const { id: entitlementId } = await shop.entitlement('x');
    const { license, product } = await shop.sell(
      { machineLeasing: 'PER_USER' },
      { userEmail: 'jane@acme.example', metadata: { plan: 'pro' }, entitlementIds: [entitlementId] },
    );
    const change = { indexedMetadata: ['plan'] };
    await updateProduct(shop.deps, shop.operator(), { id: product.id, ...ANY, change });
    await indexMetadata({ ...shop.deps, clock: shop.clock }, shop.acme.live);
    const components = { mac: '00:11' };
    await shop.activate(license.id, 'machine-one', { components, userEmail: 'jane@acme.example' });
    issueFile(shop, license.id, 1);
    const native = shop.storage.database.native;
    const naming = (): string[] =>
      tableNames(shop.storage.database).filter((table) => {
        const names = columnsOf(shop.storage.database, table).map(({ name }) => name);
        const column = table === 'licenses' ? 'id' : 'license_id';
        if (!names.includes(column)) return false;
        return native.prepare(`SELECT 1 FROM ${table} WHERE ${column} = ?`).get(license.id) !== undefined;
      });
    const before = naming();
    const children = tableNames(shop.storage.database).filter((table) =>
      referencesOf(shop.storage.database, table).some(({ parent }) => parent === 'licenses'),
    );
    // Every table that hangs on licences has a row here: one that is forgotten by the purge would be seen.
    expect(before).toEqual(expect.arrayContaining(children));
    await removeLicense(shop, license.id);
    shop.clock.advance(KEEP_DAYS * DAY);
    await purge(shop);
    expect(naming()).toEqual(['license_directory']);
    expect(count(shop, 'machine_components')).toBe(0);
  });

  it('keeps its key reserved: nobody gets it, and it leads nowhere', async () => {
    await using shop = await openShop();
    const { license, product, policy } = await shop.sell({}, { key: 'OLD-KEY-0123456789-ABCDEF' });
    await removeLicense(shop, license.id);
    shop.clock.advance(KEEP_DAYS * DAY);
    await purge(shop);
    const again = { productId: product.id, policyId: policy.id, key: 'OLD-KEY-0123456789-ABCDEF' };
    expect(await outcomeOf(shop.license(again))).toBe('CONFLICT');
    // In another realm it is a key like any other.
    await shop.sell({}, { key: 'OLD-KEY-0123456789-ABCDEF' }, shop.globex.live);
  });

  it('is emptied at once while a file of it is good, and its skeleton stays until the last one expires', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({}, { userEmail: 'jane@acme.example', name: 'Jane' });
    await shop.activate(license.id, 'machine-one', { hostname: 'jane-laptop' });
    issueFile(shop, license.id, 90);
    await removeLicense(shop, license.id);
    shop.clock.advance(KEEP_DAYS * DAY);
    await purge(shop);
    const row = shop.row('SELECT * FROM licenses WHERE id = ?', license.id) as Record<string, unknown>;
    expect(row).toMatchObject({ personal: null, user_email_index: null, key_sealed: null, key_masked: '' });
    const machine = shop.row('SELECT * FROM machines') as Record<string, unknown>;
    expect(machine).toMatchObject({ personal: null, public_key: null, user_index: null });
    expect(machine['fingerprint_sealed']).toEqual(Buffer.alloc(0));
    expect(count(shop, 'issued_files')).toBe(1);
    const restoring = { id: license.id, ...ANY, machines: true };
    expect(await outcomeOf(restoreLicense(shop.deps, shop.operator(), restoring))).toBe('NOT_FOUND');
    expect((await purge(shop)).rows).toBe(0);

    shop.clock.advance(60 * DAY);
    await purge(shop);
    expect(shop.row('SELECT seats FROM product_seats')).toEqual({ seats: 0 });
    expect([count(shop, 'licenses'), count(shop, 'machines'), count(shop, 'issued_files')]).toEqual([
      0, 0, 0,
    ]);
  });

  it('goes in the order in which it lets go of each other: licences, policies, products, entitlements', async () => {
    await using shop = await openShop();
    const { id: entitlementId } = await shop.entitlement('x');
    const { license, policy, product } = await shop.sell({}, { entitlementIds: [entitlementId] });
    await removeLicense(shop, license.id);
    await deletePolicy(shop.deps, shop.operator(), { id: policy.id, ...ANY });
    await deleteProduct(shop.deps, shop.operator(), { id: product.id, ...ANY });
    await deleteEntitlement(shop.deps, shop.operator(), { id: entitlementId, ...ANY });
    shop.clock.advance(KEEP_DAYS * DAY);
    // Licence and its skeleton, policy, product, entitlement.
    expect((await purge(shop)).rows).toBe(5);
    for (const table of ['licenses', 'policies', 'products', 'entitlements', 'product_seats'])
      expect(count(shop, table), table).toBe(0);
  });

  it('is never what lives, and never what another realm has', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 3 });
    const { license: gone } = await shop.sell();
    const stranger = await shop.sell({}, {}, shop.globex.live);
    await shop.activate(license.id, 'machine-one');
    await removeLicense(shop, gone.id);
    const globex = shop.operator(shop.globex.live);
    await deleteLicense(shop.deps, globex, { id: stranger.license.id, ...ANY });
    shop.clock.advance(KEEP_DAYS * DAY);
    await purge(shop);
    expect(shop.rows('SELECT id FROM licenses ORDER BY seq')).toEqual([
      { id: license.id },
      { id: stranger.license.id },
    ]);
    expect(count(shop, 'machines')).toBe(1);
  });
});

describe('a removed machine', () => {
  it('goes with everything that was said of it, unless a file names it', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 3 });
    const { machine: named } = await shop.activate(license.id, 'machine-one', { hostname: 'one' });
    issueFile(shop, license.id, 1);
    const { machine: plain } = await shop.activate(license.id, 'machine-two', { components: { mac: '1' } });
    shop.clock.advance(2 * DAY);
    for (const { id } of [named, plain]) await removeMachine(shop, id);
    shop.clock.advance(KEEP_DAYS * DAY);
    expect((await purge(shop)).rows).toBe(2);
    const left = shop.rows('SELECT id, personal, length(fingerprint_sealed) AS sealed FROM machines');
    expect(left).toEqual([{ id: named.id, personal: null, sealed: 0 }]);
    expect(count(shop, 'machine_components')).toBe(0);
    expect((await purge(shop)).rows).toBe(0);
  });

  it('still counts among the fingerprints of its licence', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 1, maxUniqueFingerprints: 1 });
    const { machine } = await shop.activate(license.id, 'machine-one');
    await removeMachine(shop, machine.id);
    shop.clock.advance(KEEP_DAYS * DAY);
    await purge(shop);
    expect(count(shop, 'machines')).toBe(0);
    expect(await outcomeOf(shop.activate(license.id, 'machine-two'))).toBe('FINGERPRINT_LIMIT_EXCEEDED');
    await shop.activate(license.id, 'machine-one');
  });
});

describe('a purge', () => {
  it('of more than 5 % and more than 20 licences is held, told once, until an operator releases it', async () => {
    await using shop = await openShop();
    const { product, policy } = await shop.sell();
    const ids: string[] = [];
    for (let made = 0; made < 21; made++)
      ids.push((await shop.license({ productId: product.id, policyId: policy.id })).id);
    for (const id of ids) await removeLicense(shop, id);
    shop.clock.advance(KEEP_DAYS * DAY);
    for (const _ of ['first', 'second']) expect((await purge(shop)).held).toEqual(['purge-licenses']);
    expect(shop.events().filter((type) => type === 'system.sweep_held')).toHaveLength(1);
    expect(isSweepHeld(shop.deps, { job: 'purge-licenses' }, shop.acme.live)).toBe(true);
    expect(count(shop, 'licenses')).toBe(22);
    await releaseSweep(shop.deps, shop.operator(), { job: 'purge-licenses' });
    expect((await purge(shop)).held).toEqual([]);
    expect(count(shop, 'licenses')).toBe(1);
  });

  it('counts a few machines of each licence: one alone holds nothing, five do', async () => {
    await using shop = await openShop();
    const { license, product, policy } = await shop.sell({ maxMachines: 100 });
    const gone = async (licenseId: string, machines: number): Promise<void> => {
      for (let i = 0; i < machines; i++)
        await removeMachine(shop, (await shop.activate(licenseId, `machine-no-${String(i)}`)).machine.id);
    };
    await gone(license.id, 30);
    shop.clock.advance(KEEP_DAYS * DAY);
    expect((await purge(shop)).held).toEqual([]);
    expect(count(shop, 'machines')).toBe(0);
    for (const machines of [7, 7, 7, 7, 1])
      await gone((await shop.license({ productId: product.id, policyId: policy.id })).id, machines);
    shop.clock.advance(KEEP_DAYS * DAY);
    expect((await purge(shop)).held).toEqual(['purge-machines']);
    expect(count(shop, 'machines')).toBe(29);
  });

  it('of 20 is not', async () => {
    await using shop = await openShop();
    const { product, policy } = await shop.sell();
    for (let made = 0; made < 20; made++)
      await removeLicense(shop, (await shop.license({ productId: product.id, policyId: policy.id })).id);
    shop.clock.advance(KEEP_DAYS * DAY);
    expect((await purge(shop)).held).toEqual([]);
    expect(count(shop, 'licenses')).toBe(1);
  });

  it('does nothing while nothing may be undone, and stops between two units when that ends', async () => {
    await using shop = await openShop();
    const { product, policy } = await shop.sell();
    for (let made = 0; made < 4; made++)
      await removeLicense(shop, (await shop.license({ productId: product.id, policyId: policy.id })).id);
    shop.clock.advance(KEEP_DAYS * DAY);
    await purge(shop, { mayPurge: () => false });
    expect(count(shop, 'licenses')).toBe(5);
    let units = 0;
    // A clock on which every unit is over after its first row.
    const slow = { monotonic: () => (units += 10) };
    let left = 3;
    await purge(shop, { clock: slow, mayPurge: () => left-- > 0 });
    const emptied = shop.rows('SELECT id FROM licenses WHERE kept_until IS NOT NULL');
    expect(emptied).toHaveLength(2);
    // What was begun goes on with the next run.
    await purge(shop);
    expect(count(shop, 'licenses')).toBe(1);
  });

  it('of a licence with many machines goes part by part, each unit with its entry', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 100 });
    for (let made = 0; made < 45; made++) await shop.activate(license.id, `machine-${String(made)}`);
    await removeLicense(shop, license.id);
    shop.clock.advance(KEEP_DAYS * DAY);
    let now = 0;
    await purge(shop, { clock: { monotonic: () => (now += 10) } });
    expect([count(shop, 'licenses'), count(shop, 'machines')]).toEqual([0, 0]);
    const purged = shop.actions().filter((action) => action === 'retention.purged');
    expect(purged.length).toBeGreaterThanOrEqual(4);
  });
});

describe('after a purge', () => {
  it('no byte of what was sealed is in the database or its log', async () => {
    await using shop = await openShop();
    const { license, product } = await shop.sell(
      {},
      { userEmail: 'canary@acme.example', name: 'Canary', metadata: { plan: 'canary' } },
    );
    const change = { indexedMetadata: ['plan'] };
    await updateProduct(shop.deps, shop.operator(), { id: product.id, ...ANY, change });
    await indexMetadata({ ...shop.deps, clock: shop.clock }, shop.acme.live);
    const components = { mac: '00:11:22:33:44:55' };
    await shop.activate(license.id, 'canary-fingerprint', { hostname: 'canary-host', components });
    // Neighbours, so that pages are split and merged around the canary.
    const { policyId } = license;
    for (let made = 0; made < 60; made++)
      await shop.license({ productId: product.id, policyId, name: `n${String(made)}` });
    const cells = [
      'SELECT personal FROM licenses WHERE name_is',
      'SELECT key_sealed FROM licenses WHERE name_is',
      'SELECT user_email_index FROM licenses WHERE name_is',
      'SELECT value_hash FROM license_metadata',
      'SELECT personal FROM machines',
      'SELECT fingerprint_sealed FROM machines',
      'SELECT fingerprint_hash FROM machines',
      'SELECT value_hash FROM machine_components',
    ].map((sql) => sql.replace('name_is', `id = '${license.id}'`));
    const native = shop.storage.database.native;
    const canaries = cells.map((sql) => native.prepare(sql).pluck().get() as Buffer);
    const found = (): number[] => {
      const files = [shop.storage.path, `${shop.storage.path}-wal`].map((path) => readFileSync(path));
      return canaries.flatMap((canary, at) => (files.some((bytes) => bytes.includes(canary)) ? [at] : []));
    };
    expect(found()).toEqual(canaries.map((_, at) => at));
    await removeLicense(shop, license.id);
    shop.clock.advance(KEEP_DAYS * DAY);
    const [job] = purgeJobs({ ...depsOf(shop), work: shop.deps.work, realms: () => [shop.acme.live] });
    await job?.run();
    await purgeEvents({ ...shop.deps, keepEventsMs: KEEP_DAYS * DAY - 1 }, shop.acme.live);
    expect(shop.deps.work.emptyLog()).toBe(true);
    expect(found()).toEqual([]);
    const bytes = readFileSync(shop.storage.path);
    for (const plain of ['canary', 'c•••@acme.example']) expect(bytes.includes(plain), plain).toBe(false);
  });
});

describe('old events', () => {
  it('go when their time is over, and newer ones keep their place', async () => {
    await using shop = await openShop();
    await shop.sell();
    shop.clock.advance(10 * DAY);
    await shop.sell();
    const newer = shop.row('SELECT max(position) AS last FROM events') as { last: number };
    const deps = { ...shop.deps, keepEventsMs: 5 * DAY };
    expect(await purgeEvents(deps, shop.acme.live)).toBe(1);
    expect(await purgeEvents(deps, shop.acme.live)).toBe(0);
    expect(shop.rows('SELECT position FROM events')).toEqual([{ position: newer.last }]);
    await shop.sell();
    expect(shop.row('SELECT max(position) AS last FROM events')).toEqual({ last: newer.last + 1 });
  });

  it('go in units of a few hundred', async () => {
    await using shop = await openShop();
    const { native } = shop.storage.database;
    const insert = native.prepare(
      "INSERT INTO events (realm_id, id, type, body, created_at) VALUES (?, ?, 'x', ?, 0)",
    );
    for (let made = 0; made < 450; made++)
      insert.run(shop.acme.live, `e${String(made)}`, Buffer.from(JSON.stringify({ id: `e${String(made)}` })));
    countRecords(shop, 450);
    expect(await purgeEvents({ ...shop.deps, keepEventsMs: DAY }, shop.acme.live)).toBe(450);
  });
});
