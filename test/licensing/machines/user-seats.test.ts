import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkoutLicense } from '../../../src/issuing/checkout.ts';
import { DAY } from '../../../src/lib/clock.ts';
import { transferLicense } from '../../../src/licensing/licenses/transfer.ts';
import { deactivateMachine } from '../../../src/licensing/machines/deactivate.ts';
import { updateMachine } from '../../../src/licensing/machines/update.ts';
import { updatePolicy } from '../../../src/licensing/policies/update.ts';
import { validateLicense } from '../../../src/licensing/validation/validate.ts';
import { assertInvariants } from '../../support/invariants.ts';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

const print = (i: number): string => `machine-${String(i)}-of-many`;
const user = (i: number): string => `user${String(i)}@acme.example`;
const PER_USER = { machineLeasing: 'PER_USER', maxMachines: 2 } as const;
const ANY = { versions: null };
const FILE = { ttlSeconds: 86_400, encrypt: true, signed: null, raw: false, form: 'file' } as const;

const seats = (shop: Shop): unknown[] =>
  shop
    .rows('SELECT seats FROM license_user_seats ORDER BY seats')
    .map((row) => (row as { seats: number }).seats);

const activate = (shop: Shop, licenseId: string, machine: { print: string; user?: string }) =>
  shop.activate(licenseId, machine.print, machine.user === undefined ? {} : { userEmail: machine.user });

const move = (shop: Shop, id: string, userEmail: string | null) =>
  updateMachine(shop.deps, shop.operator(), { id, ...ANY, change: { userEmail }, signed: null });

const remove = (shop: Shop, id: string) =>
  deactivateMachine(shop.deps, shop.operator(), { id, ...ANY, signed: null });

interface Step {
  readonly do: 'activate' | 'move' | 'remove' | 'checkout' | 'wait';
  readonly machine: number;
  readonly who: number;
  readonly licenseId: string;
  /** A living machine of the licence, if there is one. */
  readonly id: string;
}

/** What a step may come to; anything else is an error of ours. */
const EXPECTED = ['done', 'NOT_FOUND', 'MACHINE_LIMIT_EXCEEDED'];

async function take(shop: Shop, { do: act, machine, who, licenseId, id }: Step): Promise<unknown> {
  const file = {
    licenseId,
    fingerprint: print(machine),
    components: undefined,
    userEmail: user(who),
    ...FILE,
  };
  switch (act) {
    case 'activate':
      return activate(shop, licenseId, { print: print(machine), user: user(who) });
    case 'move':
      return move(shop, id, user(who));
    case 'remove':
      return remove(shop, id);
    case 'checkout':
      return checkoutLicense(shop.deps, shop.operator(), file);
    case 'wait':
      shop.clock.advance(DAY / 2);
      return null;
  }
}

describe('seats per user', () => {
  it('are counted for each user by himself', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell(PER_USER);
    for (const i of [0, 1]) await activate(shop, license.id, { print: print(i), user: user(1) });
    const third = activate(shop, license.id, { print: print(2), user: user(1) });
    await expect(third).rejects.toMatchObject({
      code: 'MACHINE_LIMIT_EXCEEDED',
      message: expect.stringContaining('for this user') as string,
    });
    await activate(shop, license.id, { print: print(2), user: user(2) });
    expect(seats(shop)).toEqual([1, 2]);
    expect(shop.row('SELECT seats FROM license_seats')).toEqual({ seats: 3 });
  });

  it('need a user, in an activation and in a checkout that activates', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell(PER_USER);
    const named = { code: 'VALIDATION_FAILED', errors: [{ path: 'userEmail', code: 'REQUIRED' }] };
    await expect(activate(shop, license.id, { print: print(0) })).rejects.toMatchObject(named);
    const asked = { licenseId: license.id, fingerprint: print(0), components: undefined };
    await expect(checkoutLicense(shop.deps, shop.operator(), { ...asked, ...FILE })).rejects.toMatchObject(
      named,
    );
    expect(shop.row('SELECT count(*) AS machines FROM machines')).toEqual({ machines: 0 });
    await checkoutLicense(shop.deps, shop.operator(), { ...asked, ...FILE, userEmail: user(1) });
    expect(seats(shop)).toEqual([1]);
  });

  it('take an address for the same in any case and around blanks', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell(PER_USER);
    await activate(shop, license.id, { print: print(0), user: 'Jane@Acme.example' });
    await activate(shop, license.id, { print: print(1), user: 'jane@acme.EXAMPLE' });
    expect(await outcomeOf(activate(shop, license.id, { print: print(2), user: 'JANE@acme.example' }))).toBe(
      'MACHINE_LIMIT_EXCEEDED',
    );
  });

  it('keep no address readable in the database', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell(PER_USER);
    await activate(shop, license.id, { print: print(0), user: user(1) });
    const rows = JSON.stringify([
      ...shop.rows('SELECT * FROM machines'),
      ...shop.rows('SELECT * FROM license_user_seats'),
      ...shop.rows('SELECT CAST(bytes AS TEXT) FROM ledger_entries'),
      ...shop.rows('SELECT CAST(body AS TEXT) FROM events'),
    ]);
    expect(rows).not.toContain(user(1));
    expect(rows).not.toContain(JSON.stringify([...Buffer.from(user(1))]).slice(1, -1));
  });

  it('give callers at the same moment what each user has, never one more', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ ...PER_USER, overageStrategy: 'ALLOW_1_5X' });
    const callers = Array.from({ length: 40 }, (_, i) =>
      outcomeOf(activate(shop, license.id, { print: print(i), user: user(i % 4) })),
    );
    const outcomes = await Promise.all(callers);
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(12);
    expect(seats(shop)).toEqual([3, 3, 3, 3]);
  });

  it('move with the address of a machine, if the other user has a free one', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell(PER_USER);
    const { machine } = await activate(shop, license.id, { print: print(0), user: user(1) });
    for (const i of [1, 2]) await activate(shop, license.id, { print: print(i), user: user(2) });
    expect(await outcomeOf(move(shop, machine.id, user(2)))).toBe('MACHINE_LIMIT_EXCEEDED');
    expect(shop.events().at(-1)).toBe('license.limit_reached');
    expect(seats(shop)).toEqual([1, 2]);
    expect((await move(shop, machine.id, user(3))).view.userEmail).toBe(user(3));
    expect(seats(shop)).toEqual([1, 2]);
    await expect(move(shop, machine.id, null)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  });

  it('stay where they are when something else of the machine changes', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell(PER_USER);
    const { machine } = await activate(shop, license.id, { print: print(0), user: user(1) });
    const change = { hostname: 'press-4' };
    await updateMachine(shop.deps, shop.operator(), { id: machine.id, ...ANY, change, signed: null });
    expect(seats(shop)).toEqual([1]);
  });

  it('are said of in a validation by the user of the machine', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ ...PER_USER, maxMachines: 1, overageStrategy: 'ALLOW_2X' });
    for (const i of [0, 1]) await activate(shop, license.id, { print: print(i), user: user(1) });
    await activate(shop, license.id, { print: print(2), user: user(2) });
    const ask = async (i: number) => {
      const input = { fingerprint: print(i) };
      return (await validateLicense(shop.deps, shop.operator(), { id: license.id, input })).code;
    };
    expect([await ask(0), await ask(2)]).toEqual(['MACHINE_LIMIT_EXCEEDED', 'VALID']);
  });

  it('stay taken by the user while a file of a removed machine is good', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ ...PER_USER, maxMachines: 1 });
    const asked = {
      licenseId: license.id,
      fingerprint: print(0),
      components: undefined,
      userEmail: user(1),
      ...FILE,
    };
    const { machineId } = await checkoutLicense(shop.deps, shop.operator(), asked);
    await remove(shop, String(machineId));
    expect(seats(shop)).toEqual([1]);
    expect(await outcomeOf(activate(shop, license.id, { print: print(1), user: user(1) }))).toBe(
      'MACHINE_LIMIT_EXCEEDED',
    );
    // The same machine under another user moves the seat that it holds.
    const { machine } = await activate(shop, license.id, { print: print(0), user: user(2) });
    expect((await activate(shop, license.id, { print: print(1), user: user(1) })).created).toBe(true);
    await remove(shop, machine.id);
    shop.clock.advance(DAY + 1);
    expect((await activate(shop, license.id, { print: print(2), user: user(2) })).created).toBe(true);
  });

  it('are right at once when a policy begins or ceases to count them, and after a transfer', async () => {
    await using shop = await openShop();
    const { license, policy, product } = await shop.sell({ maxMachines: 3 });
    for (const i of [0, 1]) await activate(shop, license.id, { print: print(i), user: user(1) });
    await activate(shop, license.id, { print: print(2) });
    const leasing = (machineLeasing: 'PER_USER' | 'PER_LICENSE') =>
      updatePolicy(shop.deps, shop.operator(), {
        id: policy.id,
        ...ANY,
        change: { machineLeasing, maxMachines: 2 },
      });
    await leasing('PER_USER');
    expect(await outcomeOf(activate(shop, license.id, { print: print(3), user: user(1) }))).toBe(
      'MACHINE_LIMIT_EXCEEDED',
    );
    expect(await outcomeOf(activate(shop, license.id, { print: print(3), user: user(2) }))).toBe('done');
    await leasing('PER_LICENSE');
    expect(await outcomeOf(activate(shop, license.id, { print: print(4), user: user(3) }))).toBe(
      'MACHINE_LIMIT_EXCEEDED',
    );
    const perUser = await shop.policy(product.id, PER_USER);
    const to = { id: license.id, ...ANY, policyId: perUser.id, keepExpiry: true };
    await transferLicense(shop.deps, shop.operator(), to);
    expect(await outcomeOf(activate(shop, license.id, { print: print(4), user: user(3) }))).toBe('done');
    expect(seats(shop)).toEqual([1, 1, 2]);
  });

  it('are the machines there are, after whatever happened in whatever order', async () => {
    await using shop = await openShop();
    const machine = fc.integer({ min: 0, max: 5 });
    const who = fc.integer({ min: 0, max: 2 });
    const acts = fc.constantFrom<Step['do']>('activate', 'activate', 'move', 'remove', 'checkout', 'wait');
    const step = fc.record({ do: acts, machine, who });
    const leasings = fc.constantFrom('PER_USER' as const, 'PER_LICENSE' as const);
    await fc.assert(
      fc.asyncProperty(
        leasings,
        fc.array(step, { minLength: 5, maxLength: 25 }),
        async (machineLeasing, steps) => {
          const { license } = await shop.sell({ machineLeasing, maxMachines: 2 });
          const living = (i: number) =>
            shop.row(
              'SELECT id FROM machines WHERE license_id = ? AND deleted_at IS NULL ORDER BY seq LIMIT 1 OFFSET ?',
              ...[license.id, i % 3],
            ) as { readonly id: string } | undefined;
          for (const taken of steps) {
            const id = living(taken.machine)?.id ?? 'mach_none';
            expect(EXPECTED).toContain(await outcomeOf(take(shop, { ...taken, licenseId: license.id, id })));
          }
          assertInvariants(shop.storage.database);
          const most = machineLeasing === 'PER_USER' ? 'license_user_seats' : 'license_seats';
          const found = shop.row(`SELECT max(seats) AS most FROM ${most} WHERE license_id = ?`, license.id);
          expect((found as { most: number | null }).most ?? 0).toBeLessThanOrEqual(2);
        },
      ),
      { numRuns: 15 },
    );
  });
});
