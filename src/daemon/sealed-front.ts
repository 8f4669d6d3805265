import { authorise, type Demand, type Permit, type Principal } from '../access/index.ts';
import type { Config } from '../config/index.ts';
import { listSlots } from '../custody/index.ts';
import { Fault } from '../faults.ts';
import { Metrics } from '../http/metrics.ts';
import { Overload } from '../http/overload.ts';
import { type Route, routeOf } from '../http/route.ts';
import { metricsRoute, standingRoutes } from '../http/standing-routes.ts';
import { isoTime } from '../lib/clock.ts';
import type { HeldState } from '../states.ts';
import { readerOf } from '../storage/tx.ts';
import { z } from 'zod';
import { readIdentity } from './identity.ts';
import type { Site, Surroundings } from './parts.ts';
import { ANYBODY, type SealControl, sealRoutes } from './seal-routes.ts';
import { type Answering, doorSettings, headersOf } from './server.ts';
import { VERSION } from './status.ts';

const route = routeOf<Permit, Demand>();

/** Why it is sealed, and how often somebody tried to open it with a secret that does not. */
export interface SealedState {
  readonly held: () => HeldState;
  readonly failures: () => number;
}

/**
 * How a sealed appliance answers: health, whether it is sealed, unsealing, metrics without labels, and at the operator's
 * socket why. Everything else is 503 SEALED, whatever it is and whoever asks: no credential can be looked at without keys.
 */
export function sealedFront(
  site: Site,
  around: Surroundings,
  { control, state }: { readonly control: SealControl; readonly state: SealedState },
): Answering {
  const shown = sealedMetrics(state);
  const routes = [
    ...sealRoutes(control),
    statusRoute(site, state),
    ...standingRoutes<Permit, Demand>({
      anybody: ANYBODY,
      isReady: () => false,
      openApi: () => Buffer.alloc(0),
    }).filter(({ path }) => path === '/health' || path === '/ready'),
  ];
  return {
    ...around,
    ...doorSettings(site.config),
    routes,
    metricsRoutes: [metricsRoute(ANYBODY, shown)],
    otherwise: sealedFault,
    identify: ({ face }) => (face === 'operator' ? OPERATOR : STRANGER),
    authorise: (who, demand, asked) => {
      const verdict = authorise(who, demand, asked);
      return verdict.allowed ? verdict : { ...verdict, code: 'SEALED' };
    },
    refused: () => undefined,
    used: () => undefined,
    requestLimits: {
      count: () => Promise.resolve(undefined),
      failures: () => Promise.resolve({ headers: [] }),
    },
    overload: overloadOf(site.config),
    beforeAnswer: () => Promise.resolve(),
    answers: NO_ANSWERS,
    // Counted by the pipeline, with labels: shown to nobody.
    metrics: new Metrics(),
    standing: headersOf(readIdentity(readerOf(site.directory.database))),
  };
}

/** @returns what everything answers that needs a key */
function sealedFault(): Fault {
  return new Fault('SEALED', 'the appliance is sealed: no key is in memory; unseal it on the appliance', {
    retryAfterMs: 30_000,
  });
}

const OPERATOR = {
  known: true,
  who: { kind: 'operator', actor: { kind: 'operator', id: 'local', via: 'socket' }, realm: null },
  name: 'operator:local',
  anonymous: false,
} as const satisfies { who: Principal } & Record<string, unknown>;

const STRANGER = {
  known: true,
  who: { kind: 'anonymous', actor: { kind: 'anonymous', id: '-', via: 'http' }, realm: null },
  name: 'anonymous',
  anonymous: true,
} as const satisfies { who: Principal } & Record<string, unknown>;

function overloadOf({ limits }: Config): Overload {
  return new Overload({ delayLimitMs: limits.overloadDelayMs, waiting: () => 0 });
}

/** None of the routes of a sealed appliance keeps its answers. */
const NO_ANSWERS: Answering['answers'] = {
  scopeOf: () => '',
  find: () => undefined,
  keep: () => undefined,
  keepAlone: () => Promise.resolve(),
};

function sealedMetrics({ failures }: SealedState): Metrics {
  const metrics = new Metrics();
  metrics.gauge('mintmark_sealed', 'Whether the keys are closed: 1, or 0.', () => [{ value: 1 }]);
  metrics.gauge('mintmark_unseal_failures', 'Attempts to unseal that failed, since it is sealed.', () => [
    { value: failures() },
  ]);
  return metrics;
}

function statusRoute({ directory }: Site, { held }: SealedState): Route<Permit, Demand> {
  const reader = readerOf(directory.database);
  return route({
    method: 'GET',
    path: '/api/v1/system/status',
    tag: 'operator',
    demand: { scope: null, also: [], operatorOnly: true },
    summary: 'Why the appliance is sealed, and what unseals it',
    answers: { 200: z.looseObject({}) },
    handle: () => {
      const { applianceId, branch, dev } = readIdentity(reader);
      const { state, reason, since, leftBy } = held();
      const data = {
        version: VERSION,
        ...{ applianceId, branch, dev, state },
        reasons: [{ state, reason, since: isoTime(since), leftBy }],
        directory: directory.paths.root,
        slots: listSlots(directory.paths.root),
        warnings: directory.warnings,
      };
      return { status: 200, body: { data } };
    },
  });
}
