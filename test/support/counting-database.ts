import { Database } from '../../src/storage/database.ts';

/** A connection that counts the statements it executes. */
export interface Counting {
  /** For `openTestStorage({ database })`. */
  readonly database: (path: string) => Database;
  /** Statements executed since the last call. */
  readonly statements: () => number;
}

/** Makes a writer that counts what is executed; opening and closing transactions do not count. */
export function countingDatabase(): Counting {
  let count = 0;
  const counted = <T>(execute: () => T): T => {
    count += 1;
    return execute();
  };
  return {
    database: (path) => {
      const database = Database.openWriter(path);
      const get = database.get.bind(database);
      const all = database.all.bind(database);
      const run = database.run.bind(database);
      const find = database.find.bind(database);
      database.get = (...args) => counted(() => get(...args) as never); // what it was called with decides its type
      database.all = (...args) => counted(() => all(...args) as never);
      database.run = (...args) => counted(() => run(...args));
      database.find = (...args) => counted(() => find(...args) as never);
      return database;
    },
    statements: () => {
      const seen = count;
      count = 0;
      return seen;
    },
  };
}
