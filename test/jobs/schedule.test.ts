import { describe, expect, it } from 'vitest';
import { Schedule } from '../../src/jobs/schedule.ts';
import { systemClock } from '../../src/lib/clock.ts';

function until(condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (condition()) resolve();
      else setImmediate(look);
    };
    look();
  });
}

describe('schedule', () => {
  it('runs a job again and again, and never beside itself', async () => {
    const schedule = new Schedule({ clock: systemClock, onError: () => undefined });
    let runs = 0;
    let inside = 0;
    let most = 0;
    const run = async (): Promise<void> => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
      runs += 1;
    };
    schedule.add({ name: 'count', everyMs: 1, run });
    await until(() => runs >= 5);
    await schedule.stop();
    const after = runs;
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(most).toBe(1);
    expect(runs).toBe(after);
  });

  it('reports a failing job and goes on with it', async () => {
    const errors: string[] = [];
    const schedule = new Schedule({ clock: systemClock, onError: (job) => errors.push(job) });
    schedule.add({ name: 'broken', everyMs: 1, run: () => Promise.reject(new Error('no')) });
    await until(() => errors.length >= 2);
    await schedule.stop();
    expect(schedule.report()[0]).toMatchObject({ name: 'broken', failures: errors.length });
  });

  it('asks before each run whether it may', async () => {
    const schedule = new Schedule({ clock: systemClock, onError: () => undefined });
    let asked = 0;
    let ran = 0;
    const mayRun = (): boolean => {
      asked += 1;
      return false;
    };
    const run = (): Promise<void> => {
      ran += 1;
      return Promise.resolve();
    };
    schedule.add({ name: 'held', everyMs: 1, mayRun, run });
    await until(() => asked >= 3);
    await schedule.stop();
    expect(ran).toBe(0);
  });
});
