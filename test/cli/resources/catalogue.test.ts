import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/cli/exit-code.ts';
import type { Story } from '../story.ts';
import { openResourceDesk, type ResourceDesk } from './desk.ts';

let desk: ResourceDesk;
let story: Story;

beforeAll(async () => {
  desk = await openResourceDesk();
  story = desk.story;
});

afterAll(async () => {
  await desk.close();
});

describe('mintmark product', () => {
  it('creates, lists, shows, changes and deletes', async () => {
    const { product } = desk.stock;
    expect(await story.data(['product', 'show', product])).toMatchObject({
      name: 'Editor',
      code: 'editor',
      keyPrefix: 'EDIT',
      metadata: { line: 3 },
    });
    const table = await story.text(['product', 'list']);
    expect(table).toBe(
      `ID${' '.repeat(product.length)}CODE    NAME    PREFIX\n${product}  editor  Editor  EDIT\n`,
    );
    const changed = await story.data(['product', 'update', product, '--description', 'a text editor']);
    expect(changed).toMatchObject({ description: 'a text editor', name: 'Editor' });
    expect(await story.text(['product', 'show', product])).toMatch(/^description: +a text editor$/m);
    const spare = await story.data(['product', 'create', '--name', 'Spare', '--code', 'spare']);
    expect(await story.text(['product', 'delete', String(spare['id'])])).toBe('done\n');
    await story.refused(['product', 'show', String(spare['id'])], 'NOT_FOUND');
    expect((await story.rows(['product', 'list', '--deleted'])).map(({ code }) => code)).toEqual(['spare']);
    expect(await story.data(['product', 'restore', String(spare['id'])])).toMatchObject({ code: 'spare' });
    await story.text(['product', 'delete', String(spare['id'])]);
  });

  it('is moved to another licence key by somebody who says that applications know it', async () => {
    const { product } = desk.stock;
    const keys = await story.rows(['keys', 'list']);
    const old = keys.find(({ purpose, environment }) => purpose === 'license' && environment === 'live');
    const move = ['product', 'set-key', product, String(old?.['kid'])];
    expect((await story.run(move)).code).toBe(EXIT.usage);
    const moved = await story.data([...move, '--i-have-shipped-the-new-key']);
    expect(moved).toMatchObject({ id: product, signingKid: old?.['kid'] });
    const unknown = ['product', 'set-key', product, 'A'.repeat(16), '--i-have-shipped-the-new-key'];
    await story.refused(unknown, 'NOT_FOUND');
  });

  it('shows what the appliance refuses, with its remedy', async () => {
    const stderr = await story.refused(
      ['product', 'create', '--name', '', '--code', 'no code'],
      'VALIDATION_FAILED',
    );
    expect(stderr).toMatch(/^ {2}--name: /m);
    expect(stderr).toMatch(/^ {2}--code: must be 1 to 50 letters/m);
    expect(stderr).toMatch(/\[req_[0-9A-Z]+\]/);
  });

  it('goes through a list page by page', async () => {
    for (const code of ['page-a', 'page-b'])
      await story.data(['product', 'create', '--name', code, '--code', code]);
    const first = await story.text(['product', 'list', '--limit', '2']);
    const cursor = /^more: --cursor (\S+)$/m.exec(first)?.[1] ?? '';
    const second = await story.text(['product', 'list', '--limit', '2', '--cursor', cursor]);
    expect(first).toContain('page-b');
    expect(first).toContain('page-a');
    expect(second).toContain('editor');
    expect(second).not.toContain('more:');
  });
});

describe('mintmark entitlement', () => {
  it('creates, lists, shows, changes and deletes', async () => {
    const { entitlement } = desk.stock;
    await story.data(['entitlement', 'update', entitlement, '--name', 'PDF export']);
    expect(await story.data(['entitlement', 'show', entitlement])).toMatchObject({ name: 'PDF export' });
    const spare = await story.data(['entitlement', 'create', '--code', 'spare', '--name', 'Spare']);
    await story.text(['entitlement', 'delete', String(spare['id'])]);
    for (const act of ['restore', 'delete']) await story.text(['entitlement', act, String(spare['id'])]);
    expect((await story.rows(['entitlement', 'list'])).map(({ code }) => code)).toEqual(['export-pdf']);
  });
});

describe('mintmark policy', () => {
  it('creates from a template, lists, shows, changes and deletes', async () => {
    const create = ['policy', 'create', '--product-id', desk.stock.product, '--name', 'Desktop'];
    const { policy } = desk.stock;
    const made = { maxMachines: 2, floating: true, offlineMaxDays: 14 };
    expect(await story.data(['policy', 'show', policy])).toMatchObject(made);
    const changed = await story.data(['policy', 'update', policy, '--offline-max-days', '30']);
    expect(changed).toMatchObject({ offlineMaxDays: 30 });
    expect(await story.data(['policy', 'show', policy])).toMatchObject({ offlineMaxDays: 30 });
    const unlimited = [...create, '--template', 'custom', '--max-machines', 'none'];
    await story.refused(unlimited, 'VALIDATION_FAILED');
    const site = await story.data([...unlimited, '--allow-unlimited']);
    expect(site).toMatchObject({ maxMachines: null });
    await story.text(['policy', 'delete', String(site['id'])]);
    for (const act of ['restore', 'delete']) await story.text(['policy', act, String(site['id'])]);
    const rows = await story.rows(['policy', 'list', '--product-id', desk.stock.product]);
    expect(rows.map(({ id }) => id)).toEqual([policy]);
  });

  it('gives an entitlement to all its licences, and takes it away', async () => {
    await story.text(['policy', 'entitle', desk.stock.policy, desk.stock.entitlement]);
    const license = await desk.createLicense('--name', 'Entitled');
    expect(license['entitlements']).toEqual(['export-pdf']);
    await story.text(['policy', 'disentitle', desk.stock.policy, desk.stock.entitlement]);
    const shown = await story.data(['license', 'show', String(license['id'])]);
    expect(shown['entitlements']).toEqual([]);
  });
});

describe('the stories', () => {
  it('have used every command', () => {
    desk.expectAllTold('product', 'policy', 'entitlement');
  });
});
