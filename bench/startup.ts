import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startDaemon } from '../test/support/daemon.ts';
import { createLicenseCase, openStage } from './http-cases.ts';
import type { BenchRow } from './report.ts';

const BAR_START_MS = 1500;
const BAR_IDLE_MIB = 150;

/** How long a start takes and how much memory an idle appliance holds, with `licenses` licences in its database. */
export async function startupRows(directory: string, licenses: number): Promise<BenchRow[]> {
  const place = join(directory, 'startup');
  const first = await startDaemon(place);
  const stage = await openStage(first, first.url, licenses);
  await createLicenseCase({ ...stage, floorUrl: '' });
  await first.stop();
  const again = await startDaemon(place);
  const idle = residentMiB(again.child.pid);
  const startMs = again.startMs;
  await again.stop();
  const count = licenses.toLocaleString('en');
  return [
    row(`start with ${count} licences`, 'ms', startMs, {
      text: `≤ ${String(BAR_START_MS)} ms`,
      most: BAR_START_MS,
    }),
    row(`memory, idle, ${count} licences`, 'MiB', idle, {
      text: `≤ ${String(BAR_IDLE_MIB)} MiB`,
      most: BAR_IDLE_MIB,
    }),
  ];
}

function row(name: string, unit: string, ours: number, bar: { text: string; most: number }): BenchRow {
  return { name, unit, ours, floor: null, bar: bar.text, holds: ours <= bar.most };
}

/** Resident set of a process, MiB. */
function residentMiB(pid: number | undefined): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}
