import type { Demand, Permit } from '../../access/index.ts';
import { oneAnswer } from '../../http/list.ts';
import { type Route, routeOf } from '../../http/route.ts';
import { analyticsAnswer } from './analytics-schema.ts';
import { type AnalyticsDeps, readAnalytics } from './read-analytics.ts';

/** What the route of analytics needs. */
export type AnalyticsRoutesDeps = AnalyticsDeps;

const route = routeOf<Permit, Demand>();

/** `GET /api/v1/analytics`. */
export function analyticsRoutes(deps: AnalyticsRoutesDeps): Route<Permit, Demand>[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/analytics',
      summary: 'Figures: licences, machines, activations, validations, files, seats',
      tag: 'analytics',
      demand: { scope: 'analytics:read', also: [] },
      answers: { 200: oneAnswer(analyticsAnswer) },
      handle: ({ permit }) => ({ status: 200, body: { data: readAnalytics(deps, permit) } }),
    }),
  ];
}
