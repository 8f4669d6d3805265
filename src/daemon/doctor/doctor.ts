import { Fault } from '../../faults.ts';
import * as database from './database-checks.ts';
import type { Examined } from './examined.ts';
import * as files from './file-checks.ts';
import { failed, type Finding, type Outcome } from './finding.ts';
import * as standing from './standing-checks.ts';

interface Check {
  readonly name: string;
  /** Only with `deep`, or only without it; absent: always. */
  readonly deep?: boolean;
  readonly look: (examined: Examined) => Outcome[] | Promise<Outcome[]>;
}

/** Everything that is looked at, in the order in which it is shown. */
const CHECKS: readonly Check[] = [
  { name: 'configuration', look: files.lookAtConfiguration },
  { name: 'data directory', look: files.lookAtDirectory },
  { name: 'disk', look: files.lookAtSpace },
  { name: 'slots', look: files.lookAtSlots },
  { name: 'database', look: database.lookAtPages },
  // The deep look walks over the ledger as well.
  { name: 'ledger', deep: false, look: database.lookAtLedger },
  { name: 'anchors', look: database.lookAtAnchors },
  { name: 'small tables', look: database.lookAtSmallTables },
  { name: 'signing keys', look: files.lookAtKeys },
  { name: 'data keys', look: files.lookAtKeyUse },
  { name: 'trust bundles', look: standing.lookAtTrust },
  { name: 'clock', look: standing.lookAtClock },
  { name: 'backup', look: standing.lookAtBackup },
  { name: 'contents', deep: true, look: database.lookAtContents },
  { name: 'rows', deep: true, look: database.lookAtRows },
];

/**
 * Looks at an appliance, running or not, and changes nothing. A check that cannot be carried out is a finding like any
 * other: what is damaged must not hide the rest.
 */
export async function examine(examined: Examined, wanted: { readonly deep: boolean }): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { name, deep = wanted.deep, look } of CHECKS) {
    if (deep !== wanted.deep) continue;
    for (const outcome of await carriedOut(look, examined)) findings.push({ check: name, ...outcome });
  }
  return findings;
}

async function carriedOut(look: Check['look'], examined: Examined): Promise<Outcome[]> {
  try {
    return await look(examined);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const remedy =
      error instanceof Fault ? 'See the reason.' : 'Restore the newest backup if nothing else helps.';
    return [failed(`it could not be looked at: ${reason}`, remedy)];
  }
}
