import { expect } from 'vitest';
import type { Database } from '../../src/storage/database.ts';
import { brokenRules } from '../../src/storage/consistency.ts';

/**
 * What is true of every database at every moment, whatever a test did: called at the end of each test that writes.
 * The tree over the ledger is the ledger's own to check.
 */
export function assertInvariants(database: Database): void {
  expect(brokenInvariants(database)).toEqual([]);
}

/** What is broken, with at most three rows of each. */
export function brokenInvariants(database: Database): { readonly what: string; readonly rows: unknown[] }[] {
  const { native } = database;
  const found = brokenRules(database);
  const references = {
    what: 'a reference to nothing',
    rows: native.prepare('PRAGMA foreign_key_check').all(),
  };
  const pages = native
    .prepare('PRAGMA integrity_check')
    .pluck()
    .all()
    .filter((said) => said !== 'ok');
  return [...found, references, { what: 'a damaged database', rows: pages }].filter(
    ({ rows }) => rows.length > 0,
  );
}
