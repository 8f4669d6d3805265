import { describe, expect, it } from 'vitest';
import { coveringRows, rowsNear } from './covering-rows.ts';

const AXES = {
  colour: ['red', 'green', 'blue'],
  size: [1, 2, 3, 4],
  open: [true, false],
  lid: [null, 'tin', 'wood'],
  feet: [0, 3, 4],
} as const;

type Row = ReturnType<typeof coveringRows<typeof AXES>>[number];
const NAMES = ['colour', 'size', 'open', 'lid', 'feet'] as const;

/** Every way to give some settings values of theirs. */
function meetings(names: readonly (keyof typeof AXES)[]): Partial<Row>[] {
  return names.reduce<Partial<Row>[]>(
    (parts, name) => parts.flatMap((part) => AXES[name].map((value) => ({ ...part, [name]: value }))),
    [{}],
  );
}

const PAIRS = NAMES.flatMap((one, at) => NAMES.slice(at + 1).map((other) => [one, other] as const));
const TRIPLES = PAIRS.flatMap(([one, other]) =>
  NAMES.slice(NAMES.indexOf(other) + 1).map((third) => [one, other, third] as const),
);

const isIn = (part: Partial<Row>, rows: readonly Row[]): boolean =>
  rows.some((row) => NAMES.every((name) => !(name in part) || row[name] === part[name]));

describe('rows that cover', () => {
  it.each([
    [2, PAIRS],
    [3, TRIPLES],
  ] as const)(
    'show every %i values together, in fewer rows than there are combinations',
    (strength, some) => {
      const rows = coveringRows(AXES, { strength });
      const unseen = some.flatMap((names) => meetings(names)).filter((part) => !isIn(part, rows));
      expect(unseen).toEqual([]);
      expect(rows.length).toBeLessThan(meetings(NAMES).length / 2);
      expect(rows.every((row) => NAMES.every((name) => name in row))).toBe(true);
    },
  );

  it('show nothing that is impossible, and everything else', () => {
    const impossible = ({ lid, open }: Partial<Row>): boolean => open === true && lid === null;
    const rows = coveringRows(AXES, { strength: 2, impossible });
    expect(rows.filter(impossible)).toEqual([]);
    const unseen = PAIRS.flatMap((names) => meetings(names)).filter((part) => !isIn(part, rows));
    expect(unseen).toEqual([{ open: true, lid: null }]);
  });

  it('are the same every time', () => {
    expect(coveringRows(AXES, { strength: 3 })).toEqual(coveringRows(AXES, { strength: 3 }));
  });
});

describe('rows near a row', () => {
  const base = { colour: 'red', size: 1, open: true, lid: null, feet: 0 } as const;
  const differences = (row: Row): number => NAMES.filter((name) => row[name] !== base[name]).length;

  it('are all that differ in at most so many settings, each once', () => {
    const rows = rowsNear(AXES, base, 2);
    const all = meetings(NAMES) as Row[]; // all five names
    expect(rows).toHaveLength(all.filter((row) => differences(row) <= 2).length);
    expect(new Set(rows.map((row) => JSON.stringify(row))).size).toBe(rows.length);
    expect(rows.every((row) => differences(row) <= 2)).toBe(true);
  });
});
