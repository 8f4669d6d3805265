import { Kysely, SqliteDialect } from 'kysely';
import { type Migration, type MigrationProvider, Migrator } from 'kysely/migration';
import { Fault } from '../faults.ts';
import type { Database } from './database.ts';
import * as foundation from './migrations/0001-foundation.ts';

/** Migrations by name; the order of their names is that in which they run. */
export type Migrations = Readonly<Record<string, Migration>>;

/** Every migration there is. One file each; never changed after a release. */
export const MIGRATIONS: Migrations = {
  '0001-foundation': foundation,
};

/** How a database stands to this program. */
export type SchemaState = 'empty' | 'older' | 'current' | 'newer';

/** Compares the migrations a database has seen with those this program knows. */
export function schemaState(database: Database, migrations = MIGRATIONS): SchemaState {
  const applied = appliedMigrations(database);
  const known = Object.keys(migrations);
  if (applied.some((name) => !known.includes(name))) return 'newer';
  if (applied.length === 0) return 'empty';
  return applied.length < known.length ? 'older' : 'current';
}

/**
 * Brings a database to this program's schema, in one transaction.
 * @throws Fault DATABASE_TOO_NEW when it was written by a later version: nothing is touched.
 */
export async function migrate(database: Database, migrations = MIGRATIONS): Promise<void> {
  if (schemaState(database, migrations) === 'newer') {
    const unknown = appliedMigrations(database).filter((name) => !(name in migrations));
    throw new Fault(
      'DATABASE_TOO_NEW',
      `the database has migration ${unknown.join(', ')}, unknown to this program`,
    );
  }
  const error = await inOneTransaction(database, () => runAll(database, migrations));
  if (error !== undefined) {
    throw new Fault('DATA_DIRECTORY_INVALID', 'the database could not be migrated; nothing was changed', {
      cause: error,
    });
  }
}

/**
 * kysely runs migrations of SQLite outside of any transaction: one that fails, or is killed, would leave half of itself.
 * The connection is ours alone, so that a transaction around them all is theirs.
 * @returns what `work` says went wrong; then, and when it throws, nothing of it is left
 */
async function inOneTransaction(database: Database, work: () => Promise<unknown>): Promise<unknown> {
  database.exec('BEGIN IMMEDIATE');
  try {
    const error = await work();
    database.exec(error === undefined ? 'COMMIT' : 'ROLLBACK');
    return error;
  } catch (thrown) {
    if (database.inTransaction) database.exec('ROLLBACK');
    return thrown;
  }
}

async function runAll(database: Database, migrations: Migrations): Promise<unknown> {
  const provider: MigrationProvider = { getMigrations: () => Promise.resolve({ ...migrations }) };
  const kysely = new Kysely<unknown>({ dialect: new SqliteDialect({ database: database.native }) });
  // The connection is ours, not kysely's: it is not destroyed here.
  const { error } = await new Migrator({ db: kysely, provider }).migrateToLatest();
  return error;
}

/** Names of the migrations that a database has seen, in order; none for an empty one. */
export function appliedMigrations(database: Database): string[] {
  const table = database.native
    .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'kysely_migration'")
    .get();
  if (table === undefined) return [];
  const names = database.native.prepare('SELECT name FROM kysely_migration ORDER BY name').pluck().all();
  return names as string[]; // a TEXT column
}
