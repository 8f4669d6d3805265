// `npm run bench:growth`: grows one appliance to 1 000, 100 000 and 1 000 000 licences (as many machines, ten times as many
// ledger entries), measures reads and writes at each size beside a copy of the first, and verifies the whole ledger.
//   -- --quick           1 000, 3 000 and 10 000 licences; writes nothing
//   -- --minutes <n>     longest time for building (15); what fits is measured and named
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readIdentity } from '../../src/daemon/identity.ts';
import { verifyStored } from '../../src/ledger/index.ts';
import { Database } from '../../src/storage/database.ts';
import { readerOf } from '../../src/storage/tx.ts';
import { auditDatabase } from '../../test/campaigns/audit-database.ts';
import { temporaryDirectory } from '../../test/support/daemon.ts';
import { type MadeAppliance, makeAppliance, serve } from '../appliance.ts';
import { MixedLoad, watchMemory } from '../cases/mixed.ts';
import { startRows } from '../cases/startup.ts';
import { openAppliance } from '../in-process.ts';
import type { BenchMachine } from '../machines.ts';
import { type BenchRow, figure, machineClass, tableOf, writeResults } from '../report.ts';
import { createPolicy, loadOurs, openStage } from '../stage.ts';
import { grow, type GrownFrom } from './generator.ts';
import { measureGrowth } from './measure.ts';
import { sizeRows, tableSizes } from './sizes.ts';

const MINUTE_MS = 60_000;
const BAR_LOADED_MIB = 400;

const { values: flags } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, minutes: { type: 'string', default: '15' } },
});
const SIZES = flags.quick ? ([1000, 3000, 10_000] as const) : ([1000, 100_000, 1_000_000] as const);
const REQUESTS = flags.quick ? 200 : 4000;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** What has been built so far. */
interface Built {
  readonly made: MadeAppliance;
  readonly from: GrownFrom;
  lives: number;
  readonly sample: BenchMachine[];
  /** Time spent on building, milliseconds. */
  spentMs: number;
}

async function begin(root: string): Promise<Built> {
  const made = await makeAppliance(root);
  const appliance = await serve(made);
  const stage = await openStage({ appliance, floorUrl: '', sizes: { requests: 0, many: 0, batches: 0 } });
  const policyId = await createPolicy(stage, { name: 'Grown', maxMachines: 1000 });
  await appliance.stop();
  return { made, from: { productId: stage.productId, policyId }, lives: 0, sample: [], spentMs: 0 };
}

async function build(built: Built, until: number): Promise<void> {
  const started = performance.now();
  const deadline = started + Number(flags.minutes) * MINUTE_MS - built.spentMs;
  const [before, cpu] = [built.lives, process.cpuUsage()];
  {
    await using opened = await openAppliance(built.made);
    const { lives, sample } = await grow(opened, built.from, { lives: built.lives, until, deadline });
    built.lives = lives;
    built.sample.push(...sample);
  }
  // What was left to the system to write is written now, and not beside what is measured.
  spawnSync('sync');
  const took = performance.now() - started;
  const { user, system } = process.cpuUsage(cpu);
  built.spentMs += took;
  const rate = ((built.lives - before) * 1000) / took;
  const cpuUs = (user + system) / (built.lives - before);
  say(
    `  built ${figure(built.lives)} licences in ${figure(took / 1000)} s; ${figure(rate)}/s, ${figure(cpuUs)} µs of CPU each`,
  );
  if (built.lives < until) say(`  the time for building is over: what fits is measured`);
}

/** A copy of the appliance as it is now: what larger ones are compared with, a fresh one for each. */
function copyOf(built: Built, data: string): Built {
  const source = built.made.data;
  cpSync(source, data, { recursive: true, filter: (path) => !path.endsWith('operator.sock') });
  return { ...built, made: { ...built.made, data }, sample: [...built.sample] };
}

/** What the generator makes is what an appliance makes: every rule that tests hold a database to holds. */
function audit({ made }: Built): void {
  const { problems } = auditDatabase(join(made.data, 'mintmark.db'));
  if (problems.length > 0) throw new Error(`the generator makes what must not be: ${problems.join('; ')}`);
}

async function measureSize(small: Built, large: Built): Promise<BenchRow[]> {
  const name = large.lives.toLocaleString('en');
  const servers = [await serve(small.made), await serve(large.made)] as const;
  try {
    const sizes = {
      small: { ...small, mark: name, stage: { appliance: servers[0] } },
      large: { ...large, mark: name, stage: { appliance: servers[1] } },
    };
    const rows = await measureGrowth(sizes, { name, requests: REQUESTS });
    return [...rows, await loadedRow(large, servers[1])];
  } finally {
    for (const server of servers) await server.stop();
  }
}

async function loadedRow(large: Built, appliance: Awaited<ReturnType<typeof serve>>): Promise<BenchRow> {
  const memory = watchMemory(appliance.pid);
  await loadOurs({ appliance }, new MixedLoad(large.sample).asking(), { requests: 8 * REQUESTS });
  const most = await memory.stop();
  const name = `memory, most under mixed load, ${large.lives.toLocaleString('en')} licences`;
  const bar = `≤ ${BAR_LOADED_MIB} MiB`;
  return { name, unit: 'MiB', ours: most, floor: null, bar, holds: most <= BAR_LOADED_MIB };
}

/** Every entry against its hash, every hash against the signed checkpoints. */
function verifyLedger({ made }: Built): BenchRow {
  const database = Database.openReader(join(made.data, 'mintmark.db'));
  const reader = readerOf(database);
  const started = performance.now();
  const report = verifyStored({ reader, origin: readIdentity(reader).origin });
  const perSecond = (report.size * 1000) / (performance.now() - started);
  database.close();
  if (report.problems.length > 0 || report.signedSize !== report.size)
    throw new Error(`the ledger does not verify: ${JSON.stringify(report.problems.slice(0, 3))}`);
  const name = `verify the stored ledger, ${report.size.toLocaleString('en')} entries, signed to the last`;
  return { name, unit: 'entries/s', ours: perSecond, floor: null, bar: '', holds: null };
}

using directory = temporaryDirectory();
say(`Measuring on ${machineClass()} …`);
const built = await begin(join(directory.path, 'grown'));
const rows: BenchRow[] = [];
const [smallest, ...larger] = SIZES;
await build(built, smallest);
audit(built);
const first = copyOf(built, join(directory.path, 'first'));
for (const size of larger) {
  await build(built, size);
  rows.push(...(await measureSize(copyOf(first, join(directory.path, `beside-${size}`)), built)));
  if (built.lives < size) break;
}
rows.push(...(await startRows(built.made, built.lives)), ...(await sizeRows(built.made, built.lives)));
rows.push(verifyLedger(built));
say(`\n${tableOf(rows)}\n\n${tableSizes(built.made, built.lives)}`);
if (!flags.quick) writeResults(rows, join(import.meta.dirname, '..', 'results-growth.json'));
