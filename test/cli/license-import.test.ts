import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { send } from '../support/daemon.ts';
import { type BulkDesk, openBulkDesk, strongKey } from './bulk-desk.ts';
import { mintmark, type Transcript } from './run-cli.ts';

let desk: BulkDesk;

beforeAll(async () => {
  desk = await openBulkDesk();
});

afterAll(async () => {
  await desk.close();
});

describe('license import', () => {
  it('creates what a file says, with its keys, and shows none of them', async () => {
    const csv =
      '\uFEFFkey;policy;name;userEmail;expiresAt;maxMachines;entitlements;metadata.site\r\n' +
      `${strongKey(1)};desktop;"Müller; ""X""\nGmbH";ann@x.example;2099-01-31;3;pro;Linz\r\n` +
      `${strongKey(2)};site;=1+1;;never;;;\r\n`;
    const done = await desk.imported('first.csv', csv);
    expect(done).toEqual({
      code: EXIT.ok,
      stdout: `${desk.at('first.csv')}: 2 rows, 2 licences created\n`,
      stderr: '',
    });
    const rows = await desk.exported('live');
    expect(rows).toHaveLength(2);
    expect(rows[1]).toMatchObject({
      policy: 'desktop',
      name: 'Müller; "X"\nGmbH',
      userEmail: 'a•••@x.example',
      expiresAt: '2099-01-31T23:59:59.999Z',
      maxMachines: 3,
      entitlements: 'pro',
      metadata: { site: 'Linz' },
    });
    expect(rows[0]).toMatchObject({ policy: 'site', name: '=1+1', expiresAt: 'never' });
    const found = await send(
      { url: desk.serving().url, key: desk.made.secretKey },
      {
        method: 'POST',
        path: '/licenses/validate-key',
        body: { key: strongKey(1), fingerprint: 'press-3:4d1f9a22' },
      },
    );
    expect(found.body).toMatchObject({ data: { code: 'FINGERPRINT_NOT_FOUND' } });
  });

  it('leaves no imported key in log, ledger, database, state, report or output', async () => {
    const key = 'CANARY-9F3K-2M7Q-XT4W-B8ZD';
    const csv = `key,policy,expiresAt\n${key},desktop,\n${key},desktop,2020-01-01\n`;
    const first = await desk.imported('canary.csv', csv, '--errors', desk.at('canary-errors.csv'));
    const second = await desk.run(['license', 'import', desk.at('canary.csv'), '--skip-errors']);
    const third = await desk.imported('canary-2.csv', csv, '--dry-run', '--json');
    expect([first.code, second.code, third.code]).toEqual([EXIT.refused, EXIT.invalid, EXIT.invalid]);
    await desk.run(['audit', 'export', desk.at('canary-ledger'), '--tenant', 'site-one']);
    const texts = [first, second, third].flatMap(({ stdout, stderr }) => [stdout, stderr]);
    const files = ['canary-errors.csv', 'canary.csv.import-state'].map(desk.at);
    const ledger = readdirSync(desk.at('canary-ledger'), { recursive: true, withFileTypes: true });
    const database = readdirSync(desk.made.data, { recursive: true, withFileTypes: true });
    const written = [...ledger, ...database]
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    expect(written.length).toBeGreaterThan(5);
    const bytes = [...files, ...written].map((path) => readFileSync(path));
    for (const content of [...texts, desk.serving().stdout(), desk.serving().stderr()]
      .map((text) => Buffer.from(text))
      .concat(bytes)) {
      expect(content.includes(key)).toBe(false);
      expect(content.includes('XT4W-B8ZD')).toBe(false);
    }
    // The key is there all the same: it opens its licence.
    const lookup = await mintmark(
      ['--data-dir', desk.made.data, 'license', 'lookup', '--license-key-file', '-'],
      {
        input: key,
      },
    );
    expect(lookup.code).toBe(EXIT.ok);
  });

  it('checks everything that the appliance checks with --dry-run, and creates nothing', async () => {
    const before = (await desk.exported('live')).length;
    const csv =
      'key,policy,name,expiresAt,entitlements,userEmail\n' +
      `${strongKey(100)},desktop,good,,pro,\n` +
      `${strongKey(1)},desktop,taken,,,\n` +
      `${strongKey(101)},nowhere,no policy,,,\n` +
      `${strongKey(102)},desktop,over,2020-01-01,,\n` +
      `${strongKey(103)},desktop,4111 1111 1111 1111,,,\n` +
      'serial-0001,desktop,weak,,,\n' +
      `${strongKey(100)},desktop,twice,,,\n` +
      `${strongKey(104)},desktop,codes,,nope,no address\n`;
    const check = await desk.imported('check.csv', csv, '--dry-run', '--errors', desk.at('check-errors.csv'));
    expect([check.code, check.stdout]).toEqual([
      EXIT.invalid,
      `${desk.at('check.csv')}: 8 rows, 1 could be imported, 7 problems; nothing was created\n`,
    ]);
    expect(desk.lines('check-errors.csv')).toEqual([
      'row,line,column,code,message',
      '2,3,key,CONFLICT,this key is in use by another licence',
      '3,4,policy,NOT_FOUND,"there is no policy with this code or id, nor a single one with this name"',
      '4,5,expiresAt,LICENSE,expiresAt is not in the future',
      '5,6,name,CARD_DATA_REFUSED,name holds what reads as a payment card number',
      '6,7,key,WEAK_KEY,"this key is too easily guessed; take another, or take such keys with --allow-weak"',
      '7,8,key,CONFLICT,this key is in the file twice',
      '8,9,entitlements,NOT_FOUND,there is no entitlement with the code or id at place 1',
    ]);
    expect(check.stderr).toContain(
      'warning: row 2 (line 3), key: this key is in use by another licence [CONFLICT]',
    );
    expect(existsSync(desk.at('check.csv.import-state'))).toBe(false);
    expect(await desk.exported('live')).toHaveLength(before);
    const weak = await desk.imported(
      'weak.csv',
      'key,policy\nserial-0001,desktop\n',
      '--dry-run',
      '--allow-weak',
    );
    expect(weak.code).toBe(EXIT.ok);
  });

  it('goes on under an API key with the rights it needs, and with no less', async () => {
    const key = async (name: string, scopes: string[]): Promise<void> => {
      const create = ['api-key', 'create', '--name', name, '--scopes', scopes.join()];
      await desk.run([...create, '--secret-out', desk.at(`${name}.key`)]);
    };
    const reads = ['products:read', 'policies:read', 'entitlements:read'];
    await key('importer', [...reads, 'licenses:write', 'licenses:import']);
    await key('writer', [...reads, 'licenses:write']);
    writeFileSync(desk.at('remote.csv'), `key,policy\n${strongKey(9000)},desktop\n`);
    const remote = (name: string, ...more: string[]): Promise<Transcript> =>
      mintmark([
        '--url',
        desk.serving().url,
        '--api-key-file',
        desk.at(`${name}.key`),
        'license',
        'import',
        desk.at('remote.csv'),
        ...more,
      ]);
    const refused = await remote('writer');
    expect([refused.code, refused.stderr]).toEqual([
      EXIT.refused,
      expect.stringContaining('INSUFFICIENT_SCOPE'),
    ]);
    expect((await remote('importer')).stdout).toContain('1 row, 1 licence created');
  });
});

describe('new keys', () => {
  const csv = 'name\nA\nB\n';

  it('go into a new file of their owner alone, with row and id', async () => {
    const done = await desk.imported(
      'new.csv',
      csv,
      '--policy',
      'desktop',
      '--keys-out',
      desk.at('new-keys.csv'),
    );
    expect(done.code).toBe(EXIT.ok);
    const [header, ...keys] = desk.lines('new-keys.csv');
    expect(header).toBe('row,id,key');
    expect(
      keys.map((line) => line.replace(/lic_[0-9A-Z]+/, 'id').replace(/EDIT(-[0-9A-Z]{4}){4}/, 'key')),
    ).toEqual(['1,id,key', '2,id,key']);
    expect(statSync(desk.at('new-keys.csv')).mode & 0o777).toBe(0o600);
    expect(done.stdout + done.stderr).not.toContain('EDIT-');
  });

  it('are not made when there is no place for them, nor over a file', async () => {
    const before = (await desk.exported('live')).length;
    const pipe = await desk.imported('pipe.csv', csv, '--policy', 'desktop');
    expect([pipe.code, pipe.stderr]).toEqual([EXIT.usage, expect.stringContaining('--keys-out')]);
    const over = await desk.imported(
      'over.csv',
      csv,
      '--policy',
      'desktop',
      '--keys-out',
      desk.at('new-keys.csv'),
    );
    expect([over.code, over.stderr]).toEqual([EXIT.usage, expect.stringContaining('exists already')]);
    expect(await desk.exported('live')).toHaveLength(before);
  });

  it.each([
    ['x.json', 'rows of JSON are one object a line (JSONL)'],
    ['x.xlsx', 'a workbook is not read'],
  ])('are not taken for CSV where the file is called %s', async (name, words) => {
    const { code, stderr } = await desk.imported(name, csv, '--policy', 'desktop');
    expect([code, stderr]).toEqual([EXIT.usage, expect.stringContaining(words)]);
    expect(stderr).toContain('--format jsonl');
  });

  it('are made once for a file, and once more for a run of its own', async () => {
    const again = [
      'license',
      'import',
      desk.at('new.csv'),
      '--policy',
      'desktop',
      '--run',
      'second',
      '--keys-out',
      desk.at('second-keys.csv'),
    ];
    expect((await desk.run(again)).stdout).toContain('2 licences created');
    const [first, second] = ['new-keys.csv', 'second-keys.csv'].map(
      (name) => new Set(desk.lines(name).slice(1)),
    );
    expect([...(first ?? [])].filter((line) => second?.has(line))).toEqual([]);
  });

  it('come from standard input, too; the same rows again are the same licences', async () => {
    const options = ['--data-dir', desk.made.data, 'license', 'import', '-', '--policy', 'desktop'];
    const from = (file: string): Promise<Transcript> =>
      mintmark([...options, '--keys-out', desk.at(file)], { input: csv });
    expect((await from('stdin-1.csv')).stdout).toContain('2 licences created');
    expect((await from('stdin-2.csv')).stdout).toContain(
      '0 licences created, 2 found created by an earlier try',
    );
    expect(desk.lines('stdin-2.csv')).toEqual(desk.lines('stdin-1.csv'));
    expect((await mintmark([...options, '--resume'], { input: csv })).code).toBe(EXIT.usage);
  });
});

describe('an import of several batches', () => {
  it('stops at the first batch with a bad row, and goes on without it when asked', async () => {
    const before = (await desk.exported('live')).length;
    const rows = Array.from(
      { length: 1005 },
      (_, i) => `${strongKey(2000 + i)},${i === 1002 ? '2020-01-01' : ''}`,
    );
    const csv = ['key,expiresAt', ...rows].join('\n');
    const stopped = await desk.imported(
      'stop.csv',
      csv,
      '--policy',
      'desktop',
      '--errors',
      desk.at('stop-errors.csv'),
    );
    expect([stopped.code, stopped.stdout]).toEqual([EXIT.refused, '']);
    expect(stopped.stderr).toContain(
      '1 of the rows 1001 to 1005 cannot be imported, so none of these was; the 1000 rows before',
    );
    expect(await desk.exported('live')).toHaveLength(before + 1000);
    const again = await desk.run(['license', 'import', desk.at('stop.csv'), '--policy', 'desktop']);
    expect([again.code, again.stderr]).toEqual([EXIT.usage, expect.stringContaining('Go on with --resume.')]);
    const options = [
      'license',
      'import',
      desk.at('stop.csv'),
      '--policy',
      'desktop',
      '--resume',
      '--skip-errors',
      '--json',
    ];
    const resumed = await desk.run(options);
    expect(resumed.code).toBe(EXIT.invalid);
    expect(JSON.parse(resumed.stdout)).toMatchObject({
      data: { rows: 1005, created: 1004, refused: 1, resumedBehindRow: 1000 },
    });
    expect(desk.lines('stop-errors.csv')).toEqual([
      'row,line,column,code,message',
      '1003,1004,expiresAt,LICENSE,expiresAt is not in the future',
    ]);
    expect(await desk.exported('live')).toHaveLength(before + 1004);
    expect(statSync(desk.at('stop.csv.import-state')).mode & 0o777).toBe(0o600);
  });

  it('says in words of our own what a row has not', async () => {
    const csv = `key,policy,name,expiresAt\n${strongKey(120)},desktop,${'n'.repeat(300)},soon\n`;
    const check = await desk.imported('words.csv', csv, '--dry-run', '--errors', desk.at('words-errors.csv'));
    expect(check.code).toBe(EXIT.invalid);
    expect(desk.lines('words-errors.csv').slice(1).toSorted()).toEqual([
      '1,2,expiresAt,INVALID_FORMAT,"must be a time in ISO 8601, such as 2027-01-31T00:00:00.000Z"',
      '1,2,name,TOO_BIG,must be text of 1 to 255 characters',
    ]);
  });

  it('does not import a file twice, nor a changed one, nor into another realm', async () => {
    const csv =
      'key,policy\n' +
      Array.from(
        { length: 1001 },
        (_, i) => `${strongKey(5000 + i)},${i < 1000 ? 'desktop' : 'gone'}\n`,
      ).join('');
    expect((await desk.imported('changed.csv', csv)).code).toBe(EXIT.refused);
    const resume = ['license', 'import', desk.at('changed.csv'), '--resume'];
    writeFileSync(desk.at('changed.csv'), csv.replace('gone', 'desktop'));
    expect((await desk.run(resume)).stderr).toContain('the file has been changed since');
    writeFileSync(desk.at('changed.csv'), csv);
    expect((await desk.run([...resume, '--map', 'key=name'])).stderr).toContain('another option');
    expect((await desk.run(['--environment', 'test', ...resume])).stderr).toContain(
      'another appliance, tenant, environment',
    );
    expect((await desk.run([...resume, '--skip-errors'])).code).toBe(EXIT.invalid);
    const done = await desk.run([...resume, '--skip-errors']);
    expect(done.stderr).toContain('this import was finished before; what it did then:');
    expect((await desk.run(['license', 'import', desk.at('changed.csv')])).stderr).toContain(
      'has been imported already',
    );
  });
});
