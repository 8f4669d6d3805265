import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { type BulkDesk, openBulkDesk, strongKey } from './bulk-desk.ts';

let desk: BulkDesk;

beforeAll(async () => {
  desk = await openBulkDesk();
});

afterAll(async () => {
  await desk.close();
});

describe('an export', () => {
  it('into another environment and out again is the same: keys, persons, limits, metadata, codes and their ends', async () => {
    const more = Array.from(
      { length: 120 },
      (_, i) => `${strongKey(700 + i)},N${String(i)},"{""n"": ${String(i)}}"`,
    );
    const many = ['key,name,metadata', ...more].join('\n');
    expect((await desk.imported('many.csv', many, '--policy', 'site')).code).toBe(EXIT.ok);
    const rich =
      'key;policy;name;userEmail;userName;expiresAt;maxMachines;maxUses;entitlements\r\n' +
      `${strongKey(1)};desktop;"Müller; ""X""\nGmbH";ann@x.example;-Ann;2099-01-31;3;9;pro@2099-01-30 base\r\n` +
      `${strongKey(2)};site;=1+1;;;never;;;\r\nserial-0001;site;;;;;;;\r\n`;
    expect((await desk.imported('rich.csv', rich, '--allow-weak')).code).toBe(EXIT.ok);
    const all = desk.at('all.csv');
    expect((await desk.run(['license', 'export', '--reveal', '--output', all])).code).toBe(EXIT.ok);
    expect(statSync(all).mode & 0o777).toBe(0o600);
    expect(existsSync(`${all}.partial`)).toBe(false);
    const into = await desk.run(['--environment', 'test', 'license', 'import', all, '--allow-weak']);
    expect([into.code, into.stderr]).toEqual([EXIT.ok, '']);
    expect(
      (
        await desk.run([
          '--environment',
          'test',
          'license',
          'export',
          '--reveal',
          '--output',
          desk.at('back.jsonl'),
        ])
      ).code,
    ).toBe(EXIT.ok);
    expect((await desk.run(['license', 'export', '--reveal', '--output', desk.at('there.jsonl')])).code).toBe(
      EXIT.ok,
    );
    const [back, there] = ['back.jsonl', 'there.jsonl'].map((name) =>
      desk.lines(name).map(withoutTimes).toSorted(),
    );
    expect(there?.length).toBeGreaterThan(100);
    expect(back).toEqual(there);
    const [own] = (there ?? []).filter((line) => line.includes('ann@x.example'));
    expect(JSON.parse(own ?? '')).toMatchObject({ entitlements: 'base pro@2099-01-30T23:59:59.999Z' });
  });

  it('with a cell that a spreadsheet would run has an apostrophe before it', () => {
    expect(readFileSync(desk.at('all.csv'), 'utf8')).toContain(",'=1+1,");
  });

  it('hides keys and persons unless it is asked for them, and shows them in no pipe', async () => {
    const rows = await desk.exported('live', '--user-email', 'ann@x.example');
    expect(rows).toMatchObject([
      { userEmail: 'a•••@x.example', key: expect.stringMatching(/^••••/) as unknown },
    ]);
    const pipe = await desk.run(['license', 'export', '--reveal']);
    expect([pipe.code, pipe.stdout]).toEqual([EXIT.usage, '']);
    const masked = await desk.imported(
      'masked.csv',
      (await desk.run(['license', 'export'])).stdout,
      '--dry-run',
    );
    expect([masked.code, masked.stderr]).toEqual([EXIT.invalid, expect.stringContaining('[MASKED]')]);
  });

  it('of keys is in the ledger, licence by licence', async () => {
    await desk.run(['audit', 'export', desk.at('ledger'), '--tenant', 'site-one']);
    const entries = readdirSync(desk.at('ledger'))
      .map((name) => join(desk.at('ledger'), name))
      .filter((path) => statSync(path).isFile());
    const revealed = entries.flatMap((path) => readFileSync(path, 'utf8').match(/license\.revealed/g) ?? []);
    expect(revealed.length).toBeGreaterThanOrEqual(desk.lines('there.jsonl').length * 2);
  });

  it('is not written into a file whose name promises another format', async () => {
    for (const name of ['all.xlsx', 'all.json']) {
      const { code, stderr } = await desk.run(['license', 'export', '--output', desk.at(name)]);
      expect([code, stderr]).toEqual([
        EXIT.usage,
        expect.stringContaining('what is written is CSV or JSONL'),
      ]);
      expect(existsSync(desk.at(name))).toBe(false);
    }
  });

  it('never replaces a file, and leaves none when it fails', async () => {
    const over = await desk.run(['license', 'export', '--output', desk.at('all.csv')]);
    expect([over.code, over.stderr]).toEqual([EXIT.usage, expect.stringContaining('exists already')]);
    const failed = await desk.run([
      'license',
      'export',
      '--status',
      'nonsense',
      '--output',
      desk.at('none.csv'),
    ]);
    expect(failed.code).toBe(EXIT.refused);
    expect(readdirSync(desk.at('')).filter((name) => name.startsWith('none.csv'))).toEqual([]);
  });

  it('of machines has all of them', async () => {
    const [license] = await desk.exported('live');
    for (const name of ['press-1', 'press-2']) {
      await desk.run([
        'machine',
        'create',
        String(license?.['id']),
        '--fingerprint',
        `${name}:4d1f9a22`,
        '--name',
        `-${name}`,
      ]);
    }
    const csv = await desk.run(['machine', 'export']);
    expect(csv.stdout.trimEnd().split('\n')).toHaveLength(3);
    expect(csv.stdout).toContain("'-press-1");
    const jsonl = await desk.run([
      'machine',
      'export',
      '--format',
      'jsonl',
      '--license-id',
      String(license?.['id']),
    ]);
    const machines = jsonl.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>); // one a line
    expect(machines.map(({ name }) => name).toSorted()).toEqual(['-press-1', '-press-2']);
  });
});

/** Everything of an exported licence that an import can reproduce. */
function withoutTimes(line: string): string {
  const {
    id,
    createdAt,
    updatedAt,
    lastValidatedAt: _,
    ...rest
  } = JSON.parse(line) as Record<string, unknown>; // one object a line
  expect([id, createdAt, updatedAt]).not.toContain(undefined);
  return JSON.stringify(rest);
}
