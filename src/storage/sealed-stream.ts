import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { Fault } from '../faults.ts';
import { invariant } from '../lib/invariant.ts';
import type { Random } from '../lib/random.ts';
import type { Secret } from '../lib/secret.ts';

/**
 * A stream of any length under one key, in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, 2015):
 *
 *   magic "mintmark-backup/1\n"
 *   header length (4, big-endian) ‖ header, in clear
 *   prefix (7 random bytes)
 *   chunks: AES-256-GCM of 1 MiB each (the last: 0 … 1 MiB), tag (16) at the end of each
 *
 * Nonce of a chunk = prefix ‖ number (4, big-endian) ‖ 1 for the last chunk, else 0: nothing can be cut off, left out
 * or put in another order. Associated data of each = SHA-256 of everything before the chunks.
 */
export const MAGIC = Buffer.from('mintmark-backup/1\n', 'ascii');

const CHUNK_BYTES = 1024 * 1024;
const TAG_BYTES = 16;
const PREFIX_BYTES = 7;
const LENGTH_BYTES = 4;
/** A header holds slots and a wrapped key; anything of this size is something else. */
const MAX_HEADER_BYTES = 256 * 1024;
const MAX_CHUNKS = 2 ** 32;

/** Bytes as they come. */
export type Bytes = AsyncIterable<Buffer>;

/** What a stream is sealed with. The key must be of this stream alone. */
export interface StreamKey {
  /** 32 bytes. */
  readonly key: Secret<Buffer>;
  /** Shown in clear, protected against change. */
  readonly header: Buffer;
}

/** Seals a stream; memory used is a few chunks. */
export async function* sealStream(source: Bytes, sealing: StreamKey, random: Random): AsyncGenerator<Buffer> {
  invariant(sealing.header.length <= MAX_HEADER_BYTES, 'the header of a backup is small');
  const prefix = random.bytes(PREFIX_BYTES);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(sealing.header.length);
  const front = Buffer.concat([MAGIC, length, sealing.header, prefix]);
  yield front;
  const chunk = chunkCipher(sealing.key, front, prefix);
  for await (const { bytes, number, last } of inChunks(source, CHUNK_BYTES))
    yield chunk.seal(bytes, number, last);
}

/** A sealed stream whose clear front has been read; `open` gives what was sealed. */
export interface SealedStream {
  readonly header: Buffer;
  /**
   * What was sealed, each chunk as soon as it is proven. Only when the iteration has ended is it proven whole.
   * @throws Fault BACKUP_INVALID when it was changed, cut off, put in another order, or the key is another one
   */
  open(key: Secret<Buffer>): AsyncGenerator<Buffer>;
}

/** Reads the front of a sealed stream. @throws Fault BACKUP_INVALID when it is something else. */
export async function readSealedStream(source: Bytes): Promise<SealedStream> {
  const reader = new ExactReader(source);
  const magic = await reader.take(MAGIC.length);
  if (!magic.equals(MAGIC)) throw damaged('it does not begin like a backup of this program');
  const length = await reader.take(LENGTH_BYTES);
  const headerBytes = length.readUInt32BE();
  if (headerBytes > MAX_HEADER_BYTES) throw damaged('its header is too large');
  const header = await reader.take(headerBytes);
  const prefix = await reader.take(PREFIX_BYTES);
  const front = Buffer.concat([magic, length, header, prefix]);
  return { header, open: (key) => openChunks(reader, chunkCipher(key, front, prefix)) };
}

async function* openChunks(reader: ExactReader, chunk: ChunkCipher): AsyncGenerator<Buffer> {
  for await (const { bytes, number, last } of inChunks(reader.rest(), CHUNK_BYTES + TAG_BYTES)) {
    yield chunk.open(bytes, number, last);
  }
}

interface ChunkCipher {
  seal(plain: Buffer, number: number, last: boolean): Buffer;
  open(sealed: Buffer, number: number, last: boolean): Buffer;
}

function chunkCipher(key: Secret<Buffer>, front: Buffer, prefix: Buffer): ChunkCipher {
  const associated = createHash('sha256').update(front).digest();
  const nonceOf = (number: number, last: boolean): Buffer => {
    invariant(number < MAX_CHUNKS, 'a stream has fewer than 2^32 chunks');
    const tail = Buffer.alloc(LENGTH_BYTES + 1);
    tail.writeUInt32BE(number);
    tail.writeUInt8(last ? 1 : 0, LENGTH_BYTES);
    return Buffer.concat([prefix, tail]);
  };
  const options = { authTagLength: TAG_BYTES };
  return {
    seal: (plain, number, last) => {
      const cipher = createCipheriv('aes-256-gcm', key.expose(), nonceOf(number, last), options);
      cipher.setAAD(associated);
      return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    open: (sealed, number, last) => {
      if (sealed.length < TAG_BYTES) throw damaged('it is cut off');
      const decipher = createDecipheriv('aes-256-gcm', key.expose(), nonceOf(number, last), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(associated);
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
      try {
        return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
      } catch (error) {
        throw damaged(`part ${String(number)} was changed, cut off, or sealed with another key`, error);
      }
    },
  };
}

interface Chunk {
  readonly bytes: Buffer;
  readonly number: number;
  readonly last: boolean;
}

/** The same bytes in pieces of one size; the last one is shorter, or empty when there is nothing at all. */
async function* inChunks(source: Bytes, size: number): AsyncGenerator<Chunk> {
  let held: Buffer[] = [];
  let length = 0;
  let number = 0;
  for await (const part of source) {
    held.push(part);
    length += part.length;
    // What could be the last chunk is kept until more bytes come.
    while (length > size) {
      const joined = Buffer.concat(held);
      yield { bytes: joined.subarray(0, size), number: number++, last: false };
      held = [joined.subarray(size)];
      length -= size;
    }
  }
  yield { bytes: Buffer.concat(held), number, last: true };
}

/** Takes exact numbers of bytes from the front of a stream, then gives the rest as it comes. */
export class ExactReader {
  readonly #source: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(source: Bytes) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** @throws Fault BACKUP_INVALID when the stream ends before. */
  async take(length: number): Promise<Buffer> {
    while (this.#held.length < length) {
      const more = await this.#source.next();
      if (more.done === true) throw damaged('it is cut off');
      this.#held = Buffer.concat([this.#held, more.value]);
    }
    const taken = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return taken;
  }

  /** At most `most` bytes, whatever is there; undefined at the end. */
  async some(most: number): Promise<Buffer | undefined> {
    if (this.#held.length === 0) {
      const more = await this.#source.next();
      if (more.done === true) return undefined;
      this.#held = more.value;
    }
    return this.take(Math.min(most, this.#held.length));
  }

  /** Everything that is left. */
  async *rest(): AsyncGenerator<Buffer> {
    for (let some = await this.some(CHUNK_BYTES); some !== undefined; some = await this.some(CHUNK_BYTES))
      yield some;
  }
}

/** What is said of a backup that cannot be used. */
export function damaged(why: string, cause?: unknown): Fault {
  return new Fault(
    'BACKUP_INVALID',
    `the backup cannot be used: ${why}`,
    cause === undefined ? {} : { cause },
  );
}
