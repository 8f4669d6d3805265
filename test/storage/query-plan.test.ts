import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RealmId } from '../../src/storage/realm-scope.ts';
import { registeredStatements, type SqlValue, type Statement } from '../../src/storage/statement.ts';
import { TABLES } from '../../src/storage/tables.ts';
import { openTestStorage, type TestStorage } from '../support/storage.ts';

const growing: readonly string[] = Object.entries(TABLES).flatMap(([name, row]) => (row.grows ? [name] : []));

beforeAll(async () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' });
  const declaring = files.filter((file) => file.endsWith('-store.ts') || /^storage\/[a-z-]+\.ts$/.test(file));
  // A worker's file runs when it is imported; it declares nothing.
  for (const file of declaring.filter((name) => !name.endsWith('-worker.ts')))
    await import(resolve('src', join(file)));
});

/** One line of EXPLAIN QUERY PLAN per step. */
function planOf(storage: TestStorage, statement: Statement<never, unknown>): string[] {
  const values = statement.bind(anyParameters(), 1 as RealmId);
  const rows = storage.database.native.prepare(`EXPLAIN QUERY PLAN ${statement.sql}`).all(...values) as {
    detail: string;
  }[];
  return rows.map(({ detail }) => detail);
}

/** A plan does not depend on the values. */
function anyParameters(): Record<string, SqlValue> {
  return new Proxy({}, { get: () => 1 });
}

/** The first or last few rows of a table, in the order of its key: a scan by name, a step of a few rows in truth. */
function readsOneEnd(storage: TestStorage, statement: Statement<never, unknown>): boolean {
  const sorts = planOf(storage, statement).some((step) => step.includes('TEMP B-TREE'));
  return (
    / order by \S+( asc| desc)? limit \+?\?$/.test(statement.sql) &&
    !/ where | join /.test(statement.sql) &&
    !sorts
  );
}

function scans(plan: readonly string[]): string[] {
  return plan.filter((step) => {
    const scanned = /^SCAN (\w+)/.exec(step)?.[1];
    return scanned !== undefined && growing.includes(scanned);
  });
}

describe('every prepared statement', () => {
  it('is known to this test', () => {
    expect(registeredStatements().length).toBeGreaterThan(30);
  });

  it('finds its rows of a growing table by an index', async () => {
    await using storage = await openTestStorage();
    const scanning = registeredStatements()
      .filter((statement) => !readsOneEnd(storage, statement))
      .map((statement) => ({ sql: statement.sql, scans: scans(planOf(storage, statement)) }))
      .filter((found) => found.scans.length > 0);
    expect(scanning).toEqual([]);
  });

  it('would be found if it scanned', async () => {
    await using storage = await openTestStorage();
    const rows = storage.database.native
      .prepare('EXPLAIN QUERY PLAN SELECT id FROM licenses WHERE version = 7')
      .all() as { detail: string }[];
    expect(scans(rows.map(({ detail }) => detail))).toEqual(['SCAN licenses']);
  });
});
