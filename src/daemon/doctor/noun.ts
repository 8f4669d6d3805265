import type { Indexer, Sealer } from '../../custody/index.ts';
import type { RowEntry } from '../../ledger/index.ts';
import type { DecidingColumns } from '../../storage/journal.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { TableName } from '../../storage/tables.ts';
import type { Reader } from '../../storage/tx.ts';

/** What opens sealed values and makes keyed digests. */
export interface OpenKeys {
  readonly sealer: Sealer;
  readonly indexer: Indexer;
}

/** A row as the ledger knows it. */
export interface ComparedRow {
  readonly id: string;
  /** What the digest of its newest entry covers. */
  readonly columns: DecidingColumns;
  /** Emptied by a purge: its columns are not those of its newest entry any more, which must be one that ended it. */
  readonly emptied?: boolean;
  /**
   * Whether the keyed digests by which the row is found are those of what is sealed beside them.
   * @throws Fault KEY_STORAGE when it cannot be opened
   */
  readonly isFoundRightly?: (keys: OpenKeys) => boolean;
}

/** Where rows are looked for. */
export interface Place {
  readonly reader: Reader;
  /** SYSTEM_REALM: what belongs to the appliance. */
  readonly realm: RealmId;
}

/** A kind of rows that decide something, each of which the ledger has entries of. */
export interface Noun {
  /** As the target of an entry names it. */
  readonly kind: string;
  /** Where the rows are. */
  readonly tables: readonly TableName[];
  /** Few enough to be compared at every start. */
  readonly small: boolean;
  /** Actions after which a row may be emptied, or taken away by the next purge. */
  readonly endedBy: ReadonlySet<string>;
  /** All rows of a realm, page by page. */
  pages(place: Place): Iterable<readonly ComparedRow[]>;
  find(place: Place, id: string): ComparedRow | undefined;
  /** Whether a row that is not there was taken away in order; `newest` is the last that was written of it. */
  mayBeGone(place: Place, id: string, newest: RowEntry): boolean;
}
