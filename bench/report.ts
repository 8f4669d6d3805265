import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';

/** One line of the table: what was measured, beside what cannot be avoided. */
export interface BenchRow {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  /** The floor in the same unit and run; null where there is none. */
  readonly floor: number | null;
  /** Latency at the 99th percentile, milliseconds. */
  readonly p99Ms?: number;
  /** What reliability demands, in words. */
  readonly bar: string;
  /** Whether the bar holds in this run; null: the row is context. */
  readonly holds: boolean | null;
}

/** Prints the rows as a Markdown table and writes them to bench/results.json. */
export function report(rows: readonly BenchRow[], path: string): string {
  const lines = [
    '| case | ours | floor | ratio | p99 | bar | holds |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map(line),
  ];
  writeFileSync(path, `${JSON.stringify({ machine: machineClass(), rows }, null, 2)}\n`);
  return lines.join('\n');
}

function line(row: BenchRow): string {
  const ratio = row.floor === null ? '–' : (row.ours / row.floor).toFixed(2);
  const p99 = row.p99Ms === undefined ? '–' : `${row.p99Ms.toFixed(1)} ms`;
  const floor = row.floor === null ? '–' : figure(row.floor);
  const holds = row.holds === null ? '' : row.holds ? 'yes' : '**no**';
  return `| ${row.name} | ${figure(row.ours)} ${row.unit} | ${floor} | ${ratio} | ${p99} | ${row.bar} | ${holds} |`;
}

function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(value >= 10 ? 1 : 2);
}

/** The machine in words that say nothing about whose it is. */
export function machineClass(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `${String(availableParallelism())} cores (${model}), ${String(Math.round(totalmem() / 2 ** 30))} GiB, Node ${process.version}`;
}
