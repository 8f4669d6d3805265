/**
 * What the storage rules need to know of each table.
 * `scope`: `realm` rows belong to exactly one realm and every query must be tied to it; `directory` leads from a
 * credential to a realm; `appliance` belongs to no realm.
 * `kind`: a unit that changes a `recorded` table must leave a ledger entry; `bookkeeping` (counters, times, caches)
 * may be written by jobs without one.
 */
export interface TableRow {
  readonly scope: 'realm' | 'directory' | 'appliance';
  readonly kind: 'recorded' | 'bookkeeping';
  /** Grows with use: a statement that scans it is refused by the tests. */
  readonly grows: boolean;
}

const table = (scope: TableRow['scope'], kind: TableRow['kind'], grows: boolean): TableRow => ({
  scope,
  kind,
  grows,
});

/** Every table of the schema; a test compares this list with the database's own. */
export const TABLES = {
  settings: table('appliance', 'recorded', false),
  tenants: table('appliance', 'recorded', false),
  realms: table('appliance', 'recorded', false),
  license_directory: table('directory', 'recorded', true),
  api_key_directory: table('directory', 'recorded', true),
  data_keys: table('appliance', 'recorded', false),
  data_key_usage: table('appliance', 'bookkeeping', false),
  index_keys: table('appliance', 'recorded', false),
  signing_keys: table('appliance', 'recorded', false),
  clock_mark: table('appliance', 'bookkeeping', false),
  write_probe: table('appliance', 'bookkeeping', false),
  job_state: table('appliance', 'bookkeeping', false),
  // The ledger is what records; it is not itself recorded.
  ledger_entries: table('appliance', 'bookkeeping', true),
  ledger_tiles: table('appliance', 'bookkeeping', true),
  ledger_private: table('appliance', 'bookkeeping', true),
  // An index of the ledger's entries, written beside them.
  ledger_subjects: table('appliance', 'bookkeeping', true),
  ledger_checkpoints: table('appliance', 'bookkeeping', true),
  products: table('realm', 'recorded', true),
  policies: table('realm', 'recorded', true),
  entitlements: table('realm', 'recorded', true),
  policy_entitlements: table('realm', 'recorded', true),
  // Derived from recorded rows and changed beside them; a recount rebuilds it.
  realm_counters: table('realm', 'bookkeeping', false),
  product_seats: table('realm', 'bookkeeping', true),
  day_counts: table('realm', 'bookkeeping', true),
  licenses: table('realm', 'recorded', true),
  license_entitlements: table('realm', 'recorded', true),
  license_seats: table('realm', 'recorded', true),
  license_user_seats: table('realm', 'recorded', true),
  license_fingerprints: table('realm', 'recorded', true),
  license_usage: table('realm', 'bookkeeping', true),
  // Which keys are indexed is a column of the product; these follow from it and from the sealed metadata.
  metadata_keys: table('realm', 'bookkeeping', false),
  license_metadata: table('realm', 'bookkeeping', true),
  machines: table('realm', 'recorded', true),
  machine_components: table('realm', 'recorded', true),
  machine_usage: table('realm', 'bookkeeping', true),
  issued_files: table('realm', 'recorded', true),
  revocation_lists: table('realm', 'recorded', false),
  // Follows from the files that are issued, and written beside them.
  file_epochs: table('realm', 'bookkeeping', true),
  api_keys: table('realm', 'recorded', true),
  api_key_usage: table('realm', 'bookkeeping', true),
  idempotency: table('realm', 'bookkeeping', true),
  idempotency_usage: table('realm', 'bookkeeping', true),
  usage_log: table('realm', 'bookkeeping', true),
  usage_totals: table('realm', 'bookkeeping', true),
  // The outbox is written only beside the change that caused an event, which has its own ledger entry.
  events: table('realm', 'bookkeeping', true),
} as const satisfies Record<string, TableRow>;

/** A table's name. */
export type TableName = keyof typeof TABLES;

/**
 * Whose rows count as records of their realm (`realm_counters.records`), beside the entries of the ledger: what grows by
 * what a tenant and the holders of its licences do, and is not bounded otherwise. Rows that hang on one of these
 * (components, fingerprints, index rows, counters) are not counted by themselves.
 */
export const KEPT_TABLES: ReadonlySet<TableName> = new Set<TableName>([
  'products',
  'policies',
  'entitlements',
  'licenses',
  'machines',
  'issued_files',
  'api_keys',
  'events',
]);
