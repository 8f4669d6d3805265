import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../src/faults.ts';
import {
  creationPage,
  decodeCursor,
  decodeSequence,
  encodeCursor,
  listName,
  pageOf,
  PAGE_QUERY,
} from '../../src/http/list.ts';
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

describe('the name of a list', () => {
  it('is its sort when nothing is filtered', () => {
    expect(listName('-createdAt')).toBe('-createdAt');
    expect(listName('-createdAt', { status: undefined })).toBe('-createdAt');
  });

  it('tells filters apart, in whatever order they stand', () => {
    const name = listName('name', { status: 'active', productId: 'prod_1' });
    expect(name).toMatch(/^name [A-Za-z0-9_-]{12}$/);
    expect(listName('name', { productId: 'prod_1', status: 'active', policyId: undefined })).toBe(name);
    for (const other of [{ status: 'active' }, { status: 'banned', productId: 'prod_1' }, {}]) {
      expect(listName('name', other)).not.toBe(name);
    }
  });
});

describe('a part of a list in order of creation', () => {
  const name = listName('createdAt');

  it('begins at its end when the newest come first, at its beginning otherwise, and reads one row more', () => {
    expect(creationPage({ sort: '-createdAt', limit: 25 }, name)).toEqual({
      ...{ descending: true, after: Number.MAX_SAFE_INTEGER, limit: 26 },
    });
    expect(creationPage({ sort: 'createdAt', limit: 1 }, name)).toEqual({
      ...{ descending: false, after: -1, limit: 2 },
    });
  });

  it('goes on after the row of its cursor, the first one too', () => {
    for (const key of [0, 7]) {
      const cursor = encodeCursor({ sort: name, key });
      expect(creationPage({ sort: 'createdAt', cursor, limit: 25 }, name).after).toBe(key);
    }
  });

  it('is refused with the cursor of another list', () => {
    const cursor = encodeCursor({ sort: listName('createdAt', { status: 'active' }), key: 7 });
    expect(refusal(() => creationPage({ sort: 'createdAt', cursor, limit: 25 }, name))).toBe(
      'CURSOR_INVALID',
    );
  });
});
