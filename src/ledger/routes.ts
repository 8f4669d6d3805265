import { z } from 'zod';
import { listAnswer, PAGE_QUERY } from '../http/list.ts';
import { type Route, routeOf } from '../http/route.ts';
import { entryAnswer } from './entry-schema.ts';
import { type EntriesCaller, type EntryView, readEntries, type ReadEntriesDeps } from './read-entries.ts';

/** What these routes demand of a caller, in the words of the access feature, which the ledger does not know. */
export interface AuditDemand {
  readonly scope: 'audit:read';
  readonly also: readonly [];
}

/** Indexes begin at 0: before the first there is this one. */
const BEFORE_THE_FIRST = -1;

const route = routeOf<EntriesCaller, AuditDemand>();

const index = z.coerce.number().int().max(Number.MAX_SAFE_INTEGER);
const SUBJECT_MAX = 64;

const auditQuery = z.strictObject({
  limit: PAGE_QUERY.limit,
  after: index.min(BEFORE_THE_FIRST).default(BEFORE_THE_FIRST).meta({
    description: 'Index that all answered entries are above; -1 begins at the beginning.',
  }),
  before: index.min(0).default(Number.MAX_SAFE_INTEGER).meta({
    description: 'Index that all answered entries are below.',
  }),
  order: z.enum(['oldest', 'newest']).default('oldest').meta({
    description:
      'Which come first. Go on after a page with its `nextCursor` as `after`, or newest first as `before`.',
  }),
  subject: z.string().min(1).max(SUBJECT_MAX).optional().meta({
    description: 'Only entries about this id; of a licence also those about its machines and files.',
  }),
});

/** `GET /api/v1/audit`: a realm's own entries of the ledger. */
export function auditRoutes(deps: ReadEntriesDeps): Route<EntriesCaller, AuditDemand>[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/audit',
      summary: "List the realm's ledger entries, or those about one id",
      tag: 'audit',
      demand: { scope: 'audit:read', also: [] },
      query: auditQuery,
      answers: { 200: listAnswer(entryAnswer) },
      handle: ({ permit, query }) => {
        const { order, limit, ...range } = query;
        const newestFirst = order === 'newest';
        const entries = readEntries(deps, permit, { ...range, newestFirst, limit: limit + 1 });
        return { status: 200, body: pageOfEntries(entries, limit) };
      },
    }),
  ];
}

/** An index is a cursor that does not age; it is shown as it is, so that a reader can go on after any entry. */
function pageOfEntries(entries: readonly EntryView[], limit: number) {
  const data = entries.slice(0, limit);
  const last = data.at(-1);
  const hasMore = entries.length > limit && last !== undefined;
  return { data, pagination: { nextCursor: hasMore ? String(last.index) : null, hasMore } };
}
