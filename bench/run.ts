// `npm run bench`: every case beside its floor in the same run; prints the table and writes bench/results.json.
// `npm run bench -- --quick` sends fewer requests, to see that everything runs.
import { join } from 'node:path';
import { startDaemon, temporaryDirectory } from '../test/support/daemon.ts';
import { groupCommitRows } from './group-commit.ts';
import { activateCase, checkoutCase, createLicenseCase, openStage, validateCase } from './http-cases.ts';
import { ledgerRows } from './ledger.ts';
import { type BenchRow, machineClass, report } from './report.ts';
import { startFloor } from './servers.ts';
import { startupRows } from './startup.ts';

const quick = process.argv.includes('--quick');
const REQUESTS = quick ? 400 : 8000;
/** Licences that the start-up case begins with. */
const LICENSES = quick ? 1000 : 100_000;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function httpRows(directory: string): Promise<BenchRow[]> {
  const daemon = await startDaemon(join(directory, 'appliance'));
  const floor = await startFloor(directory);
  try {
    const stage = await openStage(daemon, floor.url, REQUESTS);
    // Once through everything first: nobody's first second is measured.
    await createLicenseCase({ ...stage, requests: Math.ceil(REQUESTS / 8) });
    const created = await createLicenseCase(stage);
    say(`  ${created.row.name}: ${created.row.ours.toFixed(0)}/s`);
    const activated = await activateCase(stage);
    say(`  ${activated.row.name}: ${activated.row.ours.toFixed(0)}/s`);
    const checkout = await checkoutCase(stage, activated);
    say(`  ${checkout.name}: ${checkout.ours.toFixed(0)}/s`);
    const validate = await validateCase(stage, created.keys);
    say(`  ${validate.name}: ${validate.ours.toFixed(0)}/s`);
    return [checkout, created.row, activated.row, validate];
  } finally {
    await daemon.stop();
    await floor.stop();
  }
}

using directory = temporaryDirectory();
say(`Measuring on ${machineClass()} …`);
const rows = [
  ...(await httpRows(directory.path)),
  ...(await groupCommitRows(directory.path)),
  ...(await ledgerRows()),
  ...(await startupRows(directory.path, LICENSES)),
];
say(`\n${report(rows, join(import.meta.dirname, 'results.json'))}`);
