import { join } from 'node:path';
import { purgeEvents } from '../../src/delivery/purge-events.ts';
import { DAY } from '../../src/lib/clock.ts';
import { purgeExpired } from '../../src/storage/idempotency-store.ts';
import { type MadeAppliance, makeAppliance, serve } from '../appliance.ts';
import { openAppliance, type OpenedAppliance } from '../in-process.ts';
import { type Asking, expectStatus } from '../load.ts';
import type { BenchRow } from '../report.ts';
import { createPolicy, loadOurs, openStage } from '../stage.ts';

const BAR_BEFORE = 5 * 1024;
const BAR_AFTER = 2 * 1024;
/** When everything that is kept for a time has had it. */
const LATER_DAYS = 40;

/** What a licence costs on disk: as it was created, and when its event and the kept answer have had their time. */
export async function bytesCase(place: {
  readonly directory: string;
  readonly licenses: number;
}): Promise<BenchRow[]> {
  const made = await makeAppliance(join(place.directory, 'bytes'));
  const empty = await usedBytes(made);
  await createAll(made, place.licenses);
  const before = ((await usedBytes(made)) - empty) / place.licenses;
  await purge(made, place.licenses);
  const after = ((await usedBytes(made)) - empty) / place.licenses;
  return [
    row('bytes of a licence, as created', before, BAR_BEFORE),
    row('bytes of a licence, after retention', after, BAR_AFTER),
  ];
}

function row(name: string, bytes: number, most: number): BenchRow {
  return { name, unit: 'bytes', ours: bytes, floor: null, bar: `≤ ${most}`, holds: bytes <= most };
}

/** One request for each, as a shop creates them: with names, and a key for repeating. */
async function createAll(made: MadeAppliance, licenses: number): Promise<void> {
  const appliance = await serve(made);
  const stage = await openStage({
    appliance,
    floorUrl: '',
    sizes: { requests: licenses, many: licenses, batches: 0 },
  });
  const policyId = await createPolicy(stage, { name: 'Bytes' });
  const asking: Asking = {
    request: (i) => ({
      method: 'POST',
      path: '/api/v1/licenses',
      headers: { 'idempotency-key': `bench-bytes-${i}` },
      body: JSON.stringify({
        productId: stage.productId,
        policyId,
        name: `Workstation ${i}`,
        userName: `Person ${i}`,
        userEmail: `person-${i}@example.com`,
      }),
    }),
    check: expectStatus(201),
  };
  await loadOurs(stage, asking, { requests: licenses });
  await appliance.stop();
}

/** Bytes of pages in use; a page that was freed is written again before the file grows. */
async function usedBytes(made: MadeAppliance): Promise<number> {
  await using opened = await openAppliance(made);
  return pagesInUse(opened);
}

/** Bytes of the pages that hold something. */
export function pagesInUse({ parts }: Pick<OpenedAppliance, 'parts'>): number {
  const { native } = parts.directory.database;
  const pragma = (name: string): number => Number(native.pragma(name, { simple: true }));
  return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size');
}

/** What the jobs of retention do, at a time when everything is due. */
async function purge(made: MadeAppliance, licenses: number): Promise<void> {
  await using opened = await openAppliance(made);
  const { parts, deps, realm } = opened;
  const later = deps.time.now() + LATER_DAYS * DAY;
  const time = { now: () => later };
  const events = await purgeEvents({ work: deps.work, time, keepEventsMs: deps.keepEventsMs }, realm);
  if (events < licenses) throw new Error(`${events} events were purged of ${licenses} licences`);
  let answers = 0;
  for (;;) {
    const gone = await parts.work.keep('idempotency-purge', (tx) => purgeExpired(tx.in(realm), later));
    if (gone === 0) break;
    answers += gone;
  }
  if (answers !== licenses) throw new Error(`${answers} kept answers were purged of ${licenses}`);
}
