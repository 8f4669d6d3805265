import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import Database from 'better-sqlite3';

/** Statements in one commit, and commits between two checkpoints, as ours. */
const BATCH_UNITS = 64;
const CHECKPOINT_EVERY = 64;
/** Uses of machines are written behind, once a second, as ours. */
const FLUSH_MS = 1000;

interface Waiting {
  readonly write: () => void;
  readonly done: () => void;
}

/** Rows by raw prepared statements in group commit, on the same library with the same durability. */
export class FloorStore {
  readonly #db: Database.Database;
  readonly #dataKey = randomBytes(32);
  readonly #indexKey = randomBytes(32);
  readonly #queue: Waiting[] = [];
  readonly #seen = new Map<string, number>();
  #batches = 0;

  constructor(directory: string) {
    this.#db = new Database(`${directory}/floor.db`);
    for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', 'wal_autocheckpoint = 0'])
      this.#db.pragma(pragma);
    this.#db.exec(`CREATE TABLE rows (id TEXT PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL) STRICT;
      CREATE TABLE seats (license TEXT PRIMARY KEY, seats INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE uses (machine TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE directory (hash BLOB PRIMARY KEY, license TEXT NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE ledger (position INTEGER PRIMARY KEY, body BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
      CREATE TABLE events (position INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;`);
    setInterval(() => this.#flushUses(), FLUSH_MS).unref();
  }

  /** A prepared statement; kept by whoever runs it. */
  prepare(sql: string): Database.Statement {
    return this.#db.prepare(sql);
  }

  /** Group commit: everything that arrived in one turn of the event loop shares one fsync. */
  commit(write: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#queue.push({ write, done: resolve });
      if (this.#queue.length === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const batch = this.#queue.splice(0, BATCH_UNITS);
    this.#db.exec('BEGIN IMMEDIATE');
    for (const { write } of batch) write();
    this.#db.exec('COMMIT');
    for (const { done } of batch) done();
    if (this.#queue.length > 0) setImmediate(() => this.#flush());
    if (++this.#batches % CHECKPOINT_EVERY === 0) this.#db.pragma('wal_checkpoint(PASSIVE)');
  }

  /** AES-256-GCM with a nonce of its own. */
  seal(plaintext: Buffer, aad: string): Buffer {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#dataKey, nonce, { authTagLength: 16 });
    cipher.setAAD(Buffer.from(aad));
    return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  }

  /** A keyed digest. */
  digest(text: string): Buffer {
    return createHmac('sha256', this.#indexKey).update(text).digest();
  }

  /** Notes that a machine was seen; written behind. */
  note(machine: string, at: number): void {
    this.#seen.set(machine, at);
  }

  #flushUses(): void {
    const insert = this.#db.prepare(
      'INSERT INTO uses VALUES (?, ?) ON CONFLICT (machine) DO UPDATE SET at = excluded.at',
    );
    const seen = [...this.#seen];
    this.#seen.clear();
    if (seen.length === 0) return;
    void this.commit(() => {
      for (const row of seen) insert.run(...row);
    });
  }
}

/** What stands for a ledger entry and an event: one row each, hashed once. */
export function recorder(store: FloorStore): (what: object) => void {
  const insertLedger = store.prepare('INSERT INTO ledger (body, hash) VALUES (?, ?)');
  const insertEvent = store.prepare('INSERT INTO events (body) VALUES (?)');
  return (what) => {
    const body = Buffer.from(JSON.stringify(what));
    insertLedger.run(body, createHash('sha256').update(body).digest());
    insertEvent.run(body);
  };
}

/** An id. */
export function newFloorId(): string {
  return randomBytes(16).toString('hex');
}
