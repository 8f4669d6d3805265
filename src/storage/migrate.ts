import { Kysely, SqliteDialect } from 'kysely';
import { type Migration, type MigrationProvider, Migrator } from 'kysely/migration';
import { Fault } from '../faults.ts';
import type { Database } from './database.ts';
import * as foundation from './migrations/0001-foundation.ts';

/** Every migration there is, in order of name. One file each; never changed after a release. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-foundation': foundation,
};

const provider: MigrationProvider = { getMigrations: () => Promise.resolve({ ...MIGRATIONS }) };

/** How a database stands to this program. */
export type SchemaState = 'empty' | 'older' | 'current' | 'newer';

/** Compares the migrations a database has seen with those this program knows. */
export function schemaState(database: Database): SchemaState {
  const applied = appliedMigrations(database);
  const known = Object.keys(MIGRATIONS);
  if (applied.some((name) => !known.includes(name))) return 'newer';
  if (applied.length === 0) return 'empty';
  return applied.length < known.length ? 'older' : 'current';
}

/**
 * Brings a database to this program's schema, in one transaction.
 * @throws Fault DATABASE_TOO_NEW when it was written by a later version: nothing is touched.
 */
export async function migrate(database: Database): Promise<void> {
  if (schemaState(database) === 'newer') {
    const unknown = appliedMigrations(database).filter((name) => !(name in MIGRATIONS));
    throw new Fault(
      'DATABASE_TOO_NEW',
      `the database has migration ${unknown.join(', ')}, unknown to this program`,
    );
  }
  const kysely = new Kysely<unknown>({ dialect: new SqliteDialect({ database: database.native }) });
  const { error } = await new Migrator({ db: kysely, provider }).migrateToLatest();
  // The connection is ours, not kysely's: it is not destroyed here.
  if (error !== undefined) {
    throw new Fault('DATA_DIRECTORY_INVALID', 'the database could not be migrated; nothing was changed', {
      cause: error,
    });
  }
}

function appliedMigrations(database: Database): string[] {
  const table = database.native
    .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'kysely_migration'")
    .get();
  if (table === undefined) return [];
  const names = database.native.prepare('SELECT name FROM kysely_migration ORDER BY name').pluck().all();
  return names as string[]; // a TEXT column
}
