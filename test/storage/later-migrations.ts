import { writeSync } from 'node:fs';
import { type Kysely, sql } from 'kysely';
import { MIGRATIONS, type Migrations } from '../../src/storage/migrate.ts';

/** The program of a later version: one migration more, which changes a table with rows in it and adds another. */
export const LATER = later(upgrade);

/** The same with a migration that fails when it has done half of its work. */
export const FAILING = later(async (db) => {
  await upgrade(db);
  await sql`INSERT INTO no_such_table VALUES (1)`.execute(db);
});

/** The same with a migration that never ends; it says so when it has done half of its work. */
export const ENDLESS = later(async (db) => {
  await upgrade(db);
  writeSync(1, 'half way\n');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});

function later(up: (db: Kysely<unknown>) => Promise<void>): Migrations {
  return { ...MIGRATIONS, '0002-later': { up } };
}

async function upgrade(db: Kysely<unknown>): Promise<void> {
  await sql`ALTER TABLE licenses ADD COLUMN note TEXT NOT NULL DEFAULT 'none'`.execute(db);
  await sql`UPDATE licenses SET note = 'of ' || id`.execute(db);
  await sql`CREATE TABLE notes (id TEXT PRIMARY KEY) STRICT`.execute(db);
}
