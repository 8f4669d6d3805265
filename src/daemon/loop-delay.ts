import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Reading } from '../http/metrics.ts';

/** How often a timer is due; what it comes later than that is the delay. */
const RESOLUTION_MS = 10;
const NS_PER_SECOND = 1e9;
const RESOLUTION_S = RESOLUTION_MS / 1000;

/** What is told of the delays; 1 is the longest. */
const QUANTILES = [0.5, 0.99, 0.999, 1] as const;

/**
 * How late timers come: what every request waits besides its own work. The runtime measures it outside of JavaScript, so
 * that looking costs nothing.
 */
export class LoopDelay implements Disposable {
  readonly #histogram: ReturnType<typeof monitorEventLoopDelay>;

  constructor() {
    this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#histogram.enable();
  }

  /** Measures no more. */
  [Symbol.dispose](): void {
    this.#histogram.disable();
  }

  /** Quantiles of the delays since the last call, in seconds, labelled `quantile`; none when none was measured. */
  take(): Reading[] {
    const measured = this.#histogram;
    const readings = QUANTILES.map((quantile) => ({
      labels: { quantile: String(quantile) },
      value: Math.max(0, measured.percentile(quantile * 100) / NS_PER_SECOND - RESOLUTION_S),
    }));
    const { count } = measured;
    measured.reset();
    return count === 0 ? [] : readings;
  }
}
