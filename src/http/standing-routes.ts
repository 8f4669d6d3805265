import { z } from 'zod';
import { Fault } from '../faults.ts';
import { JSON_TYPE } from './exchange.ts';
import { METRICS_TYPE, type Metrics } from './metrics.ts';
import type { Route } from './route.ts';

/** Monitors add what they like to the address of a health check. */
const ANY_QUERY = z.looseObject({});

/** What every appliance answers to anybody, at the API's door. */
export interface StandingGiven<Demand> {
  /** The demand that lets anybody in. */
  readonly anybody: Demand;
  /** Whether requests can be served as they should; the reasons are for the operator, not for strangers. */
  readonly isReady: () => boolean;
  /** The OpenAPI document as JSON, once all routes are known: the same bytes every time, written out once. */
  readonly openApi: () => Buffer;
}

/** `GET /health`, `GET /ready`, `GET /api/v1/openapi.json`. */
export function standingRoutes<Caller, Demand>(given: StandingGiven<Demand>): Route<Caller, Demand>[] {
  const common = { method: 'GET', tag: 'system', demand: given.anybody } as const;
  const health = { class: 'health' } as const;
  return [
    {
      ...common,
      limit: health,
      path: '/health',
      summary: 'Whether the process lives',
      query: ANY_QUERY,
      answers: { 200: z.strictObject({ status: z.literal('ok') }) },
      handle: () => ({ status: 200, body: { status: 'ok' } }),
    },
    {
      ...common,
      limit: health,
      path: '/ready',
      summary: 'Whether requests are served',
      query: ANY_QUERY,
      answers: { 200: z.strictObject({ status: z.literal('ready') }) },
      handle: () => {
        if (given.isReady()) return { status: 200, body: { status: 'ready' } };
        throw new Fault('NOT_READY', 'the appliance is not ready; its status says why', {
          retryAfterMs: 5000,
        });
      },
    },
    {
      ...common,
      limit: { class: 'public' },
      path: '/api/v1/openapi.json',
      summary: 'This document',
      answers: { 200: z.looseObject({ openapi: z.string() }) },
      handle: () => ({ status: 200, raw: { bytes: given.openApi(), contentType: JSON_TYPE } }),
    },
  ];
}

/** `GET /metrics`, for the metrics door alone. */
export function metricsRoute<Caller, Demand>(anybody: Demand, metrics: Metrics): Route<Caller, Demand> {
  return {
    method: 'GET',
    path: '/metrics',
    summary: 'Counters of this process',
    tag: 'system',
    demand: anybody,
    limit: { class: 'health' },
    query: ANY_QUERY,
    answers: { 200: null },
    handle: () => ({ status: 200, raw: { bytes: Buffer.from(metrics.render()), contentType: METRICS_TYPE } }),
  };
}
