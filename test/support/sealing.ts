import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { Cell, Indexer, IndexName, KeyedDigest, Sealer } from '../../src/custody/sealer.ts';
import { Fault } from '../../src/faults.ts';
import type { RealmId } from '../../src/storage/realm-scope.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER = Buffer.from([1, 0, 1]);

/** What a test above storage seals and looks up with. */
export interface TestSealing {
  readonly sealer: Sealer;
  readonly indexer: Indexer;
  /** Gives every realm another index key: new digests use it, look-ups try all. */
  rotateIndexKey(): void;
}

/**
 * Sealing with the format and the obligations of custody's, under keys drawn for one test: for tests that stand above
 * storage and want neither slots nor a data directory. The cryptography is real.
 */
export function testSealing(): TestSealing {
  const dataKey = randomBytes(32);
  const newest = { version: 1, indexKey: randomBytes(32) };
  const live = [newest];
  const digestUnder = (
    { version, indexKey }: typeof newest,
    [realm, name, value]: [RealmId, IndexName, string],
  ): KeyedDigest => {
    const info = `mintmark/1/${name.purpose}/${String(realm)}/${name.table}/${name.column}`;
    const key = createHmac('sha256', indexKey).update(info).digest();
    return { version, digest: createHmac('sha256', key).update(value).digest() };
  };
  return {
    sealer: {
      seal: (cell, plaintext) => seal(dataKey, cell, plaintext),
      open: (cell, sealed) => open(dataKey, cell, sealed),
    },
    indexer: {
      digest: (...of) => digestUnder(live[0] ?? newest, of),
      candidates: (...of) => live.map((key) => digestUnder(key, of)),
    },
    rotateIndexKey: () => {
      live.unshift({ version: live.length + 1, indexKey: randomBytes(32) });
    },
  };
}

function seal(key: Buffer, cell: Cell, plaintext: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated(cell));
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([HEADER, nonce, body, cipher.getAuthTag()]);
}

function open(key: Buffer, cell: Cell, sealed: Buffer): Buffer {
  const body = sealed.subarray(HEADER.length + NONCE_BYTES, sealed.length - TAG_BYTES);
  const nonce = sealed.subarray(HEADER.length, HEADER.length + NONCE_BYTES);
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(associated(cell));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    return Buffer.concat([decipher.update(body), decipher.final()]);
  } catch (error) {
    throw new Fault('KEY_STORAGE', 'a sealed value is damaged or belongs to another cell', { cause: error });
  }
}

/** For each part: length in 4 bytes, big-endian, then its UTF-8 bytes. */
function associated(cell: Cell): Buffer {
  const parts = ['1', String(cell.realm), cell.table, cell.column, cell.row].map((part) => Buffer.from(part));
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
}
