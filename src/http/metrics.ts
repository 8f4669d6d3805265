import { invariant } from '../lib/invariant.ts';

/** Label names and values of one series. Never a tenant, a key, an id: the number of series must not grow with use. */
export type Labels = Readonly<Record<string, string>>;

/** Series of one metric; beyond it something is used as a label that should not be. */
const SERIES_LIMIT = 1000;
const NAME = /^[a-z][a-z0-9_]*$/;

/** Content type of the text format that Prometheus reads (version 0.0.4). */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** One growing number. */
export class Counter {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  /** Adds `by` ≥ 0. */
  add(by = 1): void {
    this.#value += by;
  }
}

/** How often a measured value fell below each bound. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count++;
    for (let at = this.#bounds.length - 1; at >= 0 && value <= (this.#bounds[at] ?? 0); at--) {
      this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    }
  }

  /** The series of this histogram in the text format. */
  lines(name: string, labels: Labels): string[] {
    const buckets = this.#bounds.map(
      (bound, at) => `${name}_bucket${labelText({ ...labels, le: String(bound) })} ${this.#counts[at] ?? 0}`,
    );
    const all = `${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${this.#count}`;
    return [
      ...buckets,
      all,
      `${name}_sum${labelText(labels)} ${this.#sum}`,
      `${name}_count${labelText(labels)} ${this.#count}`,
    ];
  }
}

/** A value that is read when somebody looks. */
export interface Reading {
  readonly labels?: Labels;
  readonly value: number;
}

interface Metric {
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly lines: (name: string) => string[];
}

/** Everything this process counts, for `GET /metrics`. */
export class Metrics {
  readonly #metrics = new Map<string, Metric>();

  /** A counter; the function returned gives the series of some labels, always the same one for the same labels. */
  counter(name: string, help: string): (labels?: Labels) => Counter {
    const series = new Series(() => new Counter());
    const lines = (as: string): string[] =>
      series.all().map(([labels, counter]) => `${as}${labelText(labels)} ${counter.value}`);
    this.#add(name, { help, type: 'counter', lines });
    return (labels = {}) => series.of(labels);
  }

  /** A histogram over `bounds`, ascending, in the unit the name ends with. */
  histogram(name: string, help: string, bounds: readonly number[]): (labels?: Labels) => Histogram {
    const series = new Series(() => new Histogram(bounds));
    const lines = (as: string): string[] =>
      series.all().flatMap(([labels, histogram]) => histogram.lines(as, labels));
    this.#add(name, { help, type: 'histogram', lines });
    return (labels = {}) => series.of(labels);
  }

  /** Values read at each look. Must be cheap and must not throw. */
  gauge(name: string, help: string, read: () => readonly Reading[]): void {
    const lines = (as: string): string[] =>
      read().map(({ labels, value }) => `${as}${labelText(labels ?? {})} ${value}`);
    this.#add(name, { help, type: 'gauge', lines });
  }

  /** All of it in the text format. */
  render(): string {
    const parts = [...this.#metrics].map(([name, { help, type, lines }]) =>
      [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines(name)].join('\n'),
    );
    return `${parts.join('\n')}\n`;
  }

  #add(name: string, metric: Metric): void {
    invariant(NAME.test(name) && !this.#metrics.has(name), `metric ${name} has a new, plain name`);
    this.#metrics.set(name, metric);
  }
}

/** The series of one metric by their labels. */
class Series<T> {
  readonly #make: () => T;
  readonly #byLabels = new Map<string, readonly [Labels, T]>();

  constructor(make: () => T) {
    this.#make = make;
  }

  of(labels: Labels): T {
    const key = labelText(labels);
    const known = this.#byLabels.get(key);
    if (known !== undefined) return known[1];
    invariant(this.#byLabels.size < SERIES_LIMIT, `a metric has at most ${SERIES_LIMIT} series`);
    const made = this.#make();
    this.#byLabels.set(key, [labels, made]);
    return made;
  }

  all(): (readonly [Labels, T])[] {
    return [...this.#byLabels.values()];
  }
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
