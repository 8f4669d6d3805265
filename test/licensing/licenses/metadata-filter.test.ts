import { describe, expect, it } from 'vitest';
import { deleteLicense } from '../../../src/licensing/licenses/delete.ts';
import { indexMetadata } from '../../../src/licensing/licenses/index-metadata.ts';
import { indexableText } from '../../../src/licensing/licenses/license-metadata.ts';
import { restoreLicense } from '../../../src/licensing/licenses/restore.ts';
import { listLicenses } from '../../../src/licensing/licenses/show.ts';
import { updateLicense } from '../../../src/licensing/licenses/update.ts';
import { createProduct } from '../../../src/licensing/products/create.ts';
import { productInput } from '../../../src/licensing/products/product-schema.ts';
import { showProduct } from '../../../src/licensing/products/show.ts';
import { updateProduct } from '../../../src/licensing/products/update.ts';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

const ANY = { versions: null };
const NEWEST = { by: 'createdAt', descending: true, after: Number.MAX_SAFE_INTEGER } as const;

/** A product that declares these keys, with a policy. */
async function stock(shop: Shop, indexedMetadata: string[], code = 'app') {
  const product = await createProduct(shop.deps, shop.operator(), { name: 'App', code, indexedMetadata });
  const policy = await shop.policy(product.id);
  const ids = { productId: product.id, policyId: policy.id };
  return { ...ids, license: (metadata: Record<string, unknown>) => shop.license({ ...ids, metadata }) };
}

/** Ids found by `key=value`, newest first. */
function found(shop: Shop, wanted: Record<string, string>, more: { productId?: string } = {}): string[] {
  const metadata = Object.entries(wanted).map(([name, value]) => ({ name, value }));
  const rows = listLicenses(shop.deps, shop.operator(), { order: NEWEST, limit: 50, metadata, ...more });
  return rows.map(({ view }) => view.id);
}

const declare = (shop: Shop, id: string, indexedMetadata: string[]) =>
  updateProduct(shop.deps, shop.operator(), { id, ...ANY, change: { indexedMetadata } });
const index = (shop: Shop, clock: { monotonic(): number } = shop.clock) =>
  indexMetadata({ ...shop.deps, clock }, shop.acme.live);

describe('a filter by metadata', () => {
  it('finds licences by every key that their product declares, all of them together', async () => {
    await using shop = await openShop();
    const { license } = await stock(shop, ['plan', 'region']);
    const one = await license({ plan: 'pro', region: 'eu', other: 'x' });
    const two = await license({ plan: 'pro', region: 'us' });
    await license({ plan: 'free' });
    expect(found(shop, { plan: 'pro' })).toEqual([two.id, one.id]);
    expect(found(shop, { plan: 'pro', region: 'eu' })).toEqual([one.id]);
    expect(found(shop, { plan: 'gold' })).toEqual([]);
  });

  it.each([
    ['pro', ' pro ', true],
    ['caf\u00e9', 'cafe\u0301', true],
    [5, '5', true],
    ['5', '5', true],
    [1.5, '1.5', true],
    [true, 'true', true],
    [5, '5.0', false],
    ['Pro', 'pro', false],
    [null, 'null', false],
    [['a'], 'a', false],
    ['x'.repeat(257), 'x'.repeat(256), false],
  ])('compares %j with %j as documented: %s', async (stored, asked, matches) => {
    await using shop = await openShop();
    const { license } = await stock(shop, ['key']);
    const { id } = await license({ key: stored });
    expect(found(shop, { key: asked })).toEqual(matches ? [id] : []);
  });

  it('of a key that no product declares, or not the one that is asked for, is refused and says what to do', async () => {
    await using shop = await openShop();
    const { productId } = await stock(shop, ['plan']);
    await stock(shop, [], 'other');
    expect(() => found(shop, { secret: 'x' })).toThrow(/indexedMetadata of the product/u);
    expect(() => found(shop, { plan: 'x' }, { productId: 'prod_none' })).toThrow(/not indexed/u);
    expect(found(shop, { plan: 'x' }, { productId })).toEqual([]);
  });

  it('follows what is edited, deleted and restored', async () => {
    await using shop = await openShop();
    const { license } = await stock(shop, ['plan']);
    const { id } = await license({ plan: 'pro' });
    const change = { metadata: { plan: 'free' } };
    await updateLicense(shop.deps, shop.operator(), { id, ...ANY, change });
    expect([found(shop, { plan: 'pro' }), found(shop, { plan: 'free' })]).toEqual([[], [id]]);
    await updateLicense(shop.deps, shop.operator(), { id, ...ANY, change: { name: 'x' } });
    expect(found(shop, { plan: 'free' })).toEqual([id]);
    await deleteLicense(shop.deps, shop.operator(), { id, ...ANY });
    expect(found(shop, { plan: 'free' })).toEqual([]);
    expect(shop.rows('SELECT * FROM license_metadata')).toEqual([]);
    await restoreLicense(shop.deps, shop.operator(), { id, ...ANY, machines: true });
    expect(found(shop, { plan: 'free' })).toEqual([id]);
    await updateLicense(shop.deps, shop.operator(), { id, ...ANY, change: { metadata: {} } });
    expect(found(shop, { plan: 'free' })).toEqual([]);
  });

  it('of one realm finds nothing in another, and equal values leave different digests', async () => {
    await using shop = await openShop();
    const { license } = await stock(shop, ['plan', 'edition']);
    await license({ plan: 'pro', edition: 'pro' });
    const globex = shop.operator(shop.globex.live);
    const asked = { order: NEWEST, limit: 5, metadata: [{ name: 'plan', value: 'pro' }] };
    expect(() => listLicenses(shop.deps, globex, asked)).toThrow(/not indexed/u);
    await createProduct(shop.deps, globex, { name: 'G', code: 'g', indexedMetadata: ['plan'] });
    expect(listLicenses(shop.deps, globex, asked)).toEqual([]);
    const digests = shop.rows('SELECT value_hash FROM license_metadata') as { value_hash: Buffer }[];
    expect(new Set(digests.map(({ value_hash }) => value_hash.toString('hex'))).size).toBe(2);
    expect(digests.some(({ value_hash }) => value_hash.includes('pro'))).toBe(false);
  });

  it('pages in both directions, newest and oldest first', async () => {
    await using shop = await openShop();
    const { license } = await stock(shop, ['plan']);
    const ids: string[] = [];
    for (let made = 0; made < 5; made++) ids.push((await license({ plan: made % 2 === 0 ? 'a' : 'b' })).id);
    const page = (descending: boolean, after: number) =>
      listLicenses(shop.deps, shop.operator(), {
        order: { by: 'createdAt', descending, after },
        limit: 2,
        metadata: [{ name: 'plan', value: 'a' }],
      });
    const first = page(true, NEWEST.after);
    expect(first.map(({ view }) => view.id)).toEqual([ids[4], ids[2]]);
    expect(page(true, first[1]?.seq ?? 0).map(({ view }) => view.id)).toEqual([ids[0]]);
    expect(page(false, -1).map(({ view }) => view.id)).toEqual([ids[0], ids[2]]);
  });
});

describe('a key that is declared later', () => {
  it('is refused until all licences are indexed by it; the product says so', async () => {
    await using shop = await openShop();
    const { productId, license } = await stock(shop, []);
    const { id } = await license({ plan: 'pro' });
    const { view } = await declare(shop, productId, ['plan']);
    expect(view).toMatchObject({ indexedMetadata: ['plan'], metadataIndexing: ['plan'] });
    expect(await outcomeOf(Promise.resolve().then(() => found(shop, { plan: 'pro' })))).toBe(
      'INDEX_BUILDING',
    );
    // What is created or changed meanwhile is indexed by whoever does it, and once.
    const late = await license({ plan: 'pro' });
    await index(shop);
    expect(found(shop, { plan: 'pro' })).toEqual([late.id, id]);
    expect(showProduct(shop.deps, shop.operator(), productId).view.metadataIndexing).toEqual([]);
  });

  it('is indexed in slices, and goes on where it was when it is interrupted', async () => {
    await using shop = await openShop();
    const { productId, license } = await stock(shop, []);
    for (let made = 0; made < 120; made++) await license({ plan: 'pro' });
    await declare(shop, productId, ['plan']);
    let ticks = 0;
    const slow = { monotonic: () => (ticks += 10) };
    expect(await index(shop, slow)).toBe(3);
    expect(found(shop, { plan: 'pro' })).toHaveLength(50);
    expect(shop.rows('SELECT count(*) AS rows FROM license_metadata')).toEqual([{ rows: 120 }]);
  });

  it('leaves no digest behind when it is not declared any more', async () => {
    await using shop = await openShop();
    const { productId, license } = await stock(shop, ['plan', 'region']);
    await license({ plan: 'pro', region: 'eu' });
    await declare(shop, productId, ['region']);
    expect(() => found(shop, { plan: 'pro' })).toThrow(/not indexed/u);
    await index(shop);
    expect(shop.rows('SELECT name FROM license_metadata')).toEqual([{ name: 'region' }]);
    expect(shop.rows('SELECT name FROM metadata_keys')).toEqual([{ name: 'region' }]);
    expect(found(shop, { region: 'eu' })).toHaveLength(1);
  });

  it('can be declared anew while it is being taken away', async () => {
    await using shop = await openShop();
    const { productId, license } = await stock(shop, ['plan']);
    const { id } = await license({ plan: 'pro' });
    await declare(shop, productId, []);
    await declare(shop, productId, ['plan']);
    await index(shop);
    expect(found(shop, { plan: 'pro' })).toEqual([id]);
  });

  it('is in the ledger as a change of the product', async () => {
    await using shop = await openShop();
    const { productId } = await stock(shop, []);
    await declare(shop, productId, ['plan']);
    expect(shop.actions().at(-1)).toBe('product.updated');
  });
});

describe('the keys that a product declares', () => {
  it.each([[['a', 'b', 'c', 'd', 'e']], [['a', 'a']], [['']], [['a b']], [['a.b']], [['x'.repeat(65)]]])(
    '%j are refused',
    (indexedMetadata) => {
      const input = { name: 'x', code: 'x', indexedMetadata };
      expect(productInput.safeParse(input).success).toBe(false);
    },
  );

  it('are texts of what can be looked for', () => {
    expect(['', '  ', {}, undefined].map(indexableText)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect([0, -1.5, false, ' a '].map(indexableText)).toEqual(['0', '-1.5', 'false', 'a']);
  });
});
