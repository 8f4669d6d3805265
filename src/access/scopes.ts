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

/** The scopes an API key can be given. */
export const API_KEY_SCOPES: readonly Scope[] = SCOPES.filter((scope) => !OPERATOR_ONLY.has(scope));
