import { Database } from '../../src/storage/database.ts';

/** What a test looks at of a ledger entry. */
export interface SeenEntry {
  readonly action: string;
  readonly target: { readonly kind: string; readonly id: string };
  readonly actor: { readonly via: string };
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** The entries of a database whose actions fit, in order. */
export function entriesOf(database: string, actions: RegExp): SeenEntry[] {
  const reader = Database.openReader(database);
  try {
    const texts = reader.native
      .prepare('SELECT CAST(bytes AS TEXT) FROM ledger_entries ORDER BY position')
      .pluck()
      .all() as string[]; // entries are JSON
    return texts
      .map((text) => JSON.parse(text) as SeenEntry) // written by the ledger
      .filter(({ action }) => actions.test(action));
  } finally {
    reader.close();
  }
}
