import { describe, expect, it } from 'vitest';
import { DAY, isoTime } from '../../../src/lib/clock.ts';
import { listLicenses, type ListLicenses } from '../../../src/licensing/licenses/show.ts';
import { listMachines } from '../../../src/licensing/machines/show.ts';
import { type Catalogue, openCatalogue } from '../catalogue.ts';

const NEWEST = { by: 'createdAt', descending: true, after: Number.MAX_SAFE_INTEGER } as const;
const OLDEST = { by: 'createdAt', descending: false, after: 0 } as const;
const SOONEST = { by: 'expiresAt', descending: false, after: null, until: null } as const;
const LATEST = { ...SOONEST, descending: true } as const;
const PRODUCTS = 5;

/** Licences of several products, made in turn: every third has no end. */
async function stocked(catalogue: Catalogue): Promise<string[]> {
  const products: string[] = [];
  for (let number = 0; number < PRODUCTS; number++) {
    const product = await catalogue.product(undefined, `p${String(number)}`);
    const policy = await catalogue.policy(product);
    products.push(product.id);
    for (let made = 0; made < 3; made++) {
      const end = isoTime(catalogue.storage.clock.wall() + (1 + ((number * 7 + made * 5) % 9)) * DAY);
      await catalogue.license(policy, made === 2 ? {} : { expiresAt: end });
    }
  }
  return products;
}

/** What SQLite says it does, for every list that is read meanwhile. */
function plansOf(catalogue: Catalogue, read: () => unknown): string[] {
  const native = catalogue.storage.database.native;
  const prepare = native.prepare.bind(native);
  const steps: string[] = [];
  native.prepare = (sql: string) => {
    if (/^select .*"(licenses|machines)" as "[lm]"/u.test(sql)) {
      const values = Array.from({ length: (sql.match(/\?/gu) ?? []).length }, () => null);
      const rows = prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values) as { detail: string }[];
      steps.push(...rows.map(({ detail }) => detail));
    }
    return prepare(sql);
  };
  read();
  native.prepare = prepare;
  return steps;
}

/** What is sorted: the page itself may be, a product never. */
const sorts = (steps: readonly string[]): string[] => steps.filter((step) => step.includes('TEMP B-TREE'));

describe('a list of a key that is limited to products', () => {
  it.each([
    ['newest', { order: NEWEST }],
    ['oldest', { order: OLDEST }],
    ['soonest', { order: SOONEST }],
    ['latest', { order: LATEST }],
    ['active', { order: NEWEST, status: 'active' }],
    ['suspended', { order: OLDEST, status: 'suspended' }],
    ['expired', { order: NEWEST, status: 'expired' }],
  ] as [string, Pick<ListLicenses, 'order' | 'status'>][])(
    'takes as many statements for many products as for all, and shows the same: %s',
    async (_what, asked) => {
      await using catalogue = await openCatalogue();
      const products = await stocked(catalogue);
      catalogue.storage.clock.advance(2 * DAY);
      const read = (permit: ReturnType<Catalogue['key']>, limit: number): string[] =>
        listLicenses(catalogue.deps, permit, { ...asked, limit }).map(({ view }) => view.id);
      for (const limit of [1, 4, 50]) {
        const all = read(catalogue.key(), limit);
        catalogue.statements();
        read(catalogue.key(), limit);
        const forAll = catalogue.statements();
        expect(read(catalogue.key(undefined, products), limit)).toEqual(all);
        expect(catalogue.statements()).toBe(forAll);
      }
    },
  );

  it.each([
    ['newest', 'licenses_product', { order: NEWEST }],
    ['soonest', 'licenses_product_expiry', { order: SOONEST }],
    ['latest', 'licenses_product_expiry', { order: LATEST }],
    ['active', 'licenses_product_status', { order: NEWEST, status: 'active' }],
    ['banned', 'licenses_product_status', { order: OLDEST, status: 'banned' }],
  ] as [string, string, Pick<ListLicenses, 'order' | 'status'>][])(
    'merges its products in the order of their indexes, and sorts none of them: %s',
    async (_what, index, asked) => {
      await using catalogue = await openCatalogue();
      const products = await stocked(catalogue);
      const permit = catalogue.key(undefined, products);
      const steps = plansOf(catalogue, () => listLicenses(catalogue.deps, permit, { ...asked, limit: 100 }));
      const own = steps.filter((step) => step.includes(` ${index} (`));
      // By expiry, what has an end and what has none are read apart.
      expect(own.length % PRODUCTS).toBe(0);
      expect(own.length).toBeGreaterThan(0);
      const parts = own.length / PRODUCTS;
      expect(steps.filter((step) => step.startsWith('MERGE'))).toHaveLength(own.length - parts);
      expect(sorts(steps).length).toBeLessThanOrEqual(parts);
    },
  );

  it('of machines is merged as well', async () => {
    await using catalogue = await openCatalogue();
    const products = await stocked(catalogue);
    const permit = catalogue.key(undefined, products);
    const challenges = {} as never; // of no use to a list
    const deps = { ...catalogue.deps, challenges } as unknown as Parameters<typeof listMachines>[0];
    const page = { before: Number.MAX_SAFE_INTEGER, limit: 100 };
    const steps = plansOf(catalogue, () => listMachines(deps, permit, page));
    expect(steps.filter((step) => step.includes('machines_product'))).toHaveLength(PRODUCTS);
    expect(sorts(steps).length).toBeLessThanOrEqual(1);
  });

  it('shows a licence once when its key names the product twice', async () => {
    await using catalogue = await openCatalogue();
    const [product = ''] = await stocked(catalogue);
    const permit = catalogue.key(undefined, [product, product]);
    const rows = listLicenses(catalogue.deps, permit, { order: NEWEST, limit: 3 });
    expect(new Set(rows.map(({ view }) => view.id)).size).toBe(3);
  });
});
