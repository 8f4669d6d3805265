import { describe, expect, it } from 'vitest';
import { checkoutLicense } from '../../src/issuing/index.ts';
import { Fault } from '../../src/faults.ts';
import { openShop, outcomeOf, type Shop } from '../licensing/shop.ts';
import { DiskFaults } from '../support/disk-faults.ts';

const PRINT = 'a-machine-of-ours';

/** A checkout that has to activate its machine: the longest unit there is. */
const request = (licenseId: string) => ({
  ...{ licenseId, fingerprint: PRINT, components: { board: 'b-1' }, ttlSeconds: undefined },
  ...{ form: 'file' as const, encrypt: true, signed: null, raw: false },
});

/** Everything a checkout leaves behind. */
function traces(shop: Shop) {
  const count = (sql: string): unknown => shop.storage.database.native.prepare(sql).pluck().get();
  return {
    files: count('SELECT count(*) FROM issued_files'),
    machines: count('SELECT count(*) FROM machines'),
    components: count('SELECT count(*) FROM machine_components'),
    seats: count('SELECT coalesce(sum(seats), 0) FROM license_seats'),
    entries: shop.actions().filter((action) => /^machine\.|file_issued/.test(action)),
    events: shop.events().filter((type) => /^machine\.|file_issued/.test(type)),
    checkedOut: count('SELECT max(last_checked_out_at) FROM license_usage'),
  };
}

const NOTHING = { files: 0, machines: 0, components: 0, seats: 0, entries: [], events: [], checkedOut: null };
const both = ['machine.activated', 'license.file_issued'];
const ISSUED = { files: 1, machines: 1, components: 1, seats: 1, entries: both, events: both };

type Deps = Shop['deps'];
const died = new Error('the process died here');

/** Where it ends, what is done to make it end there, and what is on disk then. */
const POINTS: readonly {
  readonly point: string;
  readonly broken: (deps: Deps) => Partial<Deps>;
  readonly persisted: boolean;
}[] = [
  {
    point: 'before anything is prepared',
    broken: () => ({
      admit: () => {
        throw died;
      },
    }),
    persisted: false,
  },
  {
    point: 'while the bytes are prepared',
    broken: () => ({
      ledgerAnchor: () => {
        throw died;
      },
    }),
    persisted: false,
  },
  {
    point: 'while the custodian signs',
    broken: () => ({
      signer: Object.assign({}, { sign: () => Promise.reject(died) }) as unknown as Deps['signer'],
    }),
    persisted: false,
  },
  {
    point: 'after the signature, before the unit',
    broken: ({ work }) => ({
      work: Object.create(work, { run: { value: () => Promise.reject(died) } }) as Deps['work'],
    }),
    persisted: false,
  },
  {
    point: 'after the commit, before the answer',
    broken: ({ work }) => ({
      work: Object.create(work, {
        read: { value: work.read },
        run: {
          value: async (...args: Parameters<Deps['work']['run']>) => {
            await work.run(...args);
            throw died;
          },
        },
      }) as Deps['work'],
    }),
    persisted: true,
  },
];

describe('a checkout that ends before its time', () => {
  it.each(POINTS)('$point leaves all of it or nothing', async ({ broken, persisted }) => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 1 });
    const deps = { ...shop.deps, ...broken(shop.deps) };
    expect(await outcomeOf(checkoutLicense(deps, shop.operator(), request(license.id)))).toContain(
      'died here',
    );
    expect(traces(shop)).toMatchObject(persisted ? ISSUED : NOTHING);
    // Asked again: the machine is activated once whatever happened, and there is a file.
    await checkoutLicense(shop.deps, shop.operator(), request(license.id));
    expect(traces(shop)).toMatchObject({ machines: 1, seats: 1, files: persisted ? 2 : 1 });
  });

  it.each([
    'update "license_seats"',
    'insert into "realm_counters"',
    'insert into "machines"',
    'insert into "machine_usage"',
    'insert into "machine_components"',
    'insert into "issued_files"',
    'update "license_usage"',
    'update "machine_usage"',
    'insert into "ledger_entries"',
    'insert into "events"',
    'COMMIT',
  ])('at the statement %s leaves nothing', async (text) => {
    let faults: DiskFaults | undefined;
    const database = (path: string) => {
      faults = new DiskFaults(path);
      return faults.database;
    };
    await using shop = await openShop({ database });
    const { license } = await shop.sell({ maxMachines: 1 });
    const code = text === 'COMMIT' ? 'SQLITE_FULL' : 'SQLITE_CONSTRAINT_CHECK';
    faults?.failNext(new RegExp(text), code);
    const outcome = await outcomeOf(checkoutLicense(shop.deps, shop.operator(), request(license.id)));
    expect(outcome).toMatch(text === 'COMMIT' ? /^DISK_FULL$/ : /injected/);
    expect(traces(shop)).toEqual(NOTHING);
    shop.clock.advance(5000);
    await checkoutLicense(shop.deps, shop.operator(), request(license.id));
    expect(traces(shop)).toMatchObject(ISSUED);
  });

  it('by the limit of its credential leaves no machine behind either', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 1 });
    const over = { refused: new Fault('ISSUE_LIMIT', 'enough for today') };
    const deps = { ...shop.deps, countIssue: () => over };
    expect(await outcomeOf(checkoutLicense(deps, shop.operator(), request(license.id)))).toBe('ISSUE_LIMIT');
    expect(traces(shop)).toEqual(NOTHING);
  });
});
