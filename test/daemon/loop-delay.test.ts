import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { LoopDelay } from '../../src/daemon/loop-delay.ts';

const HELD_MS = 200;

/** Holds the event loop, as too long a piece of work does. */
function hold(): void {
  const until = performance.now() + HELD_MS;
  while (performance.now() < until);
}

const longest = (delay: LoopDelay): number =>
  delay.take().find(({ labels }) => labels?.['quantile'] === '1')?.value ?? 0;

describe('the delay of the event loop', () => {
  it('is as long as what held it, and told once', async () => {
    const delay = new LoopDelay();
    await sleep(50);
    hold();
    await sleep(50);
    expect(longest(delay)).toBeGreaterThan((HELD_MS - 20) / 1000);
    expect(delay.take()).toEqual([]);
  });

  it('has four quantiles in order, none of them below zero', async () => {
    const delay = new LoopDelay();
    await sleep(100);
    const readings = delay.take();
    expect(readings.map(({ labels }) => labels?.['quantile'])).toEqual(['0.5', '0.99', '0.999', '1']);
    const values = readings.map(({ value }) => value);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    expect(values[0]).toBeGreaterThanOrEqual(0);
  });
});
