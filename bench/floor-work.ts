import { createCipheriv, createHash, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { type FloorStore, newFloorId, recorder } from './floor-store.ts';

/** A request's body, and the same as it arrived. */
export interface FloorRequest {
  readonly body: Readonly<Record<string, string>>;
  readonly raw: Buffer;
}

/** What answers one path; the object goes out as JSON. */
export type Handler = (request: FloorRequest) => Promise<object> | object;

/** What cannot be avoided, path by path. No policy, no schema library, no query builder, no permit, no ledger tree. */
export function floorHandlers(store: FloorStore): Readonly<Record<string, Handler>> {
  return { ...licenseHandlers(store), ...machineHandlers(store), ...validationHandlers(store) };
}

const keys = generateKeyPairSync('ed25519');

function licenseHandlers(store: FloorStore): Record<string, Handler> {
  const insertRow = store.prepare('INSERT INTO rows VALUES (?, ?, ?)');
  const insertDirectory = store.prepare('INSERT INTO directory VALUES (?, ?)');
  const insertSeats = store.prepare('INSERT INTO seats VALUES (?, 0)');
  const record = recorder(store);
  const prepare = (body: object) => {
    const [id, key] = [newFloorId(), newFloorId()];
    const sealed = Buffer.concat([
      store.seal(Buffer.from(key), id),
      store.seal(Buffer.from(JSON.stringify(body)), id),
    ]);
    return { id, key, sealed, hash: store.digest(key) };
  };
  const insert = ({ id, sealed, hash }: ReturnType<typeof prepare>): void => {
    insertRow.run(id, 'license', sealed);
    insertDirectory.run(hash, id);
    insertSeats.run(id);
    record({ action: 'license.created', id, at: Date.now() });
  };
  return {
    '/license': async ({ body }) => {
      const license = prepare(body);
      await store.commit(() => insert(license));
      return { data: { id: license.id, key: license.key, ...body } };
    },
    '/batch': async ({ body }) => {
      const licenses = Array.from({ length: Number(body['count']) }, () => prepare(body));
      await store.commit(() => licenses.forEach(insert));
      return { data: { licenses: licenses.map(({ id, key }) => ({ id, key, ...body })) } };
    },
  };
}

function machineHandlers(store: FloorStore): Record<string, Handler> {
  const insertRow = store.prepare('INSERT INTO rows VALUES (?, ?, ?)');
  const deleteRow = store.prepare('DELETE FROM rows WHERE id = ?');
  const findRow = store.prepare('SELECT body FROM rows WHERE id = ?');
  const claimSeat = store.prepare(
    'UPDATE seats SET seats = seats + 1 WHERE license = ? AND seats < 1000000000',
  );
  const freeSeat = store.prepare('UPDATE seats SET seats = seats - 1 WHERE license = ? AND seats > 0');
  const record = recorder(store);
  return {
    '/machine': async ({ body }) => {
      const { license = '', fingerprint = '' } = body;
      const id = newFloorId();
      const sealed = Buffer.concat([store.digest(fingerprint), store.seal(Buffer.from(fingerprint), id)]);
      findRow.get(license);
      await store.commit(() => {
        if (claimSeat.run(license).changes !== 1) throw new Error('no seat');
        insertRow.run(id, 'machine', sealed);
        record({ action: 'machine.activated', id, at: Date.now() });
      });
      return { data: { id, license } };
    },
    '/deactivate': async ({ body }) => {
      const { license = '', id = '' } = body;
      await store.commit(() => {
        if (deleteRow.run(id).changes !== 1 || freeSeat.run(license).changes !== 1)
          throw new Error('no machine');
        record({ action: 'machine.deactivated', id, at: Date.now() });
      });
      return { data: { id } };
    },
    '/heartbeat': ({ body }) => {
      const { id = '' } = body;
      if (findRow.get(id) === undefined) throw new Error('no machine');
      store.note(id, Date.now());
      return { data: { id } };
    },
    '/checkout': async ({ body }) => {
      const id = newFloorId();
      const row = findRow.get(body['license'] ?? '') as { body: Buffer }; // the row the benchmark made
      const { file, digest } = signedFile({
        id,
        ...body,
        filler: row.body.toString('base64').padEnd(900, '.'),
      });
      await store.commit(() => {
        insertRow.run(id, 'file', digest);
        record({ action: 'license.file_issued', id, at: Date.now() });
      });
      return { data: { certificate: file, id } };
    },
  };
}

function signedFile(dataset: Readonly<Record<string, string>> & { readonly id: string }): {
  readonly file: string;
  readonly digest: Buffer;
} {
  const iv = randomBytes(12);
  const key = createHash('sha256').update(dataset.id).digest();
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
  const sealed = Buffer.concat([cipher.update(JSON.stringify(dataset)), cipher.final()]);
  const enc = [sealed, iv, cipher.getAuthTag()].map((part) => part.toString('base64')).join('.');
  const sig = signed(Buffer.from(`machine/${enc}`)).toString('base64');
  return {
    file: Buffer.from(JSON.stringify({ enc, sig })).toString('base64'),
    digest: createHash('sha256').update(enc).digest(),
  };
}

/** A signature, verified before it leaves. */
function signed(message: Buffer): Buffer {
  const signature = sign(null, message, keys.privateKey);
  if (!verify(null, message, keys.publicKey, signature)) throw new Error('a signature does not verify');
  return signature;
}

function validationHandlers(store: FloorStore): Record<string, Handler> {
  const findByHash = store.prepare('SELECT license FROM directory WHERE hash = ?');
  const findRow = store.prepare('SELECT body FROM rows WHERE id = ?');
  let same: object = {};
  return {
    // Keeps what `/bare` answers: the same JSON as ours, written anew each time.
    '/same': ({ body }) => {
      same = body;
      return {};
    },
    '/bare': () => same,
    '/bare-signed': ({ raw }) => {
      const digests = [raw, JSON.stringify(same)].map((text) =>
        createHash('sha256').update(text).digest('base64'),
      );
      return {
        ...same,
        signature: signed(Buffer.from(digests.join('\n').padEnd(400, '.'))).toString('base64'),
      };
    },
    '/validate': ({ body }) => {
      const found = findByHash.get(store.digest(body['key'] ?? '')) as { license: string } | undefined; // its own column
      const valid = found !== undefined && findRow.get(found.license) !== undefined;
      return { data: { valid, code: valid ? 'VALID' : 'NOT_FOUND', license: found ?? null } };
    },
  };
}
