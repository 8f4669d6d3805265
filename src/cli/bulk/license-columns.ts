/** What the text of a cell stands for. */
export type ColumnKind =
  | 'text'
  | 'person'
  | 'secret'
  | 'limit'
  | 'time'
  | 'product'
  | 'policy'
  | 'entitlements'
  | 'metadata'
  | 'metadata-member'
  | 'status'
  | 'ignored';

/** A column that a file of licences may have. */
export interface LicenseColumn {
  /** As files name it; case does not count. */
  readonly name: string;
  /** The member of the request that it fills; of `metadata-member` the name inside `metadata`. */
  readonly field: string;
  readonly kind: ColumnKind;
}

const column = (name: string, kind: ColumnKind, field = name): LicenseColumn => ({ name, field, kind });

/** Members of a licence that its creation decides; an export has them to be read, an import passes them over. */
const READ_ONLY = [
  'id',
  'weakKey',
  'startsOn',
  'statusSince',
  'machineCount',
  'usesCount',
  'lastValidatedAt',
  'lastCheckedOutAt',
  'createdAt',
  'updatedAt',
];

/** Every column there is (docs/import-export.md), but for `metadata.<key>`, of which there are as many as keys. */
export const LICENSE_COLUMNS: readonly LicenseColumn[] = [
  column('key', 'secret'),
  column('product', 'product', 'productId'),
  column('productId', 'product'),
  column('policy', 'policy', 'policyId'),
  column('policyId', 'policy'),
  column('name', 'text'),
  column('userEmail', 'secret'),
  column('userName', 'person'),
  column('status', 'status'),
  column('expiresAt', 'time'),
  column('maxMachines', 'limit', 'maxMachinesOverride'),
  column('maxMachinesOverride', 'limit'),
  column('maxUses', 'limit', 'maxUsesOverride'),
  column('maxUsesOverride', 'limit'),
  column('entitlements', 'entitlements', 'ownEntitlements'),
  column('metadata', 'metadata'),
  ...READ_ONLY.map((name) => column(name, 'ignored')),
];

/** The columns of an export, in order; its header tells an import that cells are escaped. */
export const EXPORT_COLUMNS = [
  'id',
  'key',
  'product',
  'policy',
  'name',
  'userEmail',
  'userName',
  'status',
  'expiresAt',
  'maxMachines',
  'maxUses',
  'entitlements',
  'metadata',
  'weakKey',
  'machineCount',
  'usesCount',
  'lastValidatedAt',
  'lastCheckedOutAt',
  'createdAt',
  'updatedAt',
] as const;

const METADATA = 'metadata.';
const BY_NAME = new Map(LICENSE_COLUMNS.map((one) => [one.name.toLowerCase(), one]));

/** The column of a name; undefined: there is no such column. */
export function licenseColumn(name: string): LicenseColumn | undefined {
  if (name.startsWith(METADATA) && name.length > METADATA.length) {
    return { name, field: name.slice(METADATA.length), kind: 'metadata-member' };
  }
  return BY_NAME.get(name.toLowerCase());
}
