import {
  apiKeyRoutes,
  type Demand,
  type Permit,
  scopeOf,
  SECURITY_SCHEMES,
  securityOf,
  tenantRoutes,
  usageRoutes,
} from '../access/index.ts';
import { eventRoutes } from '../delivery/index.ts';
import { openApiDocument } from '../http/openapi.ts';
import type { Route } from '../http/route.ts';
import { metricsRoute, standingRoutes } from '../http/standing-routes.ts';
import { issuingRoutes, signingKeyRoutes } from '../issuing/index.ts';
import { auditRoutes } from '../ledger/index.ts';
import {
  analyticsRoutes,
  batchRoutes,
  entitlementRoutes,
  licenseRoutes,
  machineRoutes,
  policyRoutes,
  productRoutes,
  validationRoutes,
} from '../licensing/index.ts';
import type { Activity } from '../states.ts';
import { countsReads } from './bulk-read-routes.ts';
import type { FeatureDeps } from './features.ts';
import type { Parts } from './parts.ts';
import { limitProducts } from './limit-products.ts';
import { PRODUCT_RULES } from './product-rules.ts';
import { VERSION } from './status.ts';
import { ANYBODY, type SealControl, sealRoutes } from './seal-routes.ts';
import { eraseRoutes } from './erase-routes.ts';
import { dataKeyRoutes } from './data-key-routes.ts';
import { slotRoutes } from './slot-routes.ts';
import { sweepRoutes } from './sweep-routes.ts';
import { systemRoutes } from './system-routes.ts';
import { tokenRoutes } from './token-routes.ts';

/** Every route of the API, in the order of the documentation. */
export function allRoutes(parts: Parts, deps: FeatureDeps, control: SealControl): Route<Permit, Demand>[] {
  const gate = gated(deps.admit);
  const features = [
    ...productRoutes(deps),
    ...policyRoutes(deps),
    ...entitlementRoutes(deps),
    ...licenseRoutes(deps),
    ...batchRoutes(deps),
    ...analyticsRoutes(deps),
    ...apiKeyRoutes(deps),
    ...tenantRoutes(deps),
    ...usageRoutes(deps),
    ...eventRoutes(deps),
    ...auditRoutes(deps),
  ].map(gate);
  // These say by themselves what they are: validation, heartbeat, activation, checkout.
  const own = [
    ...validationRoutes(deps),
    ...machineRoutes(deps),
    ...issuingRoutes(deps),
    ...signingKeyRoutes(deps),
  ];
  const operator = [
    ...systemRoutes(parts),
    ...slotRoutes(parts),
    ...dataKeyRoutes(parts),
    ...tokenRoutes(parts),
    ...eraseRoutes(deps),
    ...sweepRoutes(parts),
  ];
  const routes: Route<Permit, Demand>[] = [...features, ...own, ...operator]
    .map(limitProducts(deps.productScope, PRODUCT_RULES))
    .map(countsReads(deps.bulkReads));
  // Made when somebody first asks: the document lists the routes that serve it, too. Written out once: anybody may ask.
  const document = once(() => {
    const given = { version: VERSION, securitySchemes: SECURITY_SCHEMES, securityOf, scopeOf };
    return Buffer.from(JSON.stringify(openApiDocument(all, given)));
  });
  const standing: Route<Permit, Demand>[] = standingRoutes<Permit, Demand>({
    anybody: ANYBODY,
    isReady: () => parts.states().length === 0,
    openApi: document,
  });
  const all = [...routes, ...sealRoutes(control), ...standing];
  return all;
}

/** The routes of the metrics door. */
export function metricsRoutes(parts: Parts): Route<Permit, Demand>[] {
  return [metricsRoute(ANYBODY, parts.metrics)];
}

/** Routes that take something away. */
const REVOKING: ReadonlySet<string> = new Set([
  'POST /api/v1/api-keys/{id}/revoke',
  'POST /api/v1/licenses/{id}/suspend',
  'POST /api/v1/licenses/{id}/revoke',
  'POST /api/v1/licenses/{id}/ban',
  'PATCH /api/v1/tenants/{id}',
]);

function activityOf({ method, path }: Route<Permit, Demand>): Activity {
  if (method === 'GET') return 'read';
  return REVOKING.has(`${method} ${path}`) ? 'revoke' : 'create';
}

/** Lets the states of the appliance (states.ts) decide before a handler runs. */
function gated(admit: (activity: Activity) => void) {
  return (route: Route<Permit, Demand>): Route<Permit, Demand> => {
    const activity = activityOf(route);
    return {
      ...route,
      handle: (call) => {
        admit(activity);
        return route.handle(call);
      },
    };
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
