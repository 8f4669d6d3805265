import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CliError } from '../../src/cli/exit-code.ts';
import { demandPlaceFor, writeSecretFile } from '../../src/cli/secret-file.ts';
import { details, harmless, show, table } from '../../src/cli/terminal.ts';
import { temporaryDirectory } from '../support/daemon.ts';

const COLUMNS = [
  { title: 'ID', value: (row: Readonly<Record<string, unknown>>) => row['id'] },
  { title: 'NAME', value: (row: Readonly<Record<string, unknown>>) => row['name'] },
];

describe('text from elsewhere', () => {
  it.each([
    ['\u001b[2J', String.raw`\u001b[2J`],
    ['a\rb\nc', String.raw`a\u000db\u000ac`],
    ['\u009b31m', String.raw`\u009b31m`],
    ['abc\u202excl', String.raw`abc\u202excl`],
    ['\u2066x\u2069', String.raw`\u2066x\u2069`],
    ['Werk Süd – Linie 3 ✓ 🗝', 'Werk Süd – Linie 3 ✓ 🗝'],
  ])('%j is shown as %j', (text, shown) => {
    expect(harmless(text)).toBe(shown);
  });

  it('never carries a control character to a terminal, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(harmless(text)).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });

  it('is made harmless in tables, details, lists and nested values', () => {
    const evil = '\u001b[1mok';
    const texts = [
      table(COLUMNS, [{ id: evil, name: [evil] }]),
      details({ id: evil, nested: { name: evil } }),
      show([evil]),
    ];
    for (const text of texts) expect(text).not.toContain('\u001b');
  });
});

describe('a table', () => {
  it('lines its columns up and ends no line with blanks', () => {
    const rows = [
      { id: 'prod_1', name: 'Editor' },
      { id: 'prod_22', name: null },
    ];
    expect(table(COLUMNS, rows)).toBe('ID       NAME\nprod_1   Editor\nprod_22  -');
  });

  it('fits the terminal: times lose their seconds, the widest texts their ends, ids nothing', () => {
    const id = 'lic_01J00000000000000000000000';
    const columns = ['id', 'at', 'name', 'by'].map((field) => ({
      title: field.toUpperCase(),
      value: (row: Readonly<Record<string, unknown>>) => row[field],
    }));
    const row = { id, at: '2026-11-22T10:00:05.123Z', name: 'a'.repeat(40), by: id };
    const wide = table(columns, [row]);
    expect(wide).toContain(`${id}  2026-11-22T10:00:05.123Z  ${'a'.repeat(40)}  ${id}`);
    const lines = table(columns, [row], 100).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBe(100);
    expect(lines[1]).toBe(`${id}  2026-11-22 10:00  ${'a'.repeat(17)}…  ${id}`);
    expect(table(columns, [row], 20).split('\n')[1]).toBe(`${id}  2026-11…  aaaaaaa…  ${id}`);
  });

  it('says so when there is nothing in it', () => {
    expect(table(COLUMNS, [])).toBe('(none)');
  });
});

describe('details', () => {
  it('line values up behind their names', () => {
    expect(details({ id: 'lic_1', expiresAt: null, codes: ['a', 'b'], floating: false })).toBe(
      'id:        lic_1\nexpiresAt: -\ncodes:     a, b\nfloating:  false',
    );
  });
});

describe('a secret file', () => {
  it('is readable by its owner alone', () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'shop.key');
    writeSecretFile(path, 'mm_sk_live_x');
    expect(readFileSync(path, 'utf8')).toBe('mm_sk_live_x\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('never replaces another file', () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'shop.key');
    writeFileSync(path, 'the old one');
    expect(() => writeSecretFile(path, 'the new one')).toThrow(CliError);
    expect(readFileSync(path, 'utf8')).toBe('the old one');
  });

  it('is refused a place where it could not be written, before there is anything to write', () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'shop.key');
    expect(() => demandPlaceFor(path)).not.toThrow();
    expect(() => demandPlaceFor(join(directory.path, 'absent', 'shop.key'))).toThrow('is missing');
    writeFileSync(path, 'the old one');
    expect(() => demandPlaceFor(path)).toThrow('exists already');
  });
});
