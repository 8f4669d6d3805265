import { describe, expect, it } from 'vitest';
import { Fault } from '../../src/faults.ts';
import { DAY, HOUR } from '../../src/lib/clock.ts';
import {
  findAnswer,
  type IdempotencySlot,
  purgeExpired,
  type Rooms,
  storeAnswer,
} from '../../src/storage/idempotency-store.ts';
import type { RealmId } from '../../src/storage/realm-scope.ts';
import { openTestStorage, type TestStorage } from '../support/storage.ts';

const SLOT: IdempotencySlot = {
  principal: 'key_1',
  route: 'POST /licenses',
  keyHash: Buffer.alloc(32, 1),
};
const UNLIMITED: Rooms = { principal: null, realm: null };
const ANSWER = { bodyDigest: Buffer.alloc(32, 2), status: 201, answer: Buffer.from('sealed') };

async function store(storage: TestStorage, slot: IdempotencySlot, realm: RealmId): Promise<void> {
  await storage.work.run(storage.authority(realm), (tx) => {
    storeAnswer(tx.in(realm), slot, { ...ANSWER, now: tx.now, rooms: UNLIMITED });
  });
}

function find(storage: TestStorage, slot: IdempotencySlot, realm: RealmId): unknown {
  return findAnswer(storage.work.read.in(realm), slot, storage.clock.wall());
}

describe('stored answers', () => {
  it('are found again by the same key of the same principal on the same route', async () => {
    await using storage = await openTestStorage();
    await store(storage, SLOT, storage.acme.live);
    expect(find(storage, SLOT, storage.acme.live)).toEqual(ANSWER);
  });

  it.each([
    ['another principal', { ...SLOT, principal: 'key_2' }],
    ['another route', { ...SLOT, route: 'POST /products' }],
    ['another key', { ...SLOT, keyHash: Buffer.alloc(32, 9) }],
  ])('are not found by %s', async (_, slot) => {
    await using storage = await openTestStorage();
    await store(storage, SLOT, storage.acme.live);
    expect(find(storage, slot, storage.acme.live)).toBeUndefined();
  });

  it('are not found in another realm', async () => {
    await using storage = await openTestStorage();
    await store(storage, SLOT, storage.acme.live);
    expect(find(storage, SLOT, storage.acme.test)).toBeUndefined();
    expect(find(storage, SLOT, storage.globex.live)).toBeUndefined();
  });

  it('live for 24 hours of trusted time, then the key is free again', async () => {
    await using storage = await openTestStorage();
    await store(storage, SLOT, storage.acme.live);
    storage.clock.advance(DAY - 1);
    expect(find(storage, SLOT, storage.acme.live)).toEqual(ANSWER);
    storage.clock.advance(1);
    expect(find(storage, SLOT, storage.acme.live)).toBeUndefined();
    await store(storage, SLOT, storage.acme.live);
    expect(find(storage, SLOT, storage.acme.live)).toEqual(ANSWER);
  });

  it('refuses to store a second answer, and undoes the unit that tried', async () => {
    await using storage = await openTestStorage();
    const { live } = storage.acme;
    await store(storage, SLOT, live);
    const second = storage.work.run(storage.authority(live), (tx) => {
      storeAnswer(
        tx.in(live),
        { ...SLOT, route: 'POST /products' },
        { ...ANSWER, now: tx.now, rooms: UNLIMITED },
      );
      storeAnswer(tx.in(live), SLOT, { ...ANSWER, status: 200, now: tx.now, rooms: UNLIMITED });
    });
    await expect(second).rejects.toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS' });
    expect(find(storage, SLOT, live)).toEqual(ANSWER);
    expect(find(storage, { ...SLOT, route: 'POST /products' }, live)).toBeUndefined();
  });

  it('are purged when they are over, in slices, and not before', async () => {
    await using storage = await openTestStorage();
    const { live } = storage.acme;
    await storage.work.keep('fill', (tx) => {
      for (let i = 0; i < 2500; i++) {
        const keyHash = Buffer.from(String(i));
        storeAnswer(tx.in(live), { ...SLOT, keyHash }, { ...ANSWER, now: tx.now + i, rooms: UNLIMITED });
      }
    });
    storage.clock.advance(HOUR);
    expect(await storage.work.keep('purge', (tx) => purgeExpired(tx.in(live), tx.now))).toBe(0);
    storage.clock.advance(DAY - HOUR + 2199);
    const purged: number[] = [];
    for (let n = 1; n > 0; purged.push(n)) {
      n = await storage.work.keep('purge', (tx) => purgeExpired(tx.in(live), tx.now));
    }
    expect(purged).toEqual([1000, 1000, 200, 0]);
    expect(find(storage, { ...SLOT, keyHash: Buffer.from('2200') }, live)).toEqual(ANSWER);
  });
});

describe('room for stored answers', () => {
  const ROOM = { answers: 3, bytes: 100_000 };
  const SIZE = 200 + ANSWER.answer.length;

  /** Stores an answer under the key number `i`; the code of the fault, or null. */
  async function storeIn(
    storage: TestStorage,
    rooms: Rooms,
    given: { readonly principal?: string; readonly i: number; readonly realm?: RealmId },
  ): Promise<string | null> {
    const { principal = 'key_1', i, realm = storage.acme.live } = given;
    const slot = { ...SLOT, principal, keyHash: Buffer.from(String(i)) };
    try {
      await storage.work.run(storage.authority(realm), (tx) => {
        storeAnswer(tx.in(realm), slot, { ...ANSWER, now: tx.now, rooms });
      });
      return null;
    } catch (error) {
      return error instanceof Fault ? error.code : 'other';
    }
  }

  function counted(storage: TestStorage): unknown {
    return storage.database.native
      .prepare('SELECT principal, answers, bytes FROM idempotency_usage ORDER BY principal')
      .all();
  }

  it('is bounded by number for each principal: the unit that would pass it is undone', async () => {
    await using storage = await openTestStorage();
    const rooms = { principal: ROOM, realm: null };
    for (let i = 0; i < 3; i++) expect(await storeIn(storage, rooms, { i })).toBeNull();
    expect(await storeIn(storage, rooms, { i: 3 })).toBe('IDEMPOTENCY_LIMIT');
    expect(find(storage, { ...SLOT, keyHash: Buffer.from('3') }, storage.acme.live)).toBeUndefined();
    expect(counted(storage)).toEqual([
      { principal: '', answers: 3, bytes: 3 * SIZE },
      { principal: 'key_1', answers: 3, bytes: 3 * SIZE },
    ]);
  });

  it('of one principal is not taken by another', async () => {
    await using storage = await openTestStorage();
    const rooms = { principal: ROOM, realm: null };
    for (let i = 0; i < 5; i++) await storeIn(storage, rooms, { i });
    expect(await storeIn(storage, rooms, { principal: 'key_2', i: 0 })).toBeNull();
    expect(await storeIn(storage, rooms, { i: 0, realm: storage.globex.live })).toBeNull();
  });

  it('is bounded by bytes, too', async () => {
    await using storage = await openTestStorage();
    const rooms = { principal: { answers: 100, bytes: 2 * SIZE }, realm: null };
    expect(await storeIn(storage, rooms, { i: 0 })).toBeNull();
    expect(await storeIn(storage, rooms, { i: 1 })).toBeNull();
    expect(await storeIn(storage, rooms, { i: 2 })).toBe('IDEMPOTENCY_LIMIT');
  });

  it('is bounded for a realm, whoever fills it', async () => {
    await using storage = await openTestStorage();
    const rooms = { principal: null, realm: ROOM };
    for (let i = 0; i < 3; i++) {
      expect(await storeIn(storage, rooms, { principal: `key_${String(i)}`, i })).toBeNull();
    }
    expect(await storeIn(storage, rooms, { principal: 'key_9', i: 9 })).toBe('IDEMPOTENCY_LIMIT');
    expect(await storeIn(storage, UNLIMITED, { principal: 'operator', i: 9 })).toBeNull();
  });

  it('is there again when answers are over, and counters that are empty go', async () => {
    await using storage = await openTestStorage();
    const rooms = { principal: ROOM, realm: ROOM };
    for (let i = 0; i < 3; i++) await storeIn(storage, rooms, { i });
    storage.clock.advance(DAY);
    // The same key once more: what it had is over, and makes room for itself.
    expect(await storeIn(storage, rooms, { i: 0 })).toBeNull();
    expect(await storeIn(storage, rooms, { i: 7 })).toBe('IDEMPOTENCY_LIMIT');
    const { live } = storage.acme;
    expect(await storage.work.keep('purge', (tx) => purgeExpired(tx.in(live), tx.now))).toBe(2);
    expect(counted(storage)).toEqual([
      { principal: '', answers: 1, bytes: SIZE },
      { principal: 'key_1', answers: 1, bytes: SIZE },
    ]);
    storage.clock.advance(DAY);
    await storage.work.keep('purge', (tx) => purgeExpired(tx.in(live), tx.now));
    expect(counted(storage)).toEqual([{ principal: '', answers: 0, bytes: 0 }]);
  });
});
