import { Custody } from '../../custody/index.ts';
import type { AnchorFinding, LedgerReport } from '../../ledger/index.ts';
import { checkContents, checkIntegrity, type IntegrityReport } from '../../storage/integrity.ts';
import { readIdentity } from '../identity.ts';
import { readAnchors } from '../standing.ts';
import { compareSmallTables, type Mismatch } from './compare-rows.ts';
import type { Examined } from './examined.ts';
import { failed, first, ok, type Outcome, unchecked, warning } from './finding.ts';
import { lookDeep, verifyLedger } from './walk-ledger.ts';

const RESTORE = 'Keep a copy as evidence, and restore the newest backup: `mintmark backup restore`.';
const ACCEPT =
  'Find out who wrote the file. Restore a backup, or take a row as it stands: `mintmark doctor accept <kind> <id> --reason …`.';

/** Every page, index and reference. */
export async function lookAtPages({ paths }: Examined): Promise<Outcome[]> {
  return [outcomeOf(await checkIntegrity(paths.database), 'pages, indexes and references are sound')];
}

/** Every count and index row against the rows it follows from; every sealed value against its key. */
export async function lookAtContents({ paths }: Examined): Promise<Outcome[]> {
  const good = 'counts follow from their rows, and the key of every sealed value is there';
  return [outcomeOf(await checkContents(paths.database), good)];
}

function outcomeOf({ ok: sound, problems }: IntegrityReport, good: string): Outcome {
  return sound ? ok(good) : failed(first(problems), RESTORE);
}

/** The ledger from its entries up to every checkpoint. */
export async function lookAtLedger(examined: Examined): Promise<Outcome[]> {
  const { origin } = readIdentity(examined.reader);
  return [ledgerOutcome(await verifyLedger({ ...examined, origin }))];
}

function ledgerOutcome({ ok: sound, problems, size, signedSize }: LedgerReport): Outcome {
  if (!sound) return failed(first(problems.map(({ message }) => message)), RESTORE);
  const entries = `${String(size)} entries are what was signed`;
  if (signedSize === size) return ok(entries);
  const unsigned = `the newest ${String(size - signedSize)} of ${String(size)} entries are not signed yet`;
  return warning(unsigned, 'A running appliance signs them within a minute; of a stopped one, start it.');
}

/** Whether the ledger contains the heads that were written beside the database and elsewhere. */
export async function lookAtAnchors({ config, paths, reader }: Examined): Promise<Outcome[]> {
  const seen = await readAnchors({ config, paths, reader, identity: readIdentity(reader) });
  return seen.map(({ path, finding }) => anchorOutcome(path, finding));
}

function anchorOutcome(path: string, finding: AnchorFinding): Outcome {
  switch (finding.state) {
    case 'contained':
      return ok(`${path}: the ledger contains its ${String(finding.size)} entries`);
    case 'absent':
      return warning(`${path} is not there`, 'It is written with the next checkpoint, if it can be.');
    case 'unreadable':
      return warning(
        `${path} says nothing: ${finding.reason}`,
        'It is written anew with the next checkpoint.',
      );
    case 'rolled-back':
      return failed(
        `${path}: ${finding.reason}`,
        'Put the newest database back, or run `mintmark restore accept`.',
      );
  }
}

/** The rows that say who gets in, what signs, and who this appliance is. */
export function lookAtSmallTables({ reader }: Examined): Outcome[] {
  const mismatches = compareSmallTables(reader);
  if (mismatches.length > 0) return [rowsOutcome(mismatches, mismatches.length)];
  return [ok('API keys, tenants, signing keys and settings are what the ledger says')];
}

/** Every row that decides something, in both directions. */
export async function lookAtRows(examined: Examined): Promise<Outcome[]> {
  const { custody } = examined;
  const keys = custody instanceof Custody ? custody : null;
  const { origin } = readIdentity(examined.reader);
  const { ledger, mismatches, found } = await lookDeep({ ...examined, keys, origin });
  const rows = found === 0 ? ok('every row is what the ledger says') : rowsOutcome(mismatches, found);
  const without = 'digests by which licences and machines are found were not compared: the keys are shut';
  return [
    ledgerOutcome(ledger),
    rows,
    ...(keys === null ? [unchecked(without, 'Give a slot that opens the keys.')] : []),
  ];
}

function rowsOutcome(mismatches: readonly Mismatch[], found: number): Outcome {
  return failed(first(mismatches.map(mismatchText), found, 20), ACCEPT);
}

/** A row that is not what the ledger says, in one sentence. */
export function mismatchText({ kind, id, realm, problem }: Mismatch): string {
  return `${kind} ${id} (${realm}) ${problem}`;
}
