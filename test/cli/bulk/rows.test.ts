import { describe, expect, it } from 'vitest';
import { batchesOf } from '../../../src/cli/bulk/batches.ts';
import { columnOfField, readItem, type ReadRow } from '../../../src/cli/bulk/license-item.ts';
import { EXPORT_COLUMNS } from '../../../src/cli/bulk/license-columns.ts';
import type { Names } from '../../../src/cli/bulk/names.ts';
import { readRows, type Reading, type Row } from '../../../src/cli/bulk/rows.ts';
import { SeenKeys } from '../../../src/cli/bulk/seen-keys.ts';
import { licenseInput } from '../../../src/licensing/licenses/license-schema.ts';

const CSV: Reading = { format: 'csv', delimiter: null, map: new Map(), escaped: false };
const JSONL: Reading = { ...CSV, format: 'jsonl' };
const POLICIES: Readonly<Record<string, { id: string; productId: string }>> = {
  desktop: { id: 'pol_1', productId: 'prod_1' },
  site: { id: 'pol_2', productId: 'prod_2' },
};
const PRODUCTS: Readonly<Record<string, string>> = { editor: 'prod_1', viewer: 'prod_2' };
const ENTITLEMENTS: Readonly<Record<string, string>> = { pro: 'ent_1', pdf: 'ent_2' };
const names: Names = {
  product: (name) => PRODUCTS[name],
  policy: (name) => POLICIES[name],
  anyPolicy: 'pol_1',
  entitlement: (name) => ENTITLEMENTS[name],
  codeOf: (id) => id,
};

async function rowsOf(text: string, reading: Reading = CSV): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of readRows(texts(text), reading)) rows.push(row);
  return rows;
}

async function* texts(text: string): AsyncGenerator<string> {
  yield Promise.resolve(text);
}

async function itemsOf(text: string, reading: Reading = CSV, defaults = {}): Promise<ReadRow[]> {
  return (await rowsOf(text, reading)).map((row) => readItem(row, { names, defaults, schema: licenseInput }));
}

const problemsOf = (rows: readonly ReadRow[]): unknown =>
  rows.map(({ problems }) => problems?.map(({ column, code }) => [column, code]) ?? null);

describe('a row', () => {
  it('becomes a licence: codes are ids, days end at midnight UTC, metadata is gathered', async () => {
    const [row] = await itemsOf(
      'key,policy,name,userEmail,userName,expiresAt,maxMachines,maxUses,entitlements,metadata.site,metadata\n' +
        'f81d4fae-7dec-11d0,desktop," Ann, Ltd",a@x.example,Ann,2099-01-31,3,7,"pro, pdf",Linz,"{""n"": 1}"\n',
    );
    expect(row?.problems).toBeNull();
    expect(row?.item).toEqual({
      productId: 'prod_1',
      policyId: 'pol_1',
      key: 'f81d4fae-7dec-11d0',
      name: ' Ann, Ltd',
      userEmail: 'a@x.example',
      userName: 'Ann',
      expiresAt: '2099-01-31T23:59:59.999Z',
      maxMachinesOverride: 3,
      maxUsesOverride: 7,
      ownEntitlements: [{ id: 'ent_1' }, { id: 'ent_2' }],
      metadata: { n: 1, site: 'Linz' },
    });
  });

  it('of JSONL becomes the same, with values of their own types', async () => {
    const object = {
      policyId: 'desktop',
      expiresAt: null,
      maxMachinesOverride: 3,
      entitlements: ['pro'],
      name: null,
      metadata: { a: [1] },
    };
    const [row] = await itemsOf(JSON.stringify(object), JSONL);
    expect(row?.item).toEqual({
      productId: 'prod_1',
      policyId: 'pol_1',
      expiresAt: null,
      maxMachinesOverride: 3,
      ownEntitlements: [{ id: 'ent_1' }],
      metadata: { a: [1] },
    });
  });

  it('says behind @ until when an entitlement holds; a day lasts until its end', async () => {
    const cell = '"pro@2099-01-31;pdf@2099-06-01T12:00:00+02:00"';
    const ends = [
      { id: 'ent_1', expiresAt: '2099-01-31T23:59:59.999Z' },
      { id: 'ent_2', expiresAt: '2099-06-01T12:00:00+02:00' },
    ];
    const [row] = await itemsOf(`policy,entitlements\ndesktop,${cell}\n`);
    expect(row?.item?.['ownEntitlements']).toEqual(ends);
    const array = JSON.stringify({ policy: 'desktop', entitlements: ['pro@2099-01-31', 'pdf'] });
    expect((await itemsOf(array, JSONL))[0]?.item?.['ownEntitlements']).toEqual([ends[0], { id: 'ent_2' }]);
    const bad = await itemsOf(
      'policy,entitlements\ndesktop,pro@soon\ndesktop,nope@2099-01-31\ndesktop,pro@\n',
    );
    expect(problemsOf(bad)).toEqual([
      [['entitlements', 'INVALID_FORMAT']],
      [['entitlements', 'NOT_FOUND']],
      [['entitlements', 'INVALID_FORMAT']],
    ]);
  });

  it('takes product and policy from the command line unless it names them; a policy brings its own product', async () => {
    const defaults = { productId: 'prod_9', policyId: 'pol_9' };
    const rows = await itemsOf('policy,product\n,\nsite,\n,editor\nsite,viewer\n', CSV, defaults);
    expect(rows.map(({ item }) => [item?.['productId'], item?.['policyId']])).toEqual([
      ['prod_9', 'pol_9'],
      ['prod_2', 'pol_2'],
      ['prod_1', 'pol_9'],
      ['prod_2', 'pol_2'],
    ]);
  });

  it('says everything that is wrong with it, each at its column, and none of its values', async () => {
    const rows = await itemsOf(
      'key,policy,E-Mail,expiresAt,maxMachines,entitlements,status,metadata\n' +
        'SECRET-VALUE-1,SECRET-VALUE-2,x,y,SECRET-VALUE-3,pro SECRET-VALUE-4,revoked,SECRET-VALUE-5\n' +
        'SECRET-VALUE-1,desktop,SECRET VALUE,SECRET-VALUE,0,,active,{}\n' +
        'one,two\n' +
        'SECRET-VALUE-6,,,,,,,\n',
      { ...CSV, map: new Map([['E-Mail', 'userEmail']]) },
    );
    expect(problemsOf(rows)).toEqual([
      [
        ['policy', 'NOT_FOUND'],
        ['maxMachines', 'TYPE'],
        ['entitlements', 'NOT_FOUND'],
        ['status', 'STATUS'],
        ['metadata', 'JSON'],
      ],
      [
        ['expiresAt', 'INVALID_FORMAT'],
        ['E-Mail', 'INVALID_FORMAT'],
        ['maxMachines', 'TOO_SMALL'],
      ],
      [['', 'COLUMNS']],
      [['', 'REQUIRED']],
    ]);
    expect(JSON.stringify(rows.map(({ problems }) => problems))).not.toMatch(/SECRET/);
  });

  it('with a masked key, address or name is refused: it would be stored as it is shown', async () => {
    const rows = await itemsOf(
      'key,policy,userEmail,userName\nACME-••••-••••-••••-H8K2,desktop,j•••@x.example,J•••\n',
    );
    expect(problemsOf(rows)).toEqual([
      [
        ['key', 'MASKED'],
        ['userEmail', 'MASKED'],
        ['userName', 'MASKED'],
      ],
    ]);
  });

  it('of JSONL that is no object, twice says a member, or has one that is not known is refused without its words', async () => {
    const lines = [
      '["SECRET"]',
      '{"name":"SECRET","name":"b"}',
      '{"SECRET":1,"policy":"desktop"}',
      '{"name":"SECRET"',
      '{"__proto__":{}}',
    ];
    const rows = await itemsOf(lines.join('\n'), JSONL);
    expect(problemsOf(rows)).toEqual([
      [['', 'JSON']],
      [['', 'JSON']],
      [['', 'UNKNOWN_COLUMN']],
      [['', 'JSON']],
      [['', 'JSON']],
    ]);
    expect(JSON.stringify(rows.map(({ problems }) => problems))).not.toMatch(/SECRET/);
  });
});

describe('columns', () => {
  it('are known in any case, can be renamed and passed over', async () => {
    const map = new Map([
      ['Serial', 'key'],
      ['Notes', ''],
    ]);
    const [row] = await itemsOf(
      'SERIAL,Serial,POLICY,Notes,useremail\n,k-12345678,desktop,x,a@b\n'
        .replace('SERIAL,', '')
        .replace('\n,', '\n'),
      { ...CSV, map },
    );
    expect(row?.item).toMatchObject({ key: 'k-12345678', userEmail: 'a@b' });
    expect(columnOfField(row?.cells ?? [], ['key'])).toBe('Serial');
  });

  it.each([
    [
      'that are not known, by their place: a file without a header begins with a key',
      'name,SECRET-KEY-1\n',
      'number 2',
    ],
    ['that are there twice', 'maxUses,maxUsesOverride\n', 'are both'],
    ['in an empty file', '', 'is empty'],
  ])('%s are refused', async (_, text, words) => {
    const refused = rowsOf(text);
    await expect(refused).rejects.toThrow(words);
    await expect(refused).rejects.not.toThrow('SECRET');
  });

  it('that --map names have to be there', async () => {
    await expect(rowsOf('a\n', { ...CSV, map: new Map([['b', 'name']]) })).rejects.toThrow('no such column');
  });

  it('of an export are known by its header: apostrophes before formulas are taken off, what is read only is passed over', async () => {
    const at = (name: string, value: string): string[] =>
      EXPORT_COLUMNS.map((column) => (column === name ? value : ''));
    const file = (header: readonly string[]): string => `${header.join()}\n${at('name', "'=1+1").join()}\n`;
    const nameOf = async (text: string, reading: Reading = CSV): Promise<unknown> =>
      (await itemsOf(text, reading, { productId: 'p', policyId: 'q' }))[0]?.item?.['name'];
    expect(await nameOf(file(EXPORT_COLUMNS))).toBe('=1+1');
    expect(await nameOf("name\n'=1+1\n")).toBe("'=1+1");
    expect(await nameOf("name\n'=1+1\n", { ...CSV, escaped: true })).toBe('=1+1');
  });
});

describe('batches', () => {
  const row = (number: number, name: string): ReadRow => ({
    number,
    line: number,
    cells: [],
    item: { name },
    problems: null,
  });

  async function sizes(count: number, name: string): Promise<number[]> {
    const rows = Array.from({ length: count }, (_, i) => row(i + 1, name));
    const found: number[] = [];
    for await (const batch of batchesOf(each(rows))) {
      expect(batch.number).toBe(found.length);
      found.push(batch.rows.length);
    }
    return found;
  }

  it('have at most a thousand rows, and at most what fits a request', async () => {
    expect(await sizes(2500, 'x')).toEqual([1000, 1000, 500]);
    expect(await sizes(0, 'x')).toEqual([]);
    const large = await sizes(200, 'x'.repeat(15_000));
    expect(large.reduce((sum, size) => sum + size, 0)).toBe(200);
    expect(Math.max(...large) * 15_000).toBeLessThan(1_000_000);
  });
});

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) yield Promise.resolve(item);
}

describe('keys that were seen', () => {
  it('are known again, however many there are, as the appliance would take them', () => {
    const seen = new SeenKeys();
    const count = 100_000;
    let again = 0;
    for (let i = 0; i < count; i++) if (seen.add(`key-${String(i)}`)) again += 1;
    expect(again).toBe(0);
    for (let i = 0; i < count; i += 97) expect(seen.add(`  key-${String(i)} `)).toBe(true);
    expect([seen.add('é'), seen.add('e\u0301')]).toEqual([false, true]);
  });
});
