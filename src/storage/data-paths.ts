import { join } from 'node:path';

/** Where everything lies in a data directory (mode 0700). */
export interface DataPaths {
  readonly root: string;
  /** State; SQLite keeps `-wal` and `-shm` beside it. Never opened by anything but SQLite. */
  readonly database: string;
  /** Held locked for the life of the process. Never opened by anything but SQLite. */
  readonly lock: string;
  /** Number of the process that holds the lock. */
  readonly lockOwner: string;
  /** Sign-in limiter: survives a restore, is in no backup. */
  readonly limits: string;
  /** Sealed key files. */
  readonly keys: string;
  /** Slots that open the key-encryption key. */
  readonly slots: string;
  /** Last signed checkpoint of the ledger. */
  readonly anchor: string;
  /** Space to free when the disk is full. */
  readonly ballast: string;
  /** There while somebody keeps the appliance sealed. */
  readonly sealed: string;
  /** There while a backup is being restored: what lies here is no appliance yet. */
  readonly restoring: string;
  /** Copy of the database as it was before this program changed its schema, after the migration of this name. */
  readonly before: (migration: string) => string;
  readonly run: string;
  /** Local administration. */
  readonly operatorSocket: string;
}

/** The layout of a data directory. */
export function dataPaths(root: string): DataPaths {
  const at = (name: string): string => join(root, name);
  return {
    root,
    database: at('mintmark.db'),
    lock: at('lock.db'),
    lockOwner: at('lock.pid'),
    limits: at('limits.db'),
    keys: at('keys'),
    slots: at('slots'),
    anchor: at('anchor'),
    ballast: at('ballast'),
    sealed: at('sealed'),
    restoring: at('restoring'),
    before: (migration) => at(`mintmark.db.before-${migration}`),
    run: at('run'),
    operatorSocket: join(root, 'run', 'operator.sock'),
  };
}
