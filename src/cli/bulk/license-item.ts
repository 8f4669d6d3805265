import type { z } from 'zod';
import { Fault } from '../../faults.ts';
import { issueWords, unworded } from '../../issue-words.ts';
import { parseStrictJson } from '../../lib/strict-json.ts';
import type { ColumnKind } from './license-columns.ts';
import { entitlementCodes, type NamedEntitlement } from './license-entitlements.ts';
import type { Names } from './names.ts';
import type { Cell, Row, RowProblem } from './rows.ts';

/** One licence as `POST /licenses/batch` takes it. */
export type LicenseItem = Readonly<Record<string, unknown>>;

/** A row that was understood, or what is wrong with it. */
export type ReadRow = Pick<Row, 'number' | 'line' | 'cells'> &
  (
    | { readonly item: LicenseItem; readonly problems: null }
    | { readonly item: null; readonly problems: readonly RowProblem[] }
  );

/** What rows are read with. */
export interface ItemReading {
  readonly names: Names;
  /** Members that rows have unless they say otherwise. */
  readonly defaults: { readonly productId?: string; readonly policyId?: string };
  /** The appliance's own schema of a licence to create. */
  readonly schema: z.ZodType;
}

/** Reads a row; everything that is wrong with it at once, in words that hold nothing of it. */
export function readItem(row: Row, reading: ItemReading): ReadRow {
  const { number, line, cells } = row;
  const read = row.problems.length > 0 ? [...row.problems] : membersOf(cells, reading);
  if (Array.isArray(read)) return { number, line, cells, item: null, problems: read };
  const item = withIds(read, reading);
  const problems = Array.isArray(item) ? item : schemaProblems(item, cells, reading.schema);
  if (Array.isArray(item) || problems.length > 0) return { number, line, cells, item: null, problems };
  return { number, line, cells, item, problems: null };
}

function membersOf(cells: readonly Cell[], { names }: ItemReading): Record<string, unknown> | RowProblem[] {
  const members: Record<string, unknown> = {};
  const metadata: [string, unknown][] = [];
  const problems: RowProblem[] = [];
  for (const { column, label, value } of cells) {
    const read = KINDS[column.kind](value, names);
    if (read instanceof Refused) problems.push({ column: label, code: read.code, message: read.message });
    else if (column.kind === 'metadata-member') metadata.push([column.field, read]);
    else if (column.kind === 'policy') Object.assign(members, read);
    else if (read !== undefined) members[column.field] = read;
  }
  if (problems.length > 0) return problems;
  if (metadata.length === 0) return members;
  const whole = members['metadata'] as object | undefined; // what the kind `metadata` reads
  return { ...members, metadata: { ...whole, ...Object.fromEntries(metadata) } };
}

/** Product and policy: of the row, else of the command line; a policy names its product by itself. */
function withIds(
  { policyProductId, ...members }: Record<string, unknown>,
  { defaults }: ItemReading,
): LicenseItem | RowProblem[] {
  const policyId = members['policyId'] ?? defaults.policyId;
  if (policyId === undefined) {
    return [
      { column: '', code: 'REQUIRED', message: 'no policy is named; add a column policy, or give --policy' },
    ];
  }
  const ofPolicy = members['policyId'] === undefined ? undefined : policyProductId;
  const productId = members['productId'] ?? ofPolicy ?? defaults.productId;
  // Always in this order: a resumed import has to send the same bytes.
  return { productId, policyId, ...without(members, ['productId', 'policyId']) };
}

function without(members: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([name]) => !names.includes(name)));
}

/** Why a value is not taken. */
class Refused {
  readonly code: string;
  readonly message: string;

  constructor(code: string, message: string) {
    this.code = code;
    this.message = message;
  }
}

const notText = (): Refused => new Refused('TYPE', 'not a text');
/** As reads mask keys, addresses and names of persons. */
const MASK = /•••/u;
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const METADATA_BYTES = 16 * 1024;

/** How a value of each kind is read; undefined: as if it were not there. */
const KINDS: Readonly<Record<ColumnKind, (value: unknown, names: Names) => unknown>> = {
  ignored: () => undefined,
  text: (value) => {
    return typeof value === 'string' ? value : notText();
  },
  person: (value) => {
    if (typeof value !== 'string') return notText();
    return MASK.test(value) ? masked() : value;
  },
  secret: (value) => {
    if (typeof value !== 'string') return notText();
    return MASK.test(value) ? masked() : value.trim();
  },
  limit: (value) => {
    const limit = typeof value === 'string' && /^\s*\d{1,10}\s*$/.test(value) ? Number(value) : value;
    return typeof limit === 'number' ? limit : new Refused('TYPE', 'not a whole number');
  },
  time: (value) => {
    if (value === null) return null;
    if (typeof value !== 'string') return notText();
    const time = value.trim();
    if (time.toLowerCase() === 'never') return null;
    return timeOf(time);
  },
  product: (value, names) => {
    if (typeof value !== 'string') return notText();
    return (
      names.product(value.trim()) ?? new Refused('NOT_FOUND', 'there is no product with this code or id')
    );
  },
  policy: (value, names) => {
    if (typeof value !== 'string') return notText();
    const found = names.policy(value.trim());
    if (found === undefined)
      return new Refused(
        'NOT_FOUND',
        'there is no policy with this code or id, nor a single one with this name',
      );
    return { policyId: found.id, policyProductId: found.productId };
  },
  entitlements: (value, names) => ownEntitlements(value, names),
  metadata: (value) => metadataOf(value),
  'metadata-member': (value) => value,
  status: (value) => {
    if (typeof value === 'string' && value.trim().toLowerCase() === 'active') return undefined;
    return new Refused('STATUS', 'a new licence is active; leave this row out, or the column with --map');
  },
};

function masked(): Refused {
  return new Refused(
    'MASKED',
    'the value is masked; export it with --reveal, or leave the column out with --map',
  );
}

function ownEntitlements(value: unknown, names: Names): unknown {
  const codes = entitlementCodes(value);
  if (codes === undefined) return new Refused('TYPE', 'not a list of codes');
  const read = codes.map((code) => (code === null ? undefined : entitlementOf(code, names)));
  const own = read.filter((one) => one !== undefined);
  if (own.length === read.length) return own;
  const places = read.flatMap((one, i) => (one === undefined ? [String(i + 1)] : [])).join(', ');
  return new Refused('NOT_FOUND', `there is no entitlement with the code or id at place ${places}`);
}

function entitlementOf({ name, expiresAt }: NamedEntitlement, names: Names): object | undefined {
  const id = names.entitlement(name);
  if (id === undefined) return undefined;
  return expiresAt === null ? { id } : { id, expiresAt: timeOf(expiresAt) };
}

/** A day lasts until its end. */
function timeOf(text: string): string {
  return DAY.test(text) ? `${text}T23:59:59.999Z` : text;
}

function metadataOf(value: unknown): unknown {
  const metadata = typeof value === 'string' ? parsedMetadata(value) : value;
  if (metadata instanceof Refused) return metadata;
  const isObject = typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata);
  return isObject ? metadata : new Refused('TYPE', 'not a JSON object');
}

function parsedMetadata(text: string): unknown {
  try {
    return parseStrictJson(text.trim(), { maxBytes: METADATA_BYTES });
  } catch (error) {
    if (error instanceof Fault) return new Refused('JSON', error.message);
    throw error;
  }
}

function schemaProblems(item: LicenseItem, cells: readonly Cell[], schema: z.ZodType): RowProblem[] {
  const result = schema.safeParse(item, { error: unworded });
  if (result.success) return [];
  return result.error.issues.map((issue) => ({
    column: columnOfField(cells, issue.path.map(String)),
    code: issue.code.toUpperCase(),
    message: issueWords(issue, { schema, input: item }),
  }));
}

/** The column of a file from which a member of the request came; empty: from none. */
export function columnOfField(cells: readonly Cell[], [field = '', inner]: readonly string[]): string {
  const whole = cells.find(({ column }) => column.kind !== 'metadata-member' && column.field === field);
  if (field !== 'metadata') return whole?.label ?? '';
  const member = cells.find(({ column }) => column.kind === 'metadata-member' && column.field === inner);
  return (member ?? whole)?.label ?? '';
}
