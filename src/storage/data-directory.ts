import { chmodSync, mkdirSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { Fault } from '../faults.ts';
import { copyDatabase } from './backup.ts';
import { dataPaths, type DataPaths } from './data-paths.ts';
import { Database } from './database.ts';
import { DirectoryLock } from './directory-lock.ts';
import {
  demandEmpty,
  demandPrivate,
  demandUsable,
  stoppedUncleanly,
  warningsFor,
} from './directory-checks.ts';
import { appliedMigrations, migrate, MIGRATIONS, schemaState } from './migrate.ts';
import { isDevAppliance, readSetting } from './settings-store.ts';
import { type Reader, readerOf } from './tx.ts';

const OWNER_DIRECTORY = 0o700;
const OWNER_ONLY = 0o600;

/** A locked data directory with its open database. */
export interface DataDirectory {
  readonly paths: DataPaths;
  /** The one writing connection. */
  readonly database: Database;
  /** What an operator should know; logged at start. */
  readonly warnings: readonly string[];
  /** The last process was killed or lost power: check the integrity once requests are served. */
  readonly uncleanStop: boolean;
  /** Closes the database and lets the next process in. */
  close(): void;
}

/** Which kind of appliance the caller means: a throw-away one is never served as a real one, nor the other way round. */
export interface ApplianceKind {
  readonly dev: boolean;
  /** Only the restore itself opens what it has unpacked. */
  readonly restoring?: boolean;
}

/**
 * Makes an empty data directory and its database, locked and open, for `init`.
 * @throws Fault DATA_DIRECTORY_INVALID when there is something in it already, DATA_DIRECTORY_IN_USE
 */
export async function createDataDirectory(root: string): Promise<DataDirectory> {
  mkdirSync(root, { recursive: true, mode: OWNER_DIRECTORY });
  demandPrivate(root);
  demandEmpty(root);
  const paths = dataPaths(root);
  return locked(paths, async () => {
    for (const directory of [paths.keys, paths.slots, paths.run])
      mkdirSync(directory, { mode: OWNER_DIRECTORY });
    const database = openDatabase(paths);
    await closingOnFailure(database, () => migrate(database));
    return { database, uncleanStop: false };
  });
}

/**
 * Locks and opens an existing data directory. An older database is copied beside it, then brought to the schema of this
 * program.
 * @throws Fault DATA_DIRECTORY_INVALID, DATA_DIRECTORY_IN_USE, DATABASE_TOO_NEW, DEV_APPLIANCE, DISK_FULL: nothing was changed
 */
export async function openDataDirectory(
  root: string,
  kind: ApplianceKind,
  migrations = MIGRATIONS,
): Promise<DataDirectory> {
  const paths = dataPaths(root);
  demandUsable(paths, { restoring: kind.restoring === true });
  return locked(paths, async () => {
    const uncleanStop = stoppedUncleanly(paths);
    mkdirSync(paths.run, { recursive: true, mode: OWNER_DIRECTORY });
    const database = openDatabase(paths);
    await closingOnFailure(database, async () => {
      await bringUpToDate(database, { paths, migrations });
      demandInitialised(database, paths);
      demandKind(database, { paths, kind });
    });
    return { database, uncleanStop };
  });
}

/**
 * Opens the database of a directory for reading alone, whether an appliance runs in it or not; takes no lock, changes nothing.
 * @throws Fault DATA_DIRECTORY_INVALID when there is none
 */
export function readDataDirectory(root: string): {
  readonly paths: DataPaths;
  readonly reader: Reader;
  close(): void;
} {
  const paths = dataPaths(root);
  demandUsable(paths, { restoring: true });
  const database = Database.openReader(paths.database);
  return {
    paths,
    reader: readerOf(database),
    close: () => {
      database.close();
    },
  };
}

async function locked(
  paths: DataPaths,
  open: () => Promise<Pick<DataDirectory, 'database' | 'uncleanStop'>>,
): Promise<DataDirectory> {
  const lock = new DirectoryLock(paths);
  try {
    const opened = await open();
    const close = (): void => {
      opened.database.close();
      lock.release();
    };
    return { paths, warnings: warningsFor(paths), close, ...opened };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function openDatabase(paths: DataPaths): Database {
  try {
    const database = Database.openWriter(paths.database);
    chmodSync(paths.database, OWNER_ONLY);
    return database;
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('DATA_DIRECTORY_INVALID', `${paths.database} cannot be opened as a database`, {
      cause: error,
    });
  }
}

async function closingOnFailure(database: Database, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    database.close();
    throw error;
  }
}

async function bringUpToDate(
  database: Database,
  { paths, migrations }: { readonly paths: DataPaths; readonly migrations: typeof MIGRATIONS },
): Promise<void> {
  const state = schemaState(database, migrations);
  if (state === 'empty') {
    throw new Fault('DATA_DIRECTORY_INVALID', `${paths.database} is not the database of an appliance`);
  }
  if (state === 'older') await keepCopy(database, paths);
  await migrate(database, migrations);
}

/**
 * A migration that turns out wrong must leave a way back.
 * 1. The copy under another name, checked and on disk. Stop here: the next start makes it again.
 * 2. Renamed, over that of an attempt that failed, and the name on disk. Only now is anything migrated.
 * @throws Fault DISK_FULL, BACKUP_INVALID when the database itself is damaged
 */
async function keepCopy(database: Database, paths: DataPaths): Promise<void> {
  const copy = paths.before(appliedMigrations(database).at(-1) ?? 'first');
  const fresh = `${copy}.new`;
  await rm(fresh, { force: true });
  await copyDatabase(paths.database, fresh);
  await rename(fresh, copy);
  await using directory = await open(paths.root, 'r');
  await directory.sync();
}

/** `init` writes everything in one unit: without it there are tables and nothing in them. */
function demandInitialised(database: Database, paths: DataPaths): void {
  if (readSetting(readerOf(database), 'applianceId') !== undefined) return;
  throw new Fault(
    'DATA_DIRECTORY_INVALID',
    `init did not finish in ${paths.root}; remove the directory and run init again`,
  );
}

function demandKind(
  database: Database,
  { paths, kind }: { readonly paths: DataPaths; readonly kind: ApplianceKind },
): void {
  const dev = isDevAppliance(readerOf(database));
  if (dev && !kind.dev) throw new Fault('DEV_APPLIANCE', `${paths.root} is a development appliance`);
  if (!dev && kind.dev) {
    throw new Fault('DATA_DIRECTORY_INVALID', `${paths.root} is a real appliance, not a development one`);
  }
}
