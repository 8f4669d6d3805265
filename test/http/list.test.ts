import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../src/faults.ts';
import { decodeCursor, decodeSequence, encodeCursor, pageOf, PAGE_QUERY } from '../../src/http/list.ts';
import { z } from 'zod';

const part = fc.oneof(fc.string(), fc.integer());
const refusal = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error instanceof Fault ? error.code : error;
  }
};

describe('cursors', () => {
  it('carry any key back, for the sort they were made for', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 20 }),
        fc.oneof(part, fc.array(part, { maxLength: 4 })),
        (sort, key) => {
          const text = encodeCursor({ sort, key });
          if (text.length > 1024) return;
          expect(decodeCursor(text, sort)).toEqual(key);
        },
      ),
    );
  });

  it('are refused with another sort', () => {
    const text = encodeCursor({ sort: 'seq', key: 12 });
    expect(refusal(() => decodeCursor(text, 'name'))).toBe('CURSOR_INVALID');
  });

  it('are refused when they are anything else than one of ours', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (text) => {
        expect(refusal(() => decodeCursor(text, 'seq'))).toBe('CURSOR_INVALID');
      }),
    );
  });

  it.each([null, {}, [1, 2, 3, 4, 5], [[1]], Number.MAX_VALUE * 10, true])(
    'are refused with the key %j',
    (key) => {
      const text = Buffer.from(JSON.stringify(['seq', key])).toString('base64url');
      expect(refusal(() => decodeCursor(text, 'seq'))).toBe('CURSOR_INVALID');
    },
  );

  it('over a sequence number hold a whole number', () => {
    expect(decodeSequence(undefined, 'seq')).toBeUndefined();
    expect(decodeSequence(encodeCursor({ sort: 'seq', key: 5 }), 'seq')).toBe(5);
    expect(refusal(() => decodeSequence(encodeCursor({ sort: 'seq', key: 'x' }), 'seq'))).toBe(
      'CURSOR_INVALID',
    );
    expect(refusal(() => decodeSequence(encodeCursor({ sort: 'seq', key: 1.5 }), 'seq'))).toBe(
      'CURSOR_INVALID',
    );
  });
});

describe('pages', () => {
  const shape = { sort: 'seq', keyOf: (row: number) => row, show: (row: number) => ({ row }) };

  it('end with a cursor at their last row when there is one row too many', () => {
    const page = pageOf([1, 2, 3], 2, shape);
    expect(page.data).toEqual([{ row: 1 }, { row: 2 }]);
    expect(page.pagination.hasMore).toBe(true);
    expect(decodeSequence(page.pagination.nextCursor ?? undefined, 'seq')).toBe(2);
  });

  it('end without a cursor at the end of the list', () => {
    expect(pageOf([1, 2], 2, shape).pagination).toEqual({ nextCursor: null, hasMore: false });
    expect(pageOf([], 2, shape)).toEqual({ data: [], pagination: { nextCursor: null, hasMore: false } });
  });

  it('take 1 to 100 rows, 25 when nothing is said', () => {
    const query = z.strictObject(PAGE_QUERY);
    expect(query.parse({}).limit).toBe(25);
    expect(query.parse({ limit: '100' }).limit).toBe(100);
    for (const limit of ['0', '101', '1.5', 'x', '-1'])
      expect(query.safeParse({ limit }).success).toBe(false);
  });
});
