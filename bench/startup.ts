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
    row(
      { name: `start with ${count} licences`, unit: 'ms', ours: startMs },
      {
        text: `≤ ${String(BAR_START_MS)} ms`,
        most: BAR_START_MS,
      },
    ),
    row(
      { name: `memory, idle, ${count} licences`, unit: 'MiB', ours: idle },
      {
        text: `≤ ${String(BAR_IDLE_MIB)} MiB`,
        most: BAR_IDLE_MIB,
      },
    ),
  ];
}

function row(
  measured: { readonly name: string; readonly unit: string; readonly ours: number },
  bar: { readonly text: string; readonly most: number },
): BenchRow {
  return { ...measured, floor: null, bar: bar.text, holds: measured.ours <= bar.most };
}

/** Resident set of a process, MiB. */
function residentMiB(pid: number | undefined): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}
