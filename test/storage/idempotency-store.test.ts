import { describe, expect, it } from 'vitest';
import { DAY, HOUR } from '../../src/lib/clock.ts';
import {
  findAnswer,
  type IdempotencySlot,
  purgeExpired,
  storeAnswer,
} from '../../src/storage/idempotency-store.ts';
import type { RealmId } from '../../src/storage/realm-scope.ts';
import { openTestStorage, type TestStorage } from '../support/storage.ts';

const SLOT: IdempotencySlot = {
  principal: 'key_1',
  route: 'POST /licenses',
  keyHash: Buffer.alloc(32, 1),
};
const ANSWER = { bodyDigest: Buffer.alloc(32, 2), status: 201, answer: Buffer.from('sealed') };

async function store(storage: TestStorage, slot: IdempotencySlot, realm: RealmId): Promise<void> {
  await storage.work.run(storage.authority(realm), (tx) => {
    storeAnswer(tx.in(realm), slot, { ...ANSWER, now: tx.now });
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
      storeAnswer(tx.in(live), { ...SLOT, route: 'POST /products' }, { ...ANSWER, now: tx.now });
      storeAnswer(tx.in(live), SLOT, { ...ANSWER, status: 200, now: tx.now });
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
        storeAnswer(tx.in(live), { ...SLOT, keyHash }, { ...ANSWER, now: tx.now + i });
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
