// `npm run bench`: every case beside its floor in the same run; prints the table and writes bench/results.json.
//   -- --quick           small sizes, to see that everything runs; writes nothing
//   -- --only <case>     one case (several times: several); writes nothing
//   -- --profile <dir>   the daemon of the HTTP cases under --cpu-prof; prints its costs
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { temporaryDirectory } from '../test/support/daemon.ts';
import { makeAppliance, serve } from './appliance.ts';
import { activateEachCase, activateOneCase } from './cases/activate.ts';
import { batchCase } from './cases/batch.ts';
import { bytesCase } from './cases/bytes.ts';
import { checkoutCase } from './cases/checkout.ts';
import { createCase } from './cases/create.ts';
import { hsmCase } from './cases/hsm.ts';
import { mixedCase } from './cases/mixed.ts';
import { resealingCase } from './cases/resealing.ts';
import { startupCase } from './cases/startup.ts';
import { validateCase, validateSignedCase } from './cases/validate.ts';
import { verifyLibraryCase } from './cases/verify-library.ts';
import { groupCommitRows } from './group-commit.ts';
import { ledgerRows } from './ledger.ts';
import { topCosts } from './profile.ts';
import { type BenchRow, machineClass, tableOf, writeResults } from './report.ts';
import { startFloor } from './servers.ts';
import { openStage, type Sizes, type Stage } from './stage.ts';

const FULL: Sizes = { requests: 8000, many: 100_000, batches: 20 };
const QUICK: Sizes = { requests: 400, many: 500, batches: 2 };

/** Cases over HTTP, by name; they share one daemon and one floor. */
const HTTP_CASES: Readonly<Record<string, (stage: Stage) => Promise<BenchRow[]>>> = {
  checkout: checkoutCase,
  create: createCase,
  validate: validateCase,
  'validate-signed': validateSignedCase,
  mixed: mixedCase,
  batch: batchCase,
  'activate-one': activateOneCase,
  'activate-each': activateEachCase,
  'verify-library': verifyLibraryCase,
  resealing: resealingCase,
};

interface Place {
  readonly directory: string;
  readonly sizes: Sizes;
}

/** Cases that start what they need themselves. */
const OWN_CASES: Readonly<Record<string, (place: Place) => Promise<BenchRow[]>>> = {
  'group-commit': ({ directory }) => groupCommitRows(directory),
  ledger: () => ledgerRows(),
  hsm: ({ directory, sizes }) => hsmCase({ directory, requests: sizes.requests }),
  bytes: ({ directory, sizes }) => bytesCase({ directory, licenses: sizes.requests }),
  startup: ({ directory, sizes }) => startupCase({ directory, licenses: sizes.many }),
};

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    profile: { type: 'string' },
  },
});
const names = [...Object.keys(HTTP_CASES), ...Object.keys(OWN_CASES)];
const unknown = flags.only.find((name) => !names.includes(name));
if (unknown !== undefined) throw new Error(`there is no case ${unknown}; there are ${names.join(', ')}`);
const isWanted = ([name]: readonly [string, unknown]): boolean =>
  flags.only.length === 0 || flags.only.includes(name);

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function timed(name: string, run: () => Promise<BenchRow[]>): Promise<BenchRow[]> {
  const started = performance.now();
  const rows = await run();
  say(`  ${name}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
  return rows;
}

async function httpRows({ directory, sizes }: Place): Promise<BenchRow[]> {
  const wanted = Object.entries(HTTP_CASES).filter(isWanted);
  if (wanted.length === 0) return [];
  const made = await makeAppliance(join(directory, 'appliance'));
  const profiled =
    flags.profile === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${flags.profile}` };
  const appliance = await serve(made, profiled);
  const floor = await startFloor(directory);
  const rows: BenchRow[] = [];
  try {
    const stage = await openStage({ appliance, floorUrl: floor.url, sizes });
    for (const [name, run] of wanted) rows.push(...(await timed(name, () => run(stage))));
  } finally {
    await appliance.stop();
    await floor.stop();
  }
  return rows;
}

using directory = temporaryDirectory();
say(`Measuring on ${machineClass()} …`);
const place = { directory: directory.path, sizes: flags.quick ? QUICK : FULL };
const rows = await httpRows(place);
for (const [name, run] of Object.entries(OWN_CASES).filter(isWanted))
  rows.push(...(await timed(name, () => run(place))));
say(`\n${tableOf(rows)}`);
if (!flags.quick && flags.only.length === 0) writeResults(rows, join(import.meta.dirname, 'results.json'));
if (flags.profile !== undefined) say(`\n${topCosts(flags.profile)}`);
