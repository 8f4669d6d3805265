import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type MadeAppliance, makeAppliance, residentMiB, serve } from '../appliance.ts';
import { median } from '../latency.ts';
import type { BenchRow } from '../report.ts';
import { createPolicy, issue, openStage } from '../stage.ts';

const BAR_START_MS = 1500;
const BAR_IDLE_MIB = 150;
const STARTS = 5;
const IDLE_MS = 5000;

/** How long a start takes and how much memory an idle appliance holds, with many licences in its database. */
export async function startupCase(place: {
  readonly directory: string;
  readonly licenses: number;
}): Promise<BenchRow[]> {
  const made = await makeAppliance(join(place.directory, 'startup'));
  const appliance = await serve(made);
  const stage = await openStage({ appliance, floorUrl: '', sizes: { requests: 0, many: 0, batches: 0 } });
  await issue(stage, await createPolicy(stage, { name: 'Start' }), place.licenses);
  await appliance.stop();
  return startRows(made, place.licenses);
}

/** Starts an appliance several times; the middle counts. */
export async function startRows(made: MadeAppliance, licenses: number): Promise<BenchRow[]> {
  const starts: number[] = [];
  let idle = 0;
  while (starts.length < STARTS) {
    const again = await serve(made);
    starts.push(again.startMs);
    if (starts.length === STARTS) {
      await sleep(IDLE_MS);
      idle = residentMiB(again.pid);
    }
    await again.stop();
  }
  const count = licenses.toLocaleString('en');
  return [
    atMost(`start with ${count} licences`, 'ms', { ours: median(starts), most: BAR_START_MS }),
    atMost(`memory, idle, ${count} licences`, 'MiB', { ours: idle, most: BAR_IDLE_MIB }),
  ];
}

function atMost(
  name: string,
  unit: string,
  { ours, most }: { readonly ours: number; readonly most: number },
): BenchRow {
  return { name, unit, ours, floor: null, bar: `≤ ${most} ${unit}`, holds: ours <= most };
}
