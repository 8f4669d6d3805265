import { z } from 'zod';
import { FAULTS } from '../faults.ts';
import { PAGE_QUERY } from './list.ts';
import type { Method, Route } from './route.ts';

/** A part of the document; it is only ever written out as JSON. */
export type OpenApiObject = Record<string, unknown>;

/** What the document says besides its routes. */
export interface OpenApiGiven<Demand> {
  readonly version: string;
  /** Credentials there are, by name (OpenAPI 3.1 §4.8.27). */
  readonly securitySchemes: OpenApiObject;
  /** Which of them a demand accepts: any row of the list will do; an empty row is nobody in particular. */
  readonly securityOf: (demand: Demand) => readonly Readonly<Record<string, readonly string[]>>[];
  /** The scope that a secret key needs; null: none. */
  readonly scopeOf: (demand: Demand) => string | null;
}

const TAGS: Readonly<Record<string, string>> = {
  analytics: 'Figures of a realm.',
  'api-keys': 'Credentials for programs.',
  audit: 'The tamper-evident log.',
  entitlements: 'What a licence permits, by code.',
  events: 'What happened, in the order it was committed.',
  licenses: 'Licences, their keys and their states.',
  machines: 'Machines a licence is activated on.',
  operator: 'The appliance itself; at its local socket only.',
  policies: 'What licences of a kind allow.',
  products: 'What is licensed.',
  system: 'Whether the appliance lives, and what it offers.',
  tenants: 'Organisations with data of their own; at the local socket only.',
  trust: 'Public keys and revocations that verifiers need.',
  usage: 'Who asked for what.',
  validation: 'Is this licence good, here and now?',
};

/**
 * The OpenAPI 3.1 document of these routes, from the same schemas that check requests: what is documented is what is
 * checked.
 */
export function openApiDocument<Caller, Demand>(
  routes: readonly Route<Caller, Demand>[],
  given: OpenApiGiven<Demand>,
): OpenApiObject {
  const paths: Record<string, OpenApiObject> = {};
  for (const route of routes) {
    const path = (paths[route.path] ??= {});
    path[route.method.toLowerCase()] = operation(route, given);
  }
  const used = [...new Set(routes.map(({ tag }) => tag))].sort();
  return {
    openapi: '3.1.0',
    info: {
      title: 'Mintmark',
      version: given.version,
      description: 'Issues and validates software licences inside networks that have no way out.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
      contact: { name: 'The operator of this appliance' },
    },
    servers: [{ url: '/', description: 'This appliance.' }],
    tags: used.map((name) => ({ name, description: TAGS[name] ?? `Routes of ${name}.` })),
    paths,
    components: {
      securitySchemes: given.securitySchemes,
      schemas: { Problem: PROBLEM_SCHEMA },
      responses: { Problem: PROBLEM_RESPONSE },
    },
  };
}

function operation<Caller, Demand>(route: Route<Caller, Demand>, given: OpenApiGiven<Demand>): OpenApiObject {
  const parameters = [
    ...parametersOf(route.params, 'path'),
    ...parametersOf(route.query, 'query'),
    ...headerParameters(route),
  ];
  const scope = given.scopeOf(route.demand);
  return {
    operationId: operationId(route.method, route.path),
    summary: route.summary,
    description:
      scope === null ? `${route.summary}.` : `${route.summary}. A secret key needs the scope \`${scope}\`.`,
    tags: [route.tag],
    security: given.securityOf(route.demand),
    ...(parameters.length > 0 && { parameters }),
    ...(route.body !== undefined && { requestBody: requestBody(route.body) }),
    responses: { ...answersOf(route), default: { $ref: '#/components/responses/Problem' } },
  };
}

/**
 * `POST /api/v1/licenses/{id}/suspend` → `post_licenses_id_suspend`, `GET /health` → `get_root_health`: stable, and unique
 * as the route is.
 */
function operationId(method: Method, path: string): string {
  const inApi = path.startsWith('/api/v1/');
  const words = path.replace(/^\/api\/v1/, '').match(/[A-Za-z0-9]+/g) ?? [];
  return [method.toLowerCase(), ...(inApi ? [] : ['root']), ...words].join('_');
}

function requestBody(schema: z.ZodType): OpenApiObject {
  const required = !schema.safeParse({}).success;
  return { required, content: { 'application/json': { schema: inputSchema(schema) } } };
}

function answersOf<Caller, Demand>(route: Route<Caller, Demand>): OpenApiObject {
  const rows = Object.entries(route.answers).map(([status, schema]) => {
    const description = DESCRIPTIONS[status] ?? 'Done.';
    if (schema === null) return [status, { description }] as const;
    return [
      status,
      { description, content: { 'application/json': { schema: outputSchema(schema) } } },
    ] as const;
  });
  return Object.fromEntries(rows);
}

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  '200': 'As asked.',
  '201': 'Made.',
  '204': 'Done; there is nothing to say.',
};

/** What parameters mean whose schema does not say it. */
const PARAMETERS: Readonly<Record<string, string>> = {
  id: 'Id of the resource.',
  code: 'Code of the tenant.',
  entitlementId: 'Id of the entitlement.',
};

/** One parameter per member of an object schema. */
function parametersOf(schema: z.ZodType | undefined, where: 'path' | 'query'): OpenApiObject[] {
  if (schema === undefined) return [];
  // An object schema: routes have no others in these places.
  const { properties = {}, required = [] } = inputSchema(schema) as {
    properties?: Record<string, OpenApiObject>;
    required?: readonly string[];
  }; // the shape of an object schema, which parameters always have
  const coerced = (outputSchema(schema) as { properties?: Record<string, OpenApiObject> }).properties ?? {};
  return Object.keys(properties).map((name) => {
    // A coerced member accepts text; what it means is said by what comes out.
    const { description, ...type } = { ...coerced[name], ...properties[name] };
    return {
      name,
      in: where,
      required: where === 'path' || (required.includes(name) && !acceptsNothing(schema, name)),
      schema: type,
      description: description ?? PARAMETERS[name] ?? `The ${name} to look for.`,
    };
  });
}

/** A member with coercion and a default counts as required for the schema library, not for a caller. */
function acceptsNothing(schema: z.ZodType, name: string): boolean {
  const read = schema.safeParse({});
  return read.success || !read.error.issues.some(({ path }) => path[0] === name);
}

function headerParameters<Caller, Demand>(route: Route<Caller, Demand>): OpenApiObject[] {
  const rows: OpenApiObject[] = [];
  if (route.idempotent !== undefined) {
    rows.push({
      name: 'Idempotency-Key',
      in: 'header',
      required: false,
      description: 'Makes a repeated request give the answer of the first, for 24 hours.',
      schema: { type: 'string', minLength: 1, maxLength: 128, pattern: '^[!-~]+$' },
    });
  }
  if (route.method === 'PATCH') {
    rows.push({
      name: 'If-Match',
      in: 'header',
      required: false,
      description: 'The ETag of the last read: 412 when the resource has changed since.',
      schema: { type: 'string', maxLength: 1024 },
    });
  }
  return rows;
}

function inputSchema(schema: z.ZodType): OpenApiObject {
  return plain(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', target: 'draft-2020-12' }));
}

function outputSchema(schema: z.ZodType): OpenApiObject {
  return plain(z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any', target: 'draft-2020-12' }));
}

/** Without `$schema`, which the document says once for all. */
function plain(schema: OpenApiObject): OpenApiObject {
  const { $schema: _dialect, ...rest } = schema;
  return rest;
}

const PROBLEM_SCHEMA: OpenApiObject = {
  type: 'object',
  description: 'What went wrong (RFC 9457). Branch on `code`; codes are stable.',
  required: ['type', 'title', 'status', 'detail', 'instance', 'code', 'requestId', 'remedy'],
  properties: {
    type: { type: 'string', description: 'Kind of problem.' },
    title: { type: 'string', description: 'The kind, in words.' },
    status: { type: 'integer', minimum: 400, maximum: 599, description: 'HTTP status.' },
    detail: { type: 'string', description: 'What was wrong with what.' },
    instance: { type: 'string', description: 'This occurrence.' },
    code: { type: 'string', enum: Object.keys(FAULTS).sort(), description: 'Stable code.' },
    requestId: { type: 'string', description: 'To be found in the log of the appliance.' },
    remedy: { type: 'string', description: 'What to do about it.' },
    errors: {
      type: 'array',
      description: 'One row per thing wrong in the request.',
      items: {
        type: 'object',
        required: ['path', 'code', 'message'],
        properties: {
          path: { type: 'string', description: 'Where, e.g. `metadata.color`.' },
          code: { type: 'string', description: 'Stable code.' },
          message: { type: 'string', description: 'In words.' },
        },
      },
    },
  },
};

const PROBLEM_RESPONSE: OpenApiObject = {
  description: 'A problem document: the status is that of its code.',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

/** The query members of a list, for tests that page through every list of a document. */
export const LIST_PARAMETERS: readonly string[] = Object.keys(PAGE_QUERY);
