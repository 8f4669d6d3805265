import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import type { MadeAppliance } from '../appliance.ts';
import { pagesInUse } from '../cases/bytes.ts';
import { openAppliance } from '../in-process.ts';
import type { BenchRow } from '../report.ts';

/** Largest tables and indexes that are listed. */
const LISTED = 16;

/** What a licence with its machine and its ten entries costs on disk. */
export async function sizeRows(made: MadeAppliance, lives: number): Promise<BenchRow[]> {
  await using opened = await openAppliance(made);
  const bytes = pagesInUse(opened) / lives;
  const name = 'bytes of a licence with a machine, ten ledger entries and their events';
  return [{ name, unit: 'bytes', ours: bytes, floor: null, bar: '', holds: null }];
}

interface Sized {
  readonly name: string;
  readonly bytes: number;
}

/** The largest tables and indexes, in bytes a licence, as a Markdown table. */
export function tableSizes(made: MadeAppliance, lives: number): string {
  const database = new BetterSqlite3(join(made.data, 'mintmark.db'), { readonly: true });
  const all = database
    .prepare<[], Sized>(
      'SELECT name, pgsize AS bytes FROM dbstat WHERE aggregate = TRUE ORDER BY pgsize DESC',
    )
    .all();
  database.close();
  const lines = all.slice(0, LISTED).map(({ name, bytes }) => `| ${name} | ${Math.round(bytes / lives)} |`);
  return ['| table or index | bytes a licence |', '| --- | --- |', ...lines].join('\n');
}
