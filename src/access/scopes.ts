const RESOURCES = [
  'products',
  'policies',
  'licenses',
  'machines',
  'entitlements',
  'passes',
  'templates',
  'webhooks',
  'api-keys',
  'signing-keys',
  'audit',
  'analytics',
  'exchange',
  'tenants',
  'system',
  'events',
] as const;

const SINGLE = [
  'licenses:validate',
  'licenses:checkout',
  'licenses:checkout-plain',
  'licenses:reveal',
  'licenses:revoke',
  'licenses:import',
  'passes:issue',
  'signing-keys:rotate',
  'webhooks:bodies',
  'exchange:grant',
  'audit:export',
] as const;

/** What a credential may do: `<resource>:<verb>`. An empty list means nothing. */
export type Scope = `${(typeof RESOURCES)[number]}:${'read' | 'write'}` | (typeof SINGLE)[number];

/** Every scope there is. */
export const SCOPES: readonly Scope[] = [
  ...RESOURCES.flatMap((resource): Scope[] => [`${resource}:read`, `${resource}:write`]),
  ...SINGLE,
];

/** Scopes that no API key may carry: for operators alone. */
const OPERATOR_ONLY: ReadonlySet<string> = new Set<Scope>([
  'tenants:read',
  'tenants:write',
  'system:read',
  'system:write',
  'signing-keys:read',
  'signing-keys:write',
  'signing-keys:rotate',
]);

/**
 * Scopes of what is not in this version: named, so that nothing else takes the name, and given to nobody. A key that had one
 * today would be allowed, with the version that brings the routes, what nobody meant to allow it.
 */
const RESERVED: ReadonlySet<string> = new Set<Scope>([
  'passes:read',
  'passes:write',
  'passes:issue',
  'templates:read',
  'templates:write',
  'webhooks:read',
  'webhooks:write',
  'webhooks:bodies',
  'exchange:read',
  'exchange:write',
  'exchange:grant',
  'analytics:write',
  'audit:write',
  'audit:export',
  'events:write',
]);

/** The scopes an API key can be given: each is asked for by some route or operation. */
export const API_KEY_SCOPES: readonly Scope[] = SCOPES.filter(
  (scope) => !OPERATOR_ONLY.has(scope) && !RESERVED.has(scope),
);

/** Who can be given a scope: API keys, the operators of the appliance alone, or nobody in this version. */
export function holdersOf(scope: Scope): 'api-keys' | 'operators' | 'nobody' {
  if (RESERVED.has(scope)) return 'nobody';
  return OPERATOR_ONLY.has(scope) ? 'operators' : 'api-keys';
}
