import type { Database } from './database.ts';

/** Enough to see what is wrong. */
const PROBLEMS = 100;

/** What SQLite finds wrong with a database, page by page and reference by reference; empty when it is sound. */
export function problemsOf(database: Database): string[] {
  try {
    return [...pageProblems(database), ...referenceProblems(database)];
  } catch (error) {
    // So badly damaged that it cannot be read to the end: that is what was found.
    return [String(error)];
  }
}

function pageProblems({ native }: Database): string[] {
  // One text a row.
  const said = native
    .prepare(`PRAGMA integrity_check(${String(PROBLEMS)})`)
    .pluck()
    .all() as string[];
  return said.filter((line) => line !== 'ok');
}

function referenceProblems({ native }: Database): string[] {
  // Columns of the pragma (sqlite.org/pragma.html#pragma_foreign_key_check).
  const broken = native.prepare('PRAGMA foreign_key_check').all() as { table: string; parent: string }[];
  return broken
    .slice(0, PROBLEMS)
    .map(({ table, parent }) => `a row of ${table} refers to no row of ${parent}`);
}
