import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DAY, HOUR, isoTime, MINUTE } from '../../../src/lib/clock.ts';
import { announceExpiry } from '../../../src/licensing/licenses/announce-expiry.ts';
import { deleteLicense } from '../../../src/licensing/licenses/delete.ts';
import { expireLicenses } from '../../../src/licensing/licenses/expire.ts';
import { renewLicense } from '../../../src/licensing/licenses/renew.ts';
import { restoreLicense } from '../../../src/licensing/licenses/restore.ts';
import { transferLicense } from '../../../src/licensing/licenses/transfer.ts';
import { changeStatus } from '../../../src/licensing/licenses/transition.ts';
import { testSealing } from '../../support/sealing.ts';
import { type Catalogue, openCatalogue } from '../catalogue.ts';

const ANY = { versions: null };
const sweep = ({ deps, storage }: Catalogue) => announceExpiry(deps, storage.acme.live);

/** The days that were told of each licence, oldest first. */
function told({ storage }: Catalogue, id?: string): unknown[] {
  const rows = storage.database.native
    .prepare("SELECT body FROM events WHERE type = 'license.expiring_soon' ORDER BY position")
    .pluck()
    .all();
  const data = rows.map(
    (row) => (JSON.parse(String(row)) as { data: { id: string; withinDays: number } }).data,
  );
  return data.filter((event) => id === undefined || event.id === id).map(({ withinDays }) => withinDays);
}

async function withLicense(catalogue: Catalogue, days: number) {
  const policy = await catalogue.policy(await catalogue.product(), { durationDays: days });
  return { policy, license: await catalogue.license(policy) };
}

describe('the notices of an expiry', () => {
  it('come 30, 14, 7 and 1 days before, each once, and tell the licence', async () => {
    await using catalogue = await openCatalogue();
    const { license } = await withLicense(catalogue, 60);
    for (let hours = 0; hours < 61 * 24; hours += 6) {
      await Promise.all([sweep(catalogue), sweep(catalogue)]);
      catalogue.storage.clock.advance(6 * HOUR);
    }
    expect(told(catalogue)).toEqual([30, 14, 7, 1]);
    expect(catalogue.newestEvent()).toMatchObject({
      type: 'license.expiring_soon',
      data: { id: license.id, expiresAt: license.expiresAt, status: 'active', withinDays: 1 },
    });
    expect(catalogue.newestEvent().data['key']).toMatch(/^ACME-••••/);
  });

  it.each([
    [5, [1]],
    [30, [14, 7, 1]],
    [1, []],
  ] as const)(
    'of a licence that begins with %i days are those that lie ahead: %o',
    async (days, expected) => {
      await using catalogue = await openCatalogue();
      await withLicense(catalogue, days);
      for (let at = 0; at < days * 24; at += 1) {
        await sweep(catalogue);
        catalogue.storage.clock.advance(HOUR);
      }
      expect(told(catalogue)).toEqual(expected);
    },
  );

  it('that were missed are told by the newest of them alone', async () => {
    await using catalogue = await openCatalogue();
    await withLicense(catalogue, 60);
    catalogue.storage.clock.advance(57 * DAY);
    expect(await sweep(catalogue)).toBe(1);
    expect(await sweep(catalogue)).toBe(0);
    catalogue.storage.clock.advance(2 * DAY);
    await sweep(catalogue);
    expect(told(catalogue)).toEqual([7, 1]);
  });

  it('are not told of what has expired meanwhile', async () => {
    await using catalogue = await openCatalogue();
    await withLicense(catalogue, 60);
    catalogue.storage.clock.advance(60 * DAY);
    expect(await sweep(catalogue)).toBe(0);
    await expireLicenses(catalogue.deps, catalogue.storage.acme.live);
    expect(told(catalogue)).toEqual([]);
  });

  it('begin anew with a renewal', async () => {
    await using catalogue = await openCatalogue();
    const { license } = await withLicense(catalogue, 60);
    const { clock } = catalogue.storage;
    clock.advance(59 * DAY);
    await sweep(catalogue);
    await renewLicense(catalogue.deps, catalogue.operator(), { id: license.id, ...ANY, days: 60 });
    await sweep(catalogue);
    clock.advance(31 * DAY);
    await sweep(catalogue);
    expect(told(catalogue)).toEqual([1, 30]);
  });

  it('are neither repeated nor lost by a transfer that keeps the expiry', async () => {
    await using catalogue = await openCatalogue();
    const { license, policy } = await withLicense(catalogue, 60);
    const other = await catalogue.policy(
      { ...(await catalogue.product(catalogue.operator(), 'x')), id: policy.productId },
      { durationDays: 60 },
    );
    catalogue.storage.clock.advance(30 * DAY);
    const request = { id: license.id, ...ANY, keepExpiry: true };
    await transferLicense(catalogue.deps, catalogue.operator(), { ...request, policyId: other.id });
    await sweep(catalogue);
    await transferLicense(catalogue.deps, catalogue.operator(), { ...request, policyId: policy.id });
    await sweep(catalogue);
    expect(told(catalogue)).toEqual([30]);
  });

  it('rest while a licence is suspended or deleted, and go on with the next when it comes back', async () => {
    await using catalogue = await openCatalogue();
    const { license, policy } = await withLicense(catalogue, 60);
    const gone = await catalogue.license(policy);
    const { deps, operator, storage } = catalogue;
    await changeStatus(deps, operator(), { id: license.id, ...ANY, action: 'suspend' });
    await deleteLicense(deps, operator(), { id: gone.id, ...ANY });
    storage.clock.advance(40 * DAY);
    await sweep(catalogue);
    await changeStatus(deps, operator(), { id: license.id, ...ANY, action: 'reinstate' });
    await restoreLicense(deps, operator(), { id: gone.id, ...ANY, machines: false });
    await sweep(catalogue);
    expect(told(catalogue)).toEqual([]);
    storage.clock.advance(6 * DAY);
    await sweep(catalogue);
    expect([told(catalogue, license.id), told(catalogue, gone.id)]).toEqual([[14], [14]]);
  });

  it('are not told again when the clock is set back, and go on from there', async () => {
    await using catalogue = await openCatalogue();
    await withLicense(catalogue, 60);
    const { clock } = catalogue.storage;
    clock.advance(47 * DAY);
    await sweep(catalogue);
    clock.setWall(clock.wall() - 20 * DAY);
    for (let days = 0; days < 33; days += 1) {
      await sweep(catalogue);
      clock.advance(DAY);
    }
    expect(told(catalogue)).toEqual([14, 7, 1]);
  });

  it('stay due when the unit that tells them is thrown away', async () => {
    await using catalogue = await openCatalogue();
    await withLicense(catalogue, 60);
    catalogue.storage.clock.advance(31 * DAY);
    const { native } = catalogue.storage.database;
    native.exec("CREATE TRIGGER broken BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END");
    await expect(sweep(catalogue)).rejects.toThrow('no');
    native.exec('DROP TRIGGER broken');
    expect([await sweep(catalogue), await sweep(catalogue)]).toEqual([1, 0]);
  });

  it('reach every licence of a realm that has many', async () => {
    await using catalogue = await openCatalogue();
    const { policy } = await withLicense(catalogue, 60);
    await Promise.all(Array.from({ length: 120 }, () => catalogue.license(policy)));
    catalogue.storage.clock.advance(31 * DAY);
    expect(await sweep(catalogue)).toBe(121);
    expect(told(catalogue)).toHaveLength(121);
  });
});

describe('what a killed process leaves', () => {
  /** The files as they stand on disk while the process still has them open: what `kill -9` leaves behind. */
  function asKilled({ storage }: Catalogue): string {
    const directory = mkdtempSync(join(tmpdir(), 'mintmark-killed-'));
    cpSync(storage.directory, directory, { recursive: true });
    return directory;
  }

  it('is gone on with: each notice and each expiry is told once, before and after', async () => {
    const sealing = testSealing();
    await using first = await openCatalogue({ sealing });
    const { policy } = await withLicense(first, 60);
    await first.license(policy, { expiresAt: isoTime(first.storage.clock.wall() + 31 * DAY) });
    const elapsed = 31 * DAY + MINUTE;
    first.storage.clock.advance(elapsed);
    const before = asKilled(first);
    await sweep(first);
    await expireLicenses(first.deps, first.storage.acme.live);
    const after = asKilled(first);
    for (const directory of [before, after]) {
      await using next = await openCatalogue({ directory, sealing });
      next.storage.clock.advance(elapsed);
      await sweep(next);
      await expireLicenses(next.deps, next.storage.acme.live);
      expect(told(next)).toEqual([30]);
      expect(next.events().filter((type) => type === 'license.expired')).toHaveLength(1);
    }
    for (const directory of [before, after]) rmSync(directory, { recursive: true });
  });
});
