import { verifyStored } from '../../src/ledger/index.ts';
import { readIdentity } from '../../src/daemon/identity.ts';
import { Database } from '../../src/storage/database.ts';
import { readerOf } from '../../src/storage/tx.ts';
import { brokenInvariants } from '../support/invariants.ts';

/** What a stopped appliance's database holds, and what is wrong with it. */
export interface AuditedDatabase {
  readonly licenses: readonly string[];
  readonly machines: readonly string[];
  readonly files: readonly string[];
  /** Answers that were kept for repeated requests. */
  readonly keptAnswers: number;
  /** Entries of the ledger, and how many of them the last checkpoint covers. */
  readonly entries: number;
  readonly signed: number;
  /** One sentence for each thing that is wrong. */
  readonly problems: readonly string[];
}

/** Which entry must stand in the ledger for every row of a table. */
const MADE_BY: readonly { readonly table: string; readonly action: string }[] = [
  { table: 'products', action: 'product.created' },
  { table: 'policies', action: 'policy.created' },
  { table: 'licenses', action: 'license.created' },
  { table: 'machines', action: 'machine.activated' },
  { table: 'issued_files', action: 'license.file_issued' },
  { table: 'api_keys', action: 'api_key.created' },
];

/**
 * Opens the database of an appliance that does not run, changes nothing, and looks at all of it: pages, references,
 * invariants of the domain, and the ledger from its leaves up to every checkpoint.
 */
export function auditDatabase(path: string): AuditedDatabase {
  const database = Database.openReader(path);
  try {
    const { origin } = readIdentity(readerOf(database));
    const ledger = verifyStored({ reader: readerOf(database), origin });
    const broken = brokenInvariants(database).map(({ what, rows }) => `${what}: ${JSON.stringify(rows)}`);
    return {
      licenses: texts(database, 'SELECT id FROM licenses'),
      machines: texts(database, 'SELECT id FROM machines'),
      files: texts(database, 'SELECT id FROM issued_files'),
      keptAnswers: Number(database.native.prepare('SELECT count(*) FROM idempotency').pluck().get()),
      entries: ledger.size,
      signed: ledger.signedSize,
      problems: [
        ...broken,
        ...ledger.problems.map((problem) => `ledger: ${JSON.stringify(problem)}`),
        ...MADE_BY.flatMap((row) => withoutEntry(database, row)),
      ],
    };
  } finally {
    database.close();
  }
}

/** Rows that the ledger knows nothing of, or has made more than once. */
function withoutEntry(database: Database, row: { table: string; action: string }): string[] {
  const entries = texts(
    database,
    `SELECT json_extract(CAST(bytes AS TEXT), '$.target.id') FROM ledger_entries
     WHERE json_extract(CAST(bytes AS TEXT), '$.action') = '${row.action}'
       AND json_extract(CAST(bytes AS TEXT), '$.outcome') <> 'refused'`,
  );
  const counts = new Map<string, number>();
  for (const id of entries) counts.set(id, (counts.get(id) ?? 0) + 1);
  return texts(database, `SELECT id FROM ${row.table}`)
    .filter((id) => counts.get(id) !== 1)
    .map((id) => `${row.table} ${id} has ${String(counts.get(id) ?? 0)} entries ${row.action}`);
}

function texts(database: Database, sql: string): string[] {
  return database.native.prepare(sql).pluck().all() as string[]; // columns of type TEXT
}
