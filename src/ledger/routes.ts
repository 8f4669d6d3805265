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

const auditQuery = z.strictObject({
  limit: PAGE_QUERY.limit,
  after: z.coerce
    .number()
    .int()
    .min(BEFORE_THE_FIRST)
    .max(Number.MAX_SAFE_INTEGER)
    .default(BEFORE_THE_FIRST)
    .meta({ description: 'Index of the last entry you have; -1 begins at the beginning.' }),
});

/** `GET /api/v1/audit`: a realm's own entries of the ledger. */
export function auditRoutes(deps: ReadEntriesDeps): Route<EntriesCaller, AuditDemand>[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/audit',
      summary: "List the realm's ledger entries, oldest first",
      tag: 'audit',
      demand: { scope: 'audit:read', also: [] },
      query: auditQuery,
      answers: { 200: listAnswer(entryAnswer) },
      handle: ({ permit, query }) => {
        const { after, limit } = query;
        const entries = readEntries(deps, permit, { after, limit: limit + 1 });
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
