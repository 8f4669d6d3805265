import { z } from 'zod';
import type { Call, Route } from '../../src/http/route.ts';
import type { RealmId } from '../../src/storage/realm-scope.ts';

const page = z.object({
  data: z.array(z.record(z.string(), z.unknown())),
  pagination: z.object({ nextCursor: z.string().nullable(), hasMore: z.boolean() }),
});

/** Asks a list route for one page as the server does, and holds the answer against what the row documents. */
export function ask<Caller, Demand>(
  route: Route<Caller, Demand>,
  realm: RealmId,
  query: Readonly<Record<string, string>>,
): z.infer<typeof page> {
  const call: Partial<Call<unknown>> = { permit: { realm }, query: route.query?.parse(query) };
  const answer = route.handle(call as Call<Caller>); // a list looks at its permit's realm and its query
  if (answer instanceof Promise) throw new Error('a list is read at once');
  const documented = route.answers[answer.status];
  if (documented == null) throw new Error(`the status ${String(answer.status)} is not documented`);
  documented.parse(answer.body);
  return page.parse(answer.body);
}
