import type { RealmId } from '../../src/storage/realm-scope.ts';
import { dynamicStatement, type QueryBuilder } from '../../src/storage/statement.ts';

type Build = Parameters<typeof dynamicStatement>[0];

/** How a store writes a statement; the cases differ in their text only, the type of the query is of no interest. */
export type Writing = (db: QueryBuilder, p: { readonly realm: RealmId }) => unknown;

/** A statement and what is said when it is refused. */
export type Refusal = readonly [title: string, build: Writing, why: RegExp];

/** What is said of a table that no condition ties to the realm. */
export const NOT_TIED = /is not tied to a realm/;

/** Checks a statement as a store's would be. */
export function check(build: Writing): ReturnType<typeof dynamicStatement> {
  return dynamicStatement(build as Build);
}
