import { z } from 'zod';
import { Fault } from '../../faults.ts';
import type { Demand, Permit } from '../../access/index.ts';
import { decodeCursor, decodeSequence, listAnswer, listName, PAGE_QUERY, pageOf } from '../../http/list.ts';
import { type Route, routeOf } from '../../http/route.ts';
import { type ListedLicense, listLicenses, type ReadLicenseDeps } from '../licenses/show.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { INDEXED_TEXT_MAX, type MetadataFilter } from '../licenses/license-metadata.ts';
import { LICENSE_FILTERS, licenseAnswer } from '../licenses/license-schema.ts';
import type { CreationOrder, ExpiryOrder } from '../licenses/license-list-store.ts';

/** Orders of the list of licences; what is sealed (names, addresses, metadata) has no order. */
const SORTS = ['-createdAt', 'createdAt', 'expiresAt', '-expiresAt'] as const;

const NAMED = {
  ...PAGE_QUERY,
  ...LICENSE_FILTERS,
  sort: z.enum(SORTS).optional().meta({
    description: 'Default `-createdAt`, with `expiresBefore` `expiresAt`. What never expires comes last.',
  }),
};

/** A value that a key of metadata is compared with. */
const METADATA = /^metadata\.([A-Za-z0-9_-]{1,64})$/;
/** As many keys as a product can declare. */
const METADATA_MAX = 4;

type Problem = readonly [path: string, message: string];

/** Query of `GET /licenses`. */
const licenseQuery = z
  .object(NAMED)
  .catchall(z.unknown())
  .superRefine((query, context) => {
    const unknown = Object.keys(query).filter((name) => !Object.hasOwn(NAMED, name) && !METADATA.test(name));
    if (unknown.length > 0) {
      context.addIssue({ code: 'unrecognized_keys', keys: unknown, input: query });
    }
    for (const [path, message] of problemsOf(query)) {
      context.addIssue({ code: 'custom', path: [path], message, input: query });
    }
  });

/** What `GET /licenses` takes. */
type LicenseQuery = z.infer<typeof licenseQuery>;

function problemsOf(query: Readonly<Record<string, unknown>>): Problem[] {
  const metadata = Object.entries(query).filter(([name]) => METADATA.test(name));
  const problems = metadata
    .filter(([, value]) => !isIndexable(value))
    .map(([name]): Problem => [name, `1 to ${String(INDEXED_TEXT_MAX)} characters that are not all space`]);
  if (metadata.length > METADATA_MAX) problems.push(['metadata', `at most ${String(METADATA_MAX)} keys`]);
  const { sort, expiresBefore, deleted } = query;
  if (expiresBefore !== undefined && (sort === 'createdAt' || sort === '-createdAt'))
    problems.push(['sort', 'expiresBefore lists in order of expiry: leave sort out, or sort by expiresAt']);
  if (deleted !== true) return problems;
  for (const name of ['expiresBefore', 'status', ...metadata.map(([key]) => key)])
    if (query[name] !== undefined) problems.push([name, 'does not narrow what is deleted']);
  if (sort === 'expiresAt' || sort === '-expiresAt')
    problems.push(['sort', 'what is deleted is listed in order of creation']);
  return problems;
}

function isIndexable(value: unknown): boolean {
  return typeof value === 'string' && value.trim() !== '' && value.length <= INDEXED_TEXT_MAX;
}

const route = routeOf<Permit, Demand>();

/** `GET /api/v1/licenses`. */
export function licenseListRoute(deps: ReadLicenseDeps): Route<Permit, Demand> {
  return route({
    method: 'GET',
    path: '/api/v1/licenses',
    summary: 'List licences; also by metadata.<key> for every key that the product declares indexed',
    tag: 'licenses',
    demand: { scope: 'licenses:read', also: [] },
    query: licenseQuery,
    answers: { 200: listAnswer(licenseAnswer) },
    handle: ({ permit, query }) => {
      const { productId, policyId, status, userEmail, deleted, limit } = query;
      const { name: sort, order, metadata } = listingOf(query);
      const filters = { productId, policyId, status, userEmail, deleted, metadata };
      const rows = listLicenses(deps, permit, { ...filters, order, limit: limit + 1 });
      const keyOf = (row: ListedLicense) => placeOf(order, row);
      return { status: 200, body: pageOf(rows, limit, { sort, keyOf, show: ({ view }) => view }) };
    },
  });
}

/** What a query asks for. */
interface LicenseListing {
  /** Of its cursors. */
  readonly name: string;
  readonly order: CreationOrder | ExpiryOrder;
  readonly metadata: readonly MetadataFilter[];
}

/**
 * Order, place and metadata filters of a query.
 * @throws Fault CURSOR_INVALID also when the cursor is of another sort or other filters
 */
function listingOf(query: LicenseQuery): LicenseListing {
  const { cursor, limit: _limit, sort: asked, ...filters } = query;
  const sort = asked ?? (query.expiresBefore === undefined ? '-createdAt' : 'expiresAt');
  const name = listName(sort, filters);
  const descending = sort.startsWith('-');
  const metadata = Object.entries(filters).flatMap(([member, value]) => {
    const key = METADATA.exec(member)?.[1];
    return key === undefined ? [] : [{ name: key, value: String(value) }];
  });
  if (sort === 'createdAt' || sort === '-createdAt') {
    const after = decodeSequence(cursor, name) ?? (descending ? Number.MAX_SAFE_INTEGER : -1);
    return { name, metadata, order: { by: 'createdAt', descending, after } };
  }
  const until = query.expiresBefore === undefined ? null : Date.parse(query.expiresBefore);
  return { name, metadata, order: { by: 'expiresAt', descending, until, after: expiryPlace(cursor, name) } };
}

const place = z.tuple([z.union([z.int(), z.literal('never')]), z.int()]);

function expiryPlace(cursor: string | undefined, name: string): ExpiryOrder['after'] {
  if (cursor === undefined) return null;
  const read = place.safeParse(decodeCursor(cursor, name));
  if (read.success) return read.data;
  throw new Fault('CURSOR_INVALID', 'the cursor is not one of this list; start again without one');
}

/** Where a licence stands in its list, as a cursor carries it. */
function placeOf(
  order: CreationOrder | ExpiryOrder,
  row: { readonly seq: number; readonly expiresAt: EpochMs | null },
): number | readonly (string | number)[] {
  return order.by === 'createdAt' ? row.seq : [row.expiresAt ?? 'never', row.seq];
}
