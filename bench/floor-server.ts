// The floor: a bare program that does only what cannot be avoided, with the same libraries. It reads and parses the body,
// looks the row up, signs and verifies, encrypts, seals, and inserts the same number of rows by raw prepared statements in
// group commit. No policy, no schema library, no query builder, no permit, no ledger tree.
import {
  createCipheriv,
  createHash,
  createHmac,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import Database from 'better-sqlite3';
import Koa from 'koa';

const directory = process.argv[2];
if (directory === undefined) throw new Error('usage: floor-server.ts <directory>');

const db = new Database(`${directory}/floor.db`);
for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', 'wal_autocheckpoint = 0'])
  db.pragma(pragma);
db.exec(`CREATE TABLE rows (id TEXT PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL) STRICT;
  CREATE TABLE seats (license TEXT PRIMARY KEY, seats INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE directory (hash BLOB PRIMARY KEY, license TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE ledger (position INTEGER PRIMARY KEY, body BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
  CREATE TABLE events (position INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;`);
const insertRow = db.prepare('INSERT INTO rows VALUES (?, ?, ?)');
const insertDirectory = db.prepare('INSERT INTO directory VALUES (?, ?)');
const insertLedger = db.prepare('INSERT INTO ledger (body, hash) VALUES (?, ?)');
const insertEvent = db.prepare('INSERT INTO events (body) VALUES (?)');
const insertSeats = db.prepare('INSERT INTO seats VALUES (?, 0)');
const claimSeat = db.prepare('UPDATE seats SET seats = seats + 1 WHERE license = ? AND seats < 1000000000');
const findByHash = db.prepare('SELECT license FROM directory WHERE hash = ?');
const findRow = db.prepare('SELECT body FROM rows WHERE id = ?');

const keys = generateKeyPairSync('ed25519');
const dataKey = randomBytes(32);
const indexKey = randomBytes(32);

interface Waiting {
  readonly write: () => void;
  readonly done: () => void;
}

const queue: Waiting[] = [];

/** Group commit: everything that arrived in one turn of the event loop shares one fsync. */
function commit(write: () => void): Promise<void> {
  return new Promise((resolve) => {
    queue.push({ write, done: resolve });
    if (queue.length === 1) setImmediate(flush);
  });
}

let batches = 0;

function flush(): void {
  const batch = queue.splice(0, 64);
  db.exec('BEGIN IMMEDIATE');
  for (const { write } of batch) write();
  db.exec('COMMIT');
  for (const { done } of batch) done();
  if (queue.length > 0) setImmediate(flush);
  if (++batches % 64 === 0) db.pragma('wal_checkpoint(PASSIVE)');
}

function seal(plaintext: Buffer, aad: string): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', dataKey, nonce, { authTagLength: 16 });
  cipher.setAAD(Buffer.from(aad));
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function digest(text: string): Buffer {
  return createHmac('sha256', indexKey).update(text).digest();
}

function record(what: object): void {
  const body = Buffer.from(JSON.stringify(what));
  insertLedger.run(body, createHash('sha256').update(body).digest());
  insertEvent.run(body);
}

function newId(): string {
  return randomBytes(16).toString('hex');
}

type Handler = (body: Readonly<Record<string, string>>) => Promise<object> | object;

const handlers: Readonly<Record<string, Handler>> = {
  '/license': async (body) => {
    const id = newId();
    const key = newId();
    const sealed = seal(Buffer.from(key), id);
    const personal = seal(Buffer.from(JSON.stringify(body)), id);
    const hash = digest(key);
    await commit(() => {
      insertRow.run(id, 'license', Buffer.concat([sealed, personal]));
      insertDirectory.run(hash, id);
      insertSeats.run(id);
      record({ action: 'license.created', id, at: Date.now() });
    });
    return { data: { id, key, ...body } };
  },
  '/machine': async (body) => {
    const id = newId();
    const license = body['license'] ?? '';
    const sealed = seal(Buffer.from(body['fingerprint'] ?? ''), id);
    const hash = digest(body['fingerprint'] ?? '');
    findRow.get(license);
    await commit(() => {
      if (claimSeat.run(license).changes !== 1) throw new Error('no seat');
      insertRow.run(id, 'machine', Buffer.concat([hash, sealed]));
      record({ action: 'machine.activated', id, at: Date.now() });
    });
    return { data: { id, license } };
  },
  '/checkout': async (body) => {
    const id = newId();
    const row = findRow.get(body['license'] ?? '') as { body: Buffer }; // the row the benchmark made
    const dataset = Buffer.from(
      JSON.stringify({ id, ...body, filler: row.body.toString('base64').padEnd(900, '.') }),
    );
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', createHash('sha256').update(id).digest(), iv, {
      authTagLength: 16,
    });
    const parts = [Buffer.concat([cipher.update(dataset), cipher.final()]), iv, cipher.getAuthTag()];
    const enc = parts.map((part) => part.toString('base64')).join('.');
    const message = Buffer.from(`machine/${enc}`);
    const signature = sign(null, message, keys.privateKey);
    if (!verify(null, message, keys.publicKey, signature)) throw new Error('a signature does not verify');
    const file = Buffer.from(JSON.stringify({ enc, sig: signature.toString('base64') })).toString('base64');
    await commit(() => {
      insertRow.run(id, 'file', createHash('sha256').update(enc).digest());
      record({ action: 'license.file_issued', id, at: Date.now() });
    });
    return { data: { certificate: file, id } };
  },
  '/validate': (body) => {
    const found = findByHash.get(digest(body['key'] ?? '')) as { license: string } | undefined; // its own column
    const row = found === undefined ? undefined : findRow.get(found.license);
    return {
      data: {
        valid: row !== undefined,
        code: row === undefined ? 'NOT_FOUND' : 'VALID',
        license: found ?? null,
      },
    };
  },
};

const app = new Koa();
app.use(async (ctx) => {
  const chunks: Buffer[] = [];
  for await (const chunk of ctx.req) chunks.push(chunk as Buffer); // a request stream without encoding yields buffers
  const handler = handlers[ctx.path];
  if (handler === undefined) return;
  const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, string>; // the benchmark's own requests
  ctx.body = await handler(body);
});
const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null) {
    process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${String(address.port)}` })}\n`);
  }
});
process.on('SIGTERM', () => {
  process.exit(0);
});
