import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Fault } from '../faults.ts';

/** Where a page ended, in the order of its sort: a sequence number, a name, or several columns. */
export type CursorKey = string | number | readonly (string | number)[];

/** Rows of a page when nothing is said, and at most. */
export const PAGE_DEFAULT = 25;
export const PAGE_LIMIT = 100;

/** No cursor we give is longer; what is longer is not read. */
const CURSOR_CHARACTERS = 1024;
const KEY_PARTS = 4;

/** The query members of every list; a route adds its filters: `z.strictObject({ ...PAGE_QUERY, status })`. */
export const PAGE_QUERY = {
  limit: z.coerce.number().int().min(1).max(PAGE_LIMIT).default(PAGE_DEFAULT).meta({
    description: 'How many rows to answer with.',
  }),
  cursor: z.string().min(1).max(CURSOR_CHARACTERS).optional().meta({
    description: 'Where the previous page ended: its `nextCursor`, with the same sort and filters.',
  }),
};

/** Orders of a list of rows that are numbered as they are made; every row keeps its place for ever. */
export const CREATION_SORTS = ['-createdAt', 'createdAt'] as const;

/** `sort` of such a list: newest first when nothing is said. */
export const CREATION_QUERY = {
  ...PAGE_QUERY,
  sort: z.enum(CREATION_SORTS).default('-createdAt').meta({
    description: 'Newest first (`-createdAt`), or oldest first.',
  }),
};

/** A part of a list in order of creation: up to `limit` rows beyond the place `after`, exclusive. */
export interface CreationPage {
  readonly descending: boolean;
  readonly after: number;
  readonly limit: number;
}

/** Bytes of the digest by which a cursor knows its filters. */
const FILTER_DIGEST_BYTES = 9;

/**
 * The name of one list of a route, for its cursors: its sort, and a digest of its filters. A cursor that was given for
 * other filters marks no place in this list.
 */
export function listName(sort: string, filters: Readonly<Record<string, unknown>> = {}): string {
  const said = Object.entries(filters).filter(([, value]) => value !== undefined);
  if (said.length === 0) return sort;
  const text = JSON.stringify(said.sort(([a], [b]) => (a < b ? -1 : 1)));
  const digest = createHash('sha256').update(text).digest().subarray(0, FILTER_DIGEST_BYTES);
  return `${sort} ${digest.toString('base64url')}`;
}

/**
 * The part of a list in order of creation that a query asks for, one row more than its page shows.
 * @param name of `listName`
 * @throws Fault CURSOR_INVALID
 */
export function creationPage(
  query: {
    readonly sort: (typeof CREATION_SORTS)[number];
    readonly cursor?: string | undefined;
    readonly limit: number;
  },
  name: string,
): CreationPage {
  const descending = query.sort === '-createdAt';
  const first = descending ? Number.MAX_SAFE_INTEGER : -1;
  return { descending, after: decodeSequence(query.cursor, name) ?? first, limit: query.limit + 1 };
}

/** The answer of a list, for the OpenAPI document. */
export function listAnswer<T extends z.ZodType>(row: T) {
  return z.strictObject({
    data: z.array(row),
    pagination: z.strictObject({ nextCursor: z.string().nullable(), hasMore: z.boolean() }),
  });
}

/** The answer for one resource, for the OpenAPI document. */
export function oneAnswer<T extends z.ZodType>(resource: T) {
  return z.strictObject({ data: resource });
}

/** One page as it is answered. */
export interface Page<T> {
  readonly data: readonly T[];
  readonly pagination: { readonly nextCursor: string | null; readonly hasMore: boolean };
}

/**
 * An opaque cursor that carries its sort and the key of the last row. It is neither secret nor trusted: a query is tied
 * to its realm whatever a cursor says.
 */
export function encodeCursor(cursor: { readonly sort: string; readonly key: CursorKey }): string {
  return Buffer.from(JSON.stringify([cursor.sort, cursor.key])).toString('base64url');
}

/**
 * The key inside a cursor.
 * @throws Fault CURSOR_INVALID when it is not one of ours, or is of another sort.
 */
export function decodeCursor(text: string, sort: string): CursorKey {
  const parts = text.length <= CURSOR_CHARACTERS ? parsed(text) : undefined;
  if (!Array.isArray(parts) || parts.length !== 2 || parts[0] !== sort) throw invalid();
  const key: unknown = parts[1];
  // Exactly the text we give for this sort and key: there is one cursor for one place in a list.
  if (!isKey(key) || encodeCursor({ sort, key }) !== text) throw invalid();
  return key;
}

/**
 * The key of a cursor over a sequence number; undefined without a cursor: the list begins at its beginning.
 * @throws Fault CURSOR_INVALID
 */
export function decodeSequence(text: string | undefined, sort: string): number | undefined {
  if (text === undefined) return undefined;
  const key = decodeCursor(text, sort);
  if (typeof key !== 'number' || !Number.isSafeInteger(key)) throw invalid();
  return key;
}

/**
 * Makes a page of rows that were read with `limit + 1`: the one too many only says that there is more.
 * @param shape what a row looks like outside, and its key in the order of `sort`
 */
export function pageOf<Row, T>(
  rows: readonly Row[],
  limit: number,
  shape: { readonly sort: string; readonly keyOf: (row: Row) => CursorKey; readonly show: (row: Row) => T },
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = rows.length > limit && last !== undefined;
  const nextCursor = hasMore ? encodeCursor({ sort: shape.sort, key: shape.keyOf(last) }) : null;
  return { data: shown.map(shape.show), pagination: { nextCursor, hasMore } };
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    return value;
  } catch {
    return undefined; // said by the caller: not a cursor of ours
  }
}

function isKey(value: unknown): value is CursorKey {
  if (Array.isArray(value)) return value.length <= KEY_PARTS && value.every(isKeyPart);
  return isKeyPart(value);
}

function isKeyPart(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value));
}

function invalid(): Fault {
  return new Fault('CURSOR_INVALID', 'the cursor is not one of this list; start again without one');
}
