import { describe, expect, it } from 'vitest';
import { openFileSequence } from '../../src/storage/file-sequence.ts';
import { openTestStorage } from '../support/storage.ts';

const BRANCH = '00112233445566ff';

describe('numbers of issued files', () => {
  it('starts at 1 and goes up by one', async () => {
    await using storage = await openTestStorage();
    const sequence = await openFileSequence(storage, BRANCH);
    expect([sequence.next(), sequence.next(), sequence.next()]).toEqual([1, 2, 3]);
    expect(sequence.branch).toBe(BRANCH);
  });

  it('never gives a number twice when the process is gone without a word', async () => {
    await using storage = await openTestStorage();
    const given = new Set<number>();
    for (let life = 0; life < 5; life++) {
      const sequence = await openFileSequence(storage, BRANCH);
      for (let i = 0; i < 10 ** life; i += 7) given.add(sequence.next());
      // No close: as after kill -9.
    }
    expect(given.size).toBe(1 + 2 + 15 + 143 + 1429);
  });

  it('goes on without a gap after a clean stop', async () => {
    await using storage = await openTestStorage();
    const first = await openFileSequence(storage, BRANCH);
    first.next();
    first.next();
    await first.close();
    expect(() => first.next()).toThrow('no number is given after the sequence was closed');
    const second = await openFileSequence(storage, BRANCH);
    expect(second.next()).toBe(3);
  });

  it('gives more numbers than one block holds, each of them reserved before', async () => {
    await using storage = await openTestStorage();
    const sequence = await openFileSequence(storage, BRANCH);
    let last = 0;
    for (let i = 0; i < 20_000; i++) {
      last = sequence.next();
      const mark = storage.database.native.prepare('SELECT state FROM job_state').pluck().get();
      expect(Number(mark)).toBeGreaterThanOrEqual(last);
      if (i % 500 === 0) await new Promise(setImmediate);
    }
    expect(last).toBe(20_000);
  });

  it('refuses when a block is used up and no other could be reserved', async () => {
    await using storage = await openTestStorage();
    const sequence = await openFileSequence(storage, BRANCH);
    // The event loop is never given back, so that the reservation cannot be committed.
    for (let i = 0; i < 4096; i++) sequence.next();
    expect(() => sequence.next()).toThrow(expect.objectContaining({ code: 'OVERLOADED' }) as Error);
  });

  it('counts every branch for itself', async () => {
    await using storage = await openTestStorage();
    const first = await openFileSequence(storage, BRANCH);
    first.next();
    const other = await openFileSequence(storage, 'ffeeddccbbaa9988');
    expect(other.next()).toBe(1);
  });
});
