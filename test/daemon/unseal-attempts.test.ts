import { describe, expect, it } from 'vitest';
import { UnsealAttempts } from '../../src/daemon/unseal-attempts.ts';
import { Fault } from '../../src/faults.ts';

function begun() {
  let now = 5000;
  const attempts = new UnsealAttempts({ wall: () => 0, monotonic: () => now });
  const fail = (local: boolean): Promise<unknown> =>
    attempts.count(local, () => Promise.reject(new Error('wrong'))).catch(() => undefined);
  /** How long the next one over HTTP has to wait, in milliseconds. */
  const wait = (): unknown => {
    try {
      attempts.demandTurn();
      return 0;
    } catch (error) {
      return error instanceof Fault ? [error.code, error.retryAfterMs] : error;
    }
  };
  return { attempts, fail, wait, pass: (ms: number) => (now += ms) };
}

describe('attempts to unseal over HTTP', () => {
  it('wait twice as long after each that failed, and never longer than five minutes', async () => {
    const { fail, wait, pass } = begun();
    const waits: unknown[] = [];
    for (let seconds = 1; waits.length < 11; seconds = Math.min(300, seconds * 2)) {
      await fail(false);
      waits.push(wait());
      pass(seconds * 1000 - 1);
      expect(wait()).toEqual(['RATE_LIMITED', 1]);
      pass(1);
      expect(wait()).toBe(0);
    }
    const seconds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300];
    expect(waits).toEqual(seconds.map((one) => ['RATE_LIMITED', one * 1000]));
  });

  it('wait for none that failed at the local socket, which is counted all the same', async () => {
    const { attempts, fail, wait } = begun();
    await fail(true);
    await fail(true);
    expect([wait(), attempts.failures]).toEqual([0, 2]);
    await fail(false);
    expect([wait(), attempts.failures]).toEqual([['RATE_LIMITED', 1000], 3]);
  });

  it('begin anew once one has opened', async () => {
    const { attempts, fail, wait } = begun();
    for (let i = 0; i < 5; i++) await fail(false);
    attempts.forget();
    expect([wait(), attempts.failures]).toEqual([0, 0]);
    await fail(false);
    expect(wait()).toEqual(['RATE_LIMITED', 1000]);
  });
});
