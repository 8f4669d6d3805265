import { describe, expect, it } from 'vitest';
import { createProduct } from '../../../src/licensing/products/create.ts';
import { deleteProduct } from '../../../src/licensing/products/delete.ts';
import { listProducts, showProduct } from '../../../src/licensing/products/show.ts';
import { updateProduct } from '../../../src/licensing/products/update.ts';
import { openCatalogue } from '../catalogue.ts';

const ANY = { versions: null };
const FIRST = { descending: true, after: Number.MAX_SAFE_INTEGER, limit: 10 };

describe('products', () => {
  it('are created with defaults, and shown as they were answered', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const created = await createProduct(deps, operator(), { code: 'cad', name: 'CAD' });
    expect(created).toMatchObject({
      code: 'cad',
      name: 'CAD',
      keyPrefix: 'LIC',
      description: null,
      metadata: {},
    });
    expect(created.signingKid).toBe(`kid-of-realm-${String(catalogue.storage.acme.live)}`);
    expect(showProduct(deps, operator(), created.id)).toEqual({ view: created, version: 1 });
    expect(catalogue.actions()).toContain('product.created');
  });

  it('refuse a second living product with the same code, naming it', async () => {
    await using catalogue = await openCatalogue();
    await catalogue.product();
    await expect(catalogue.product()).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('app') as string,
    });
    expect(catalogue.actions().filter((action) => action === 'product.created')).toHaveLength(1);
  });

  it('give a code free again when they are deleted', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const first = await catalogue.product();
    await deleteProduct(deps, operator(), { id: first.id, ...ANY });
    const second = await catalogue.product();
    expect(second.id).not.toBe(first.id);
    expect(() => showProduct(deps, operator(), first.id)).toThrow(`there is no product ${first.id}`);
  });

  it('change only what is named, and count the edit', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const { id } = await createProduct(deps, operator(), {
      code: 'app',
      name: 'App',
      description: 'old',
      metadata: { color: 'red' },
    });
    storage.clock.advance(1000);
    const changed = await updateProduct(deps, operator(), {
      id,
      ...ANY,
      change: { name: 'New', description: null },
    });
    expect(changed.version).toBe(2);
    expect(changed.view).toMatchObject({
      name: 'New',
      description: null,
      metadata: { color: 'red' },
      code: 'app',
    });
    expect(changed.view.updatedAt > changed.view.createdAt).toBe(true);
    expect(showProduct(deps, operator(), id)).toEqual(changed);
  });

  it('refuse a change that rests on an older version', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const { id } = await catalogue.product();
    await updateProduct(deps, operator(), { id, versions: [1], change: { name: 'Second' } });
    const stale = { id, versions: [1], change: { name: 'Third' } };
    await expect(updateProduct(deps, operator(), stale)).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    await expect(deleteProduct(deps, operator(), { id, versions: [1] })).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    expect(showProduct(deps, operator(), id).view.name).toBe('Second');
  });

  it('let every one of two changes at the same time through, one after the other', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const { id } = await catalogue.product();
    await Promise.all([
      updateProduct(deps, operator(), { id, ...ANY, change: { name: 'Name' } }),
      updateProduct(deps, operator(), { id, ...ANY, change: { description: 'text' } }),
    ]);
    const { view, version } = showProduct(deps, operator(), id);
    expect(view).toMatchObject({ name: 'Name', description: 'text' });
    expect(version).toBe(3);
  });

  it('are not deleted while a policy of theirs lives', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const product = await catalogue.product();
    await catalogue.policy(product);
    await expect(deleteProduct(deps, operator(), { id: product.id, ...ANY })).rejects.toMatchObject({
      code: 'HAS_DEPENDENTS',
      message: expect.stringContaining('policy') as string,
    });
  });

  it('are listed newest first, page by page', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    for (const code of ['a', 'b', 'c']) await catalogue.product(operator(), code);
    const first = listProducts(deps, operator(), { ...FIRST, limit: 2 });
    expect(first.map(({ view }) => view.code)).toEqual(['c', 'b']);
    const rest = listProducts(deps, operator(), { ...FIRST, after: first.at(-1)?.seq ?? 0, limit: 2 });
    expect(rest.map(({ view }) => view.code)).toEqual(['a']);
    const oldest = listProducts(deps, operator(), { descending: false, after: -1, limit: 10 });
    expect(oldest.map(({ view }) => view.code)).toEqual(['a', 'b', 'c']);
  });

  it('of one realm do not exist in another', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const { id } = await catalogue.product();
    for (const realm of [storage.acme.test, storage.globex.live]) {
      const stranger = operator(realm);
      expect(() => showProduct(deps, stranger, id)).toThrow('there is no product');
      expect(listProducts(deps, stranger, FIRST)).toEqual([]);
      const change = { id, ...ANY, change: { name: 'stolen' } };
      await expect(updateProduct(deps, stranger, change)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(deleteProduct(deps, stranger, { id, ...ANY })).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    }
    expect(await catalogue.product(operator(storage.globex.live))).toMatchObject({ code: 'app' });
    expect(showProduct(deps, operator(), id).view.name).toBe('App');
  });

  it('keep their metadata sealed at rest', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    await createProduct(deps, operator(), { code: 'x', name: 'X', metadata: { contact: 'jane at acme' } });
    const stored = storage.database.native.prepare('SELECT metadata FROM products').pluck().get() as Buffer;
    expect(stored.includes('jane')).toBe(false);
    expect(listProducts(deps, operator(), FIRST)[0]?.view.metadata).toEqual({ contact: 'jane at acme' });
  });

  it('refuse payment card numbers, and store nothing', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const metadata = { note: 'card 4111 1111 1111 1111' };
    await expect(createProduct(deps, operator(), { code: 'x', name: 'X', metadata })).rejects.toMatchObject({
      code: 'CARD_DATA_REFUSED',
      message: expect.not.stringContaining('4111') as string,
    });
    expect(listProducts(deps, operator(), FIRST)).toEqual([]);
  });
});
