/** How long requests took, milliseconds. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

/** Quantiles of times. */
export function latencyOf(times: Iterable<number>): Latency {
  const sorted = Float64Array.from(times).sort();
  return { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99), p999Ms: quantile(sorted, 0.999) };
}

/** The middle of some figures. */
export function median(figures: readonly number[]): number {
  return quantile(Float64Array.from(figures).sort(), 0.5);
}

function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}
