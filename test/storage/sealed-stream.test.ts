import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/lib/random.ts';
import { Secret } from '../../src/lib/secret.ts';
import { MAGIC, readSealedStream, sealStream } from '../../src/storage/sealed-stream.ts';

const MIB = 1024 * 1024;
const KEY = new Secret(Buffer.alloc(32, 7));
const HEADER = Buffer.from('{"v":1}\n');
const FRONT = MAGIC.length + 4 + HEADER.length + 7;
const SEALED_CHUNK = MIB + 16;

async function* of(...parts: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield await Promise.resolve(part);
}

async function join(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

function seal(plain: Buffer): Promise<Buffer> {
  return join(sealStream(of(plain), { key: KEY, header: HEADER }, systemRandom));
}

async function open(sealed: Buffer, key = KEY): Promise<Buffer> {
  return join((await readSealedStream(of(sealed))).open(key));
}

/** Bytes that differ from chunk to chunk. */
function plainOf(length: number): Buffer {
  const plain = Buffer.alloc(length);
  for (let i = 0; i < length; i += 1024) plain.writeUInt32BE(i, Math.min(i, Math.max(0, length - 4)));
  return plain;
}

const REFUSED = expect.objectContaining({ code: 'BACKUP_INVALID' }) as Error;

describe('a sealed stream', () => {
  it.each([4, 1000, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 5])('gives back %i bytes', async (length) => {
    const plain = plainOf(length);
    expect((await open(await seal(plain))).equals(plain)).toBe(true);
  });

  it('gives back nothing when nothing was sealed', async () => {
    expect((await open(await seal(Buffer.alloc(0)))).length).toBe(0);
  });

  it('does not depend on how its bytes arrive', async () => {
    const plain = plainOf(MIB + 100);
    const sealed = await seal(plain);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: sealed.length }), { maxLength: 8 }),
        async (cuts) => {
          const at = [0, ...cuts.sort((a, b) => a - b), sealed.length];
          const parts = at.slice(1).map((end, i) => sealed.subarray(at[i], end));
          const stream = await readSealedStream(of(...parts));
          expect(stream.header).toEqual(HEADER);
          expect((await join(stream.open(KEY))).equals(plain)).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('shows nothing of what it holds, and its header in clear', async () => {
    const sealed = await seal(Buffer.from('the secret of the licence'.repeat(10)));
    expect(sealed.includes('secret of')).toBe(false);
    expect(sealed.includes(HEADER)).toBe(true);
  });

  it('is refused with any bit changed, wherever', async () => {
    const sealed = await seal(Buffer.from('some bytes'));
    for (let i = 0; i < sealed.length * 8; i++) {
      const changed = Buffer.from(sealed);
      changed[i >> 3] = (changed[i >> 3] ?? 0) ^ (1 << (i & 7));
      await expect(open(changed), `bit ${String(i)}`).rejects.toThrow(REFUSED);
    }
  });

  it('is refused with any number of bytes cut off', async () => {
    const sealed = await seal(Buffer.from('some bytes'));
    for (let length = 0; length < sealed.length; length++) {
      await expect(open(sealed.subarray(0, length)), `${String(length)} bytes`).rejects.toThrow(REFUSED);
    }
  });

  it('is refused when it ends after a whole chunk that was not the last', async () => {
    const sealed = await seal(plainOf(3 * MIB));
    await expect(open(sealed.subarray(0, FRONT + SEALED_CHUNK))).rejects.toThrow(REFUSED);
    await expect(open(sealed.subarray(0, FRONT + 2 * SEALED_CHUNK))).rejects.toThrow(REFUSED);
  });

  it('is refused with chunks exchanged, left out, repeated, or something behind the end', async () => {
    const sealed = await seal(plainOf(3 * MIB));
    const front = sealed.subarray(0, FRONT);
    const chunk = (i: number): Buffer =>
      sealed.subarray(FRONT + i * SEALED_CHUNK, FRONT + (i + 1) * SEALED_CHUNK);
    const orders = [
      [1, 0, 2],
      [0, 2],
      [0, 0, 1, 2],
      [0, 1, 2, 2],
    ];
    for (const order of orders) {
      await expect(open(Buffer.concat([front, ...order.map(chunk)])), order.join()).rejects.toThrow(REFUSED);
    }
    await expect(open(Buffer.concat([sealed, Buffer.from('x')]))).rejects.toThrow(REFUSED);
  });

  it('is refused with another key, and with chunks of another stream under the same key', async () => {
    const [a, b] = [await seal(plainOf(100)), await seal(plainOf(100))];
    await expect(open(a, new Secret(Buffer.alloc(32, 8)))).rejects.toThrow(REFUSED);
    await expect(open(Buffer.concat([a.subarray(0, FRONT), b.subarray(FRONT)]))).rejects.toThrow(REFUSED);
  });
});
