import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapedCell, unescapedCell } from '../../../src/cli/bulk/csv-cell.ts';
import { csvRecords, delimiterOf } from '../../../src/cli/bulk/csv-records.ts';
import { textLines } from '../../../src/cli/bulk/json-lines.ts';

/** A text in pieces of so many characters, none of them cut in two. */
async function* pieces(text: string, size: number): AsyncGenerator<string> {
  const characters = Array.from(text);
  for (let at = 0; at < characters.length; at += size) {
    yield Promise.resolve(characters.slice(at, at + size).join(''));
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const cellsOf = async (text: string, delimiter: string | null = null): Promise<(readonly string[])[]> =>
  (await all(csvRecords(pieces(text, 7), delimiter))).map(({ cells }) => cells);

const cell = fc.string({
  unit: fc.constantFrom('a', 'é', '"', ',', ';', '\n', '\r', ' ', '=', '+', '-', '@', "'", '\t', '😀'),
});
/** A record of one empty cell is a blank line, which no reader can tell from none. */
const record = fc.array(cell, { minLength: 2, maxLength: 4 });

describe('cells of an export', () => {
  it('come back as they were, whatever they hold', () => {
    const same = (text: string): void => {
      expect(unescapedCell(escapedCell(text))).toBe(text);
    };
    fc.assert(fc.property(fc.string(), same));
    fc.assert(fc.property(cell, same));
  });

  it('never begin with what a spreadsheet runs', () => {
    fc.assert(fc.property(cell, (text) => !/^[=+\-@\t\r\n]/.test(escapedCell(text))));
    expect(['=1+1', '+1', '-1', '@x', "'x", 'x=1'].map(escapedCell)).toEqual([
      "'=1+1",
      "'+1",
      "'-1",
      "'@x",
      "''x",
      'x=1',
    ]);
  });
});

describe('a CSV file', () => {
  it('is read as it was written, in whatever pieces it arrives', async () => {
    const written = fc.record({
      records: fc.array(record, { minLength: 1, maxLength: 5 }),
      delimiter: fc.constantFrom(',', ';', '\t'),
      size: fc.integer({ min: 1, max: 9 }),
      lineEnd: fc.constantFrom('\n', '\r\n'),
    });
    await fc.assert(
      fc.asyncProperty(written, async ({ records, delimiter, size, lineEnd }) => {
        const text = stringify(records, { delimiter, record_delimiter: lineEnd, quoted: true });
        const read = await all(csvRecords(pieces(text, size), delimiter));
        expect(read.map(({ cells }) => cells)).toEqual(records);
      }),
    );
  });

  it('is divided by what divides its first line', async () => {
    expect(await cellsOf('a;b\n"1;1";"2,2,2"\n')).toEqual([
      ['a', 'b'],
      ['1;1', '2,2,2'],
    ]);
    expect(await cellsOf('a\tb,c\td\n1\t2\t3\n')).toEqual([
      ['a', 'b,c', 'd'],
      ['1', '2', '3'],
    ]);
    expect(['key', '"a;b;c",d', 'a|b', ''].map(delimiterOf)).toEqual([',', ',', '|', ',']);
    expect(await cellsOf('a;b,c\n1;2,3\n', ',')).toEqual([
      ['a;b', 'c'],
      ['1;2', '3'],
    ]);
  });

  it('may end its lines in any way, and have blank ones', async () => {
    expect(await cellsOf('a,b\r\n1,2\n\n3,4\r5,6')).toEqual([
      ['a', 'b'],
      ['1', '2'],
      ['3', '4'],
      ['5', '6'],
    ]);
  });

  it('says on which line a record ends, line ends inside of quotes counted', async () => {
    const read = await all(csvRecords(pieces('a,b\n"1\n1",2\n3,4\n', 5), null));
    expect(read.map(({ line }) => line)).toEqual([1, 3, 4]);
  });

  it.each([
    ['a quote that is never closed', 'a,b\n"SECRET-KEY-1,2\n', 'a quote is not closed'],
    ['text behind a closing quote', 'a,b\n"SECRET-KEY-1"x,2\n', 'something stands behind a closing quote'],
    [
      'a quote inside a bare cell',
      'a,b\nSECRET"-KEY-1,2\n',
      'a quote stands inside a cell that is not quoted',
    ],
    ['a record without an end', `a,b\n"SECRET-KEY-1${'x'.repeat(300_000)}`, 'a row is longer than 256 KB'],
  ])('with %s is refused with the line, never with a cell', async (_, text, words) => {
    const refused = cellsOf(text);
    await expect(refused).rejects.toMatchObject({ exitCode: 2 });
    const { message, remedy } = (await refused.catch((error: unknown) => error)) as {
      message: string;
      remedy: string;
    };
    expect(message).toMatch(/in line \d+: /);
    expect(message).toContain(words);
    expect(`${message}${remedy}`).not.toContain('SECRET');
  });
});

describe('a JSONL file', () => {
  it('is read line by line, in whatever pieces it arrives; blank lines count as lines', async () => {
    for (const size of [1, 3, 100]) {
      const read = await all(textLines(pieces('{"a":1}\r\n\n{"b":2}\n{"c":"é"}', size)));
      expect(read.map(({ text, line }) => [text.trim(), line])).toEqual([
        ['{"a":1}', 1],
        ['{"b":2}', 3],
        ['{"c":"é"}', 4],
      ]);
    }
  });

  it('with a line without an end is refused', async () => {
    await expect(all(textLines(pieces('x'.repeat(400_000), 50_000)))).rejects.toMatchObject({ exitCode: 2 });
  });
});
