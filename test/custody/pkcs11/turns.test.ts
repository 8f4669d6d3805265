import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Turns } from '../../../src/custody/pkcs11/turns.ts';

const BUSY: unknown = expect.objectContaining({ code: 'SIGNER_BUSY', retryAfterMs: 1000 });

describe('turns', () => {
  it('are taken one at a time, in the order of coming, also after a failure', async () => {
    const turns = new Turns({ most: 10, waitMs: 10_000 });
    const seen: string[] = [];
    const work = (name: string) => async (): Promise<void> => {
      seen.push(`${name} begins`);
      await sleep(1);
      seen.push(`${name} ends`);
      if (name === 'b') throw new Error('b failed');
    };
    const all = await Promise.allSettled(['a', 'b', 'c'].map((name) => turns.take(work(name))));
    expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(seen).toEqual(['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]));
    expect(turns.waiting).toBe(0);
  });

  it('are refused when too many wait', async () => {
    const turns = new Turns({ most: 1, waitMs: 10_000 });
    const first = turns.take(() => sleep(5));
    const second = turns.take(() => Promise.resolve('second'));
    await expect(turns.take(() => Promise.resolve('third'))).rejects.toEqual(BUSY);
    await first;
    expect(await second).toBe('second');
    expect(await turns.take(() => Promise.resolve('later'))).toBe('later');
  });

  it('are refused when they do not come in time, and never taken afterwards', async () => {
    const turns = new Turns({ most: 10, waitMs: 10 });
    let taken = false;
    const first = turns.take(() => sleep(100));
    await expect(
      turns.take(() => {
        taken = true;
        return Promise.resolve();
      }),
    ).rejects.toEqual(BUSY);
    await first;
    expect(await turns.take(() => Promise.resolve('later'))).toBe('later');
    expect(taken).toBe(false);
  });
});
