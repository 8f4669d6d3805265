import { describe, expect, it } from 'vitest';
import type { Permit } from '../../src/access/index.ts';
import { Fault } from '../../src/faults.ts';
import { DAY, HOUR } from '../../src/lib/clock.ts';
import { checkoutLicense } from '../../src/issuing/index.ts';
import { activateMachine } from '../../src/licensing/machines/activate.ts';
import type { PolicyInput } from '../../src/licensing/policies/policy-schema.ts';
import { validateLicense } from '../../src/licensing/validation/validate.ts';
import { openShop, outcomeOf, type Shop } from '../licensing/shop.ts';

const PLAIN = { ttlSeconds: undefined, form: 'file', encrypt: true, signed: null, raw: false } as const;
const UNBOUND = { requireFingerprint: false };
/** Files a day of a licence with one seat, as checkout-limits.ts has it: 20, and 30 for the seat. */
const ONE_SEAT = 50;

interface Buyer {
  readonly id: string;
  readonly permit: Permit;
}

async function sell(shop: Shop, settings: Partial<PolicyInput> = {}): Promise<Buyer> {
  const { license } = await shop.sell({ ...UNBOUND, maxMachines: 1, ...settings });
  return { id: license.id, permit: shop.holder(license.id) };
}

/** `issued`, or the code of the refusal. */
async function checkout(shop: Shop, { id, permit }: Buyer, fingerprint: string | null = null) {
  const request = { licenseId: id, fingerprint, components: undefined, ...PLAIN };
  try {
    await checkoutLicense(shop.deps, permit, request);
    return 'issued';
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
}

/** Checks out again and again; how often which answer came. */
async function many(shop: Shop, buyer: Buyer, count: number): Promise<Record<string, number>> {
  const answers = await Promise.all(Array.from({ length: count }, () => checkout(shop, buyer)));
  return Object.fromEntries(
    [...new Set(answers)].map((answer) => [answer, answers.filter((one) => one === answer).length]),
  );
}

/** Rows of everything that grows. */
function rowsOf(shop: Shop): Record<string, unknown> {
  const tables = [
    'issued_files',
    'ledger_entries',
    'events',
    'machines',
    'license_fingerprints',
    'day_counts',
  ];
  const counts = tables.map((table) => [table, shop.row(`SELECT count(*) AS rows FROM ${table}`)] as const);
  return Object.fromEntries(counts);
}

describe('files for the holder of a licence', () => {
  it('end for the day at 20 and 30 for each seat, however many ask at once', async () => {
    await using shop = await openShop();
    const buyer = await sell(shop);
    expect(await many(shop, buyer, ONE_SEAT + 15)).toEqual({ issued: ONE_SEAT, FILE_LIMIT_EXCEEDED: 15 });
    expect(shop.row('SELECT count(*) AS files FROM issued_files')).toEqual({ files: ONE_SEAT });
  });

  it('begin again at midnight UTC, as the refusal says', async () => {
    await using shop = await openShop();
    const buyer = await sell(shop);
    const midnight = (Math.floor(shop.clock.wall() / DAY) + 1) * DAY;
    shop.clock.advance(midnight - HOUR - shop.clock.wall());
    await many(shop, buyer, ONE_SEAT);
    const request = { licenseId: buyer.id, fingerprint: null, components: undefined, ...PLAIN };
    const refused = checkoutLicense(shop.deps, buyer.permit, request);
    await expect(refused).rejects.toMatchObject({
      code: 'FILE_LIMIT_EXCEEDED',
      message: `the holder of licence ${buyer.id} may have ${String(ONE_SEAT)} files a day, and has had them; the next day begins at ${new Date(midnight).toISOString()}`,
      retryAfterMs: HOUR,
    });
    shop.clock.advance(HOUR - 1);
    expect(await checkout(shop, buyer)).toBe('FILE_LIMIT_EXCEEDED');
    shop.clock.advance(1);
    expect(await many(shop, buyer, ONE_SEAT + 1)).toEqual({ issued: ONE_SEAT, FILE_LIMIT_EXCEEDED: 1 });
  });

  it('do not count what the publisher takes for him, and do not limit it', async () => {
    await using shop = await openShop();
    const buyer = await sell(shop);
    for (const permit of [shop.secretKey(['licenses:checkout']), shop.operator()]) {
      expect(await many(shop, { ...buyer, permit }, ONE_SEAT + 5)).toEqual({ issued: ONE_SEAT + 5 });
    }
    expect(await many(shop, buyer, ONE_SEAT + 1)).toEqual({ issued: ONE_SEAT, FILE_LIMIT_EXCEEDED: 1 });
    const publisher = { ...buyer, permit: shop.secretKey(['licenses:checkout']) };
    expect(await checkout(shop, publisher)).toBe('issued');
  });

  it('count for other callers than the publisher, whoever they are', async () => {
    await using shop = await openShop();
    const buyer = await sell(shop);
    await many(shop, buyer, ONE_SEAT);
    expect(await checkout(shop, { ...buyer, permit: shop.publishableKey() })).toBe('FILE_LIMIT_EXCEEDED');
  });

  it('are refused without growing anything but one entry and one event a day', async () => {
    await using shop = await openShop();
    const buyer = await sell(shop);
    await many(shop, buyer, ONE_SEAT);
    const before = rowsOf(shop);
    const [actions, events] = [shop.actions().length, shop.events().length];
    expect(await many(shop, buyer, 10)).toEqual({ FILE_LIMIT_EXCEEDED: 10 });
    expect([shop.actions().slice(actions), shop.events().slice(events)]).toEqual([
      ['license.file_issued'],
      ['license.limit_reached'],
    ]);
    const told = rowsOf(shop);
    expect({ ...told, ledger_entries: null, events: null }).toEqual({
      ...before,
      ledger_entries: null,
      events: null,
    });
    const numbers = shop.deps.fileNumbers.next();
    // Unknown machines too: none of them is activated for a file that is refused.
    for (let i = 0; i < 10; i++) expect(await checkout(shop, buyer, `print-${String(i)}`)).not.toBe('issued');
    expect(await many(shop, buyer, 40)).toEqual({ FILE_LIMIT_EXCEEDED: 40 });
    expect(rowsOf(shop)).toEqual(told);
    // Nothing was signed either: no number was given to a file that nobody got.
    expect(shop.deps.fileNumbers.next()).toBe(numbers + 1);
    shop.clock.advance(DAY);
    await many(shop, buyer, ONE_SEAT + 20);
    expect(shop.events().filter((type) => type === 'license.limit_reached')).toHaveLength(2);
  });

  it('are refused before the machine they are for is activated', async () => {
    await using shop = await openShop();
    const buyer = await sell(shop);
    await many(shop, buyer, ONE_SEAT);
    expect(await checkout(shop, buyer, 'a-machine-of-ours')).toBe('FILE_LIMIT_EXCEEDED');
    expect(shop.row('SELECT count(*) AS rows FROM machines')).toEqual({ rows: 0 });
  });

  it('are counted for each licence by itself, and leave validation alone', async () => {
    await using shop = await openShop();
    const [one, other] = [await sell(shop), await sell(shop)];
    await many(shop, one, ONE_SEAT + 1);
    expect(await checkout(shop, other)).toBe('issued');
    const answer = await validateLicense(shop.deps, one.permit, { id: one.id, input: {} });
    expect(answer).toMatchObject({ valid: true });
  });

  it.each<[string, Partial<PolicyInput>, number]>([
    [
      'seats beyond the limit that the policy gives count',
      { maxMachines: 2, overageStrategy: 'ALLOW_2X' },
      140,
    ],
    ['a licence without a limit of seats has those that are taken', { overageStrategy: 'ALWAYS_ALLOW' }, 20],
    ['seats per user count when they are taken', { maxMachines: 2, machineLeasing: 'PER_USER' }, 20],
  ])('%s', async (_, settings, limit) => {
    await using shop = await openShop();
    const buyer = await sell(shop, settings);
    expect(await many(shop, buyer, limit + 1)).toEqual({ issued: limit, FILE_LIMIT_EXCEEDED: 1 });
  });

  it('of a licence without a limit of seats grow with the seats that are taken', async () => {
    await using shop = await openShop();
    const buyer = await sell(shop, { overageStrategy: 'ALWAYS_ALLOW' });
    await shop.activate(buyer.id, 'a-machine-of-ours');
    expect(await many(shop, buyer, ONE_SEAT + 1)).toEqual({ issued: ONE_SEAT, FILE_LIMIT_EXCEEDED: 1 });
  });

  it('count no more than 1000 seats that nobody has taken', async () => {
    await using shop = await openShop();
    const buyer = await sell(shop, { maxMachines: 1_000_000 });
    await checkout(shop, buyer);
    const { native } = shop.storage.database;
    native.prepare('UPDATE license_usage SET files_today = ? WHERE license_id = ?').run(30_019, buyer.id);
    expect(await many(shop, buyer, 2)).toEqual({ issued: 1, FILE_LIMIT_EXCEEDED: 1 });
  });
});

describe('files of a tenant', () => {
  it('end for the day at its limit, for everybody, and begin again the next day', async () => {
    await using shop = await openShop();
    const [one, other] = [await sell(shop), await sell(shop)];
    shop.storage.database.native.exec("UPDATE tenants SET max_files_per_day = 5 WHERE code = 'acme'");
    expect(await many(shop, { ...one, permit: shop.operator() }, 9)).toEqual({ issued: 5, TENANT_LIMIT: 4 });
    expect(shop.events().filter((type) => type === 'tenant.limit_reached')).toHaveLength(1);
    const rows = rowsOf(shop);
    for (const permit of [other.permit, shop.secretKey(['licenses:checkout'])]) {
      expect(await many(shop, { ...other, permit }, 3)).toEqual({ TENANT_LIMIT: 3 });
    }
    expect(rowsOf(shop)).toEqual(rows);
    shop.clock.advance(DAY);
    expect(await many(shop, { ...other, permit: shop.operator() }, 6)).toEqual({
      issued: 5,
      TENANT_LIMIT: 1,
    });
    expect(shop.events().filter((type) => type === 'tenant.limit_reached')).toHaveLength(2);
  });

  it('leave a quarter to who had few when one licence asks for all, and half of that to the publisher', async () => {
    await using shop = await openShop();
    const [loud, quiet, third] = [await sell(shop), await sell(shop), await sell(shop)];
    shop.storage.database.native.exec("UPDATE tenants SET max_files_per_day = 40 WHERE code = 'acme'");
    const actions = shop.actions().length;
    expect(await many(shop, loud, 45)).toEqual({ issued: 30, TENANT_LIMIT: 15 });
    expect(shop.events().filter((type) => type === 'tenant.limit_reached')).toHaveLength(1);
    expect(
      shop
        .actions()
        .slice(actions)
        .filter((action) => action === 'license.file_issued'),
    ).toHaveLength(31);
    const [rows, number] = [rowsOf(shop), shop.deps.fileNumbers.next()];
    expect(await many(shop, loud, 5)).toEqual({ TENANT_LIMIT: 5 });
    expect([rowsOf(shop), shop.deps.fileNumbers.next()]).toEqual([rows, number + 1]);
    expect(await many(shop, quiet, 5)).toEqual({ issued: 3, TENANT_LIMIT: 2 });
    for (const more of [third, await sell(shop)]) await many(shop, more, 3);
    expect(shop.row('SELECT count(*) AS files FROM issued_files')).toEqual({ files: 35 });
    expect(await checkout(shop, await sell(shop))).toBe('TENANT_LIMIT');
    const publisher = { ...loud, permit: shop.secretKey(['licenses:checkout']) };
    expect(await many(shop, publisher, 6)).toEqual({ issued: 5, TENANT_LIMIT: 1 });
    expect(shop.events().filter((type) => type === 'tenant.limit_reached')).toHaveLength(1);
  });

  it('and machines end for holders before the last tenth of its records, which is the publisher’s', async () => {
    await using shop = await openShop();
    const buyer = await sell(shop);
    for (let i = 0; i < 30; i++) await sell(shop);
    const { native } = shop.storage.database;
    const records = Number(
      native.prepare('SELECT records FROM realm_counters WHERE realm_id = ?').pluck().get(shop.acme.live),
    );
    const most = Math.floor(records / 0.9) - 2;
    native.prepare("UPDATE tenants SET max_records = ? WHERE code = 'acme'").run(most);
    const rows = rowsOf(shop);
    expect(await checkout(shop, buyer)).toBe('TENANT_LIMIT');
    expect(await checkout(shop, buyer, 'a-machine-of-ours')).toBe('TENANT_LIMIT');
    const input = { fingerprint: 'a-machine-of-ours' };
    const activate = (permit: Permit) =>
      outcomeOf(activateMachine(shop.deps, permit, { licenseId: buyer.id, input }));
    expect([await activate(buyer.permit), await activate(shop.publishableKey())]).toEqual([
      'TENANT_LIMIT',
      'TENANT_LIMIT',
    ]);
    expect(rowsOf(shop)).toEqual(rows);
    expect(await activate(shop.secretKey(['machines:write']))).toBe('done');
    expect(await checkout(shop, { ...buyer, permit: shop.operator() })).toBe('issued');
  });

  it('end when it has as many records as it may', async () => {
    await using shop = await openShop();
    const buyer = await sell(shop);
    const { native } = shop.storage.database;
    native.exec(
      `UPDATE tenants SET max_records = (SELECT records FROM realm_counters WHERE realm_id = ${String(shop.acme.live)})
       WHERE code = 'acme'`,
    );
    const rows = rowsOf(shop);
    expect(await many(shop, buyer, 3)).toEqual({ TENANT_LIMIT: 3 });
    expect(rowsOf(shop)).toEqual(rows);
    const answer = await validateLicense(shop.deps, buyer.permit, { id: buyer.id, input: {} });
    expect(answer).toMatchObject({ valid: true });
  });
});
