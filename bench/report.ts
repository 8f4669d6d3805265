import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import type { LoopDelayMs } from './appliance.ts';
import type { Latency } from './latency.ts';

/** One line of the table: what was measured, beside what cannot be avoided. */
export interface BenchRow {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  /** The floor in the same unit and run; null where there is none. */
  readonly floor: number | null;
  readonly latency?: Latency;
  /** How late timers of the daemon came meanwhile. */
  readonly loopDelay?: LoopDelayMs;
  /** What is demanded, in words. */
  readonly bar: string;
  /** Whether the bar holds in this run; null: the row is context. */
  readonly holds: boolean | null;
}

/** The rows as a Markdown table. */
export function tableOf(rows: readonly BenchRow[]): string {
  return [
    '| case | ours | floor | ratio | p50 / p99 / p99.9 ms | loop delay p99 / longest ms | bar | holds |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map(line),
  ].join('\n');
}

/** Writes the rows with the class of the machine as JSON. */
export function writeResults(rows: readonly BenchRow[], path: string): void {
  writeFileSync(path, `${JSON.stringify({ machine: machineClass(), rows }, null, 2)}\n`);
}

function line(row: BenchRow): string {
  const { latency, loopDelay } = row;
  const ratio = row.floor === null ? '–' : (row.ours / row.floor).toFixed(2);
  const floor = row.floor === null ? '–' : figure(row.floor);
  const took = latency === undefined ? '–' : figures([latency.p50Ms, latency.p99Ms, latency.p999Ms]);
  const delay = loopDelay === undefined ? '–' : figures([loopDelay.p99Ms, loopDelay.longestMs]);
  const holds = row.holds === null ? '' : row.holds ? 'yes' : '**no**';
  const cells = [row.name, `${figure(row.ours)} ${row.unit}`, floor, ratio, took, delay, row.bar, holds];
  return `| ${cells.join(' | ')} |`;
}

const figures = (values: readonly number[]): string => values.map((value) => value.toFixed(1)).join(' / ');

/** A number with three digits that count. */
export function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(value >= 10 ? 1 : 2);
}

/** The machine in words that say nothing about whose it is. */
export function machineClass(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${availableParallelism()} cores (${model}), ${memory} GiB, Node ${process.version}`;
}
