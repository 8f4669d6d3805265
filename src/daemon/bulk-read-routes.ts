import type { BulkKind, BulkReads, Demand, Permit } from '../access/index.ts';
import type { Answer, Route } from '../http/route.ts';

/** Routes that show licences and machines. What a route changed and shows once more is not a read. */
const READING: Readonly<Record<string, BulkKind>> = {
  'GET /api/v1/licenses': 'licenses',
  'GET /api/v1/licenses/{id}': 'licenses',
  'POST /api/v1/licenses/lookup': 'licenses',
  'POST /api/v1/licenses/{id}/explain': 'licenses',
  'GET /api/v1/machines': 'machines',
  'GET /api/v1/machines/{id}': 'machines',
};

/** Counts the rows that these routes show, by caller. */
export function countsReads(bulkReads: Pick<BulkReads, 'note'>) {
  return (route: Route<Permit, Demand>): Route<Permit, Demand> => {
    const kind = READING[`${route.method} ${route.path}`];
    if (kind === undefined) return route;
    return {
      ...route,
      handle: async (call) => {
        const answer = await route.handle(call);
        bulkReads.note(call.permit, kind, rowsIn(answer));
        return answer;
      },
    };
  };
}

function rowsIn({ body }: Answer): number {
  if (typeof body !== 'object' || body === null || !('data' in body)) return 0;
  return Array.isArray(body.data) ? body.data.length : 1;
}
