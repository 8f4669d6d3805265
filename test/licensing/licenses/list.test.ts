import { describe, expect, it } from 'vitest';
import { DAY, isoTime } from '../../../src/lib/clock.ts';
import { expireLicenses } from '../../../src/licensing/licenses/expire.ts';
import { listLicenses, type ListLicenses } from '../../../src/licensing/licenses/show.ts';
import { changeStatus } from '../../../src/licensing/licenses/transition.ts';
import { createProduct } from '../../../src/licensing/products/create.ts';
import { type Catalogue, openCatalogue } from '../catalogue.ts';

const NEWEST = { by: 'createdAt', descending: true, after: Number.MAX_SAFE_INTEGER } as const;
const SOONEST = { by: 'expiresAt', descending: false, after: null, until: null } as const;

/** Ids that a list shows, as numbers of creation. */
function shown(catalogue: Catalogue, ids: readonly string[], asked: Partial<ListLicenses>): number[] {
  const rows = listLicenses(catalogue.deps, catalogue.operator(), { order: NEWEST, limit: 50, ...asked });
  return rows.map(({ view }) => ids.indexOf(view.id));
}

/** Five licences: 0 perpetual, 1 and 2 expire after 1 and 2 days, 3 is suspended, 4 is under another policy. */
async function five(catalogue: Catalogue) {
  const { storage, deps, operator } = catalogue;
  const product = await catalogue.product();
  const policy = await catalogue.policy(product);
  const other = await catalogue.policy(product);
  const after = (days: number) => isoTime(storage.clock.wall() + days * DAY);
  const licenses = [
    await catalogue.license(policy, { userEmail: 'Jane@acme.example' }),
    await catalogue.license(policy, { expiresAt: after(1) }),
    await catalogue.license(policy, { expiresAt: after(2) }),
    await catalogue.license(policy, { expiresAt: after(9) }),
    await catalogue.license(other, { expiresAt: after(2) }),
  ];
  const ids = licenses.map(({ id }) => id);
  await changeStatus(deps, operator(), { id: ids[3] ?? '', versions: null, action: 'suspend' });
  return { ids, product, policy, other };
}

describe('the list of licences', () => {
  it('filters by product, policy, status and address, newest first', async () => {
    await using catalogue = await openCatalogue();
    const { ids, product, other } = await five(catalogue);
    expect(shown(catalogue, ids, {})).toEqual([4, 3, 2, 1, 0]);
    expect(shown(catalogue, ids, { productId: product.id })).toHaveLength(5);
    expect(shown(catalogue, ids, { productId: 'prod_none' })).toEqual([]);
    expect(shown(catalogue, ids, { policyId: other.id })).toEqual([4]);
    expect(shown(catalogue, ids, { status: 'suspended' })).toEqual([3]);
    expect(shown(catalogue, ids, { userEmail: 'jane@ACME.example' })).toEqual([0]);
    expect(shown(catalogue, ids, { userEmail: 'jane@acme.example', status: 'suspended' })).toEqual([]);
  });

  it('counts what has expired by now as expired, before and after the sweep', async () => {
    await using catalogue = await openCatalogue();
    const { ids } = await five(catalogue);
    catalogue.storage.clock.advance(DAY);
    await expireLicenses(catalogue.deps, catalogue.storage.acme.live);
    catalogue.storage.clock.advance(DAY);
    for (const _ of ['before', 'after']) {
      expect(shown(catalogue, ids, { status: 'expired' })).toEqual([4, 2, 1]);
      expect(shown(catalogue, ids, { status: 'active' })).toEqual([0]);
      expect(shown(catalogue, ids, { status: 'expired', limit: 2 })).toEqual([4, 2]);
      await expireLicenses(catalogue.deps, catalogue.storage.acme.live);
    }
  });

  it('sorts by expiry when only what expires before a time is wanted', async () => {
    await using catalogue = await openCatalogue();
    const { ids } = await five(catalogue);
    const until = catalogue.storage.clock.wall() + 5 * DAY;
    const order = { ...SOONEST, until } as const;
    expect(shown(catalogue, ids, { order })).toEqual([1, 2, 4]);
    const reader = listLicenses(catalogue.deps, catalogue.operator(), { order, limit: 2 });
    const last = reader.at(-1);
    const after = [last?.expiresAt ?? 0, last?.seq ?? 0] as const;
    expect(shown(catalogue, ids, { order: { ...order, after } })).toEqual([4]);
  });

  it('shows every licence once, whatever the size of its pages', async () => {
    await using catalogue = await openCatalogue();
    const { ids } = await five(catalogue);
    for (const limit of [1, 2, 3]) {
      const seen: number[] = [];
      let after: number = NEWEST.after;
      for (let page = 0; page < 6; page++) {
        const order = { ...NEWEST, after } as const;
        const rows = listLicenses(catalogue.deps, catalogue.operator(), { order, limit });
        seen.push(...rows.map(({ view }) => ids.indexOf(view.id)));
        after = rows.at(-1)?.seq ?? 0;
      }
      expect(seen).toEqual([4, 3, 2, 1, 0]);
    }
  });

  it('costs the same statements for one row as for fifty', async () => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product());
    await catalogue.license(policy);
    const cost = () => {
      catalogue.statements();
      shown(catalogue, [], {});
      return catalogue.statements();
    };
    cost();
    const forOne = cost();
    await Promise.all(Array.from({ length: 49 }, () => catalogue.license(policy)));
    expect([forOne, cost()]).toEqual([2, 2]);
  });

  it('adds the uses that are not on disk yet', async () => {
    await using catalogue = await openCatalogue();
    const { deps, storage } = catalogue;
    const { id } = await catalogue.license(await catalogue.policy(await catalogue.product()));
    deps.licenseUsage.add(storage.acme.live, id, { uses: 3, validations: 4, at: storage.clock.wall() });
    const [row] = listLicenses(deps, catalogue.operator(), { order: NEWEST, limit: 1 });
    expect(row?.view).toMatchObject({ usesCount: 3, lastValidatedAt: isoTime(storage.clock.wall()) });
  });

  it('of one realm is empty in another', async () => {
    await using catalogue = await openCatalogue();
    await five(catalogue);
    const { deps, operator, storage } = catalogue;
    const until = storage.clock.wall() + 99 * DAY;
    for (const realm of [storage.acme.test, storage.globex.live]) {
      for (const order of [NEWEST, { ...SOONEST, until } as const]) {
        expect(listLicenses(deps, operator(realm), { order, limit: 50 })).toEqual([]);
      }
    }
  });

  it('searches by an index for every combination of its filters, in every order', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const product = await createProduct(deps, operator(), {
      code: 'x',
      name: 'X',
      indexedMetadata: ['plan', 'eu'],
    });
    const policy = await catalogue.policy(product);
    const plans: { sql: string; steps: string[] }[] = [];
    const native = storage.database.native;
    const prepare = native.prepare.bind(native);
    native.prepare = (sql: string) => {
      if (/^select/u.test(sql)) {
        const values = Array.from({ length: (sql.match(/\?/gu) ?? []).length }, () => null);
        const rows = prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values) as { detail: string }[];
        plans.push({ sql, steps: rows.map(({ detail }) => detail) });
      }
      return prepare(sql);
    };
    const until = storage.clock.wall() + DAY;
    const orders: ListLicenses['order'][] = [
      NEWEST,
      { ...NEWEST, descending: false, after: 0 },
      SOONEST,
      { ...SOONEST, until },
      { ...SOONEST, after: [1, 1] },
      { ...SOONEST, descending: true },
      { ...SOONEST, descending: true, after: ['never', 1] },
    ];
    const plan = { name: 'plan', value: 'pro' };
    const choices: Partial<ListLicenses>[][] = [
      [{}, { productId: product.id }],
      [{}, { policyId: policy.id }],
      [{}, { status: 'active' }, { status: 'expired' }, { status: 'suspended' }],
      [{}, { userEmail: 'jane@acme.example' }],
      [{}, { metadata: [plan] }, { metadata: [plan, { name: 'eu', value: 'yes' }] }],
    ];
    const filters = choices.reduce<Partial<ListLicenses>[]>(
      (all, some) => all.flatMap((one) => some.map((other) => ({ ...one, ...other }))),
      [{}],
    );
    for (const order of orders) {
      for (const filter of filters) shown(catalogue, [], { ...filter, order });
      shown(catalogue, [], { order: NEWEST, deleted: true });
      shown(catalogue, [], { order: NEWEST, deleted: true, productId: product.id, userEmail: 'a@b.c' });
    }
    expect(filters).toHaveLength(96);
    expect(plans.length).toBeGreaterThan(300);
    expect(plans.filter(({ steps }) => steps.some((step) => step.startsWith('SCAN')))).toEqual([]);
  });

  it.each([
    ['nothing', {}],
    ['a product', { productId: 'p' }],
    ['a policy', { policyId: 'p' }],
    ['a status', { status: 'suspended' }],
    ['an indexed key', { metadata: [{ name: 'plan', value: 'pro' }] }],
    ['expiry', { order: SOONEST }],
    ['expiry, latest first', { order: { ...SOONEST, descending: true } }],
  ] as [string, Partial<ListLicenses>][])('reads a page by %s without sorting', async (_what, filter) => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    await createProduct(deps, operator(), { code: 'x', name: 'X', indexedMetadata: ['plan'] });
    const steps: string[] = [];
    const native = storage.database.native;
    const prepare = native.prepare.bind(native);
    native.prepare = (sql: string) => {
      if (/^select .*"licenses" as "l"/u.test(sql)) {
        const values = Array.from({ length: (sql.match(/\?/gu) ?? []).length }, () => null);
        const rows = prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values) as { detail: string }[];
        steps.push(...rows.map(({ detail }) => detail));
      }
      return prepare(sql);
    };
    shown(catalogue, [], filter);
    expect(steps.length).toBeGreaterThan(0);
    expect(steps.filter((step) => step.includes('TEMP B-TREE'))).toEqual([]);
  });
});
