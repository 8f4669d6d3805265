import { request as httpRequest, Agent } from 'node:http';
import fc from 'fast-check';
import { fitting, type JsonSchema, type KnownIds, spoiled } from './json-schema-values.ts';

/** Where the campaign goes, and with what. */
export interface CampaignTarget {
  readonly baseUrl: string;
  /** The OpenAPI document that the target serves. */
  readonly openapi: unknown;
  /** Headers of each kind of caller; one is chosen for each request. */
  readonly credentials: readonly Readonly<Record<string, string>>[];
}

/** How long it goes on. The same seed makes the same requests, as far as ids do not differ. */
export interface CampaignLength {
  readonly count: number;
  readonly seed: number;
}

/** An answer that must not be. */
export interface Finding {
  readonly why: string;
  readonly request: string;
  readonly status: number;
  readonly answer: string;
}

/** What became of all requests. */
export interface CampaignReport {
  readonly sent: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
}

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly query: readonly { readonly name: string; readonly schema: JsonSchema }[];
  readonly body: JsonSchema | undefined;
}

interface Sent {
  readonly operation: Operation;
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

const PARALLEL = 16;
const FINDINGS_KEPT = 20;
/** What our insides look like from outside. */
const INSIDES =
  /\bat .{0,200}\.[tj]s:\d+|node:internal|SQLITE_|SqliteError|TypeError|RangeError|InvariantViolation/;
const NOISE: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: 'binary', maxLength: 30 }),
);

/**
 * Sends requests derived from an OpenAPI document: some well meant, most spoiled in one place, some mere bytes. Whatever
 * comes, an answer is below 500, a refusal is a problem document, and nothing of our insides is in it. Ids that answers
 * give are used again, so that requests get past the first check.
 */
export async function mutationCampaign(
  target: CampaignTarget,
  length: CampaignLength,
): Promise<CampaignReport> {
  const operations = operationsOf(target.openapi);
  const ids = new Map<string, string[]>();
  const agent = new Agent({ keepAlive: true, maxSockets: PARALLEL });
  const byStatus: Record<string, number> = {};
  const findings: Finding[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < length.count) {
      const seed = length.seed + next++;
      const [sent] = fc.sample(requests(operations, target.credentials, ids), { numRuns: 1, seed });
      if (sent === undefined) continue;
      const answer = await deliver(target.baseUrl, agent, sent);
      byStatus[answer.status] = (byStatus[answer.status] ?? 0) + 1;
      const why = complaint(answer);
      if (why !== undefined && findings.length < FINDINGS_KEPT) findings.push(finding(why, sent, answer));
      learnIds(ids, sent, answer);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  agent.destroy();
  return { sent: next, byStatus, findings };
}

function operationsOf(openapi: unknown): Operation[] {
  const { paths } = openapi as { paths: Record<string, Record<string, OpenApiOperation>> }; // an OpenAPI document
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      query: (operation.parameters ?? []).filter((parameter) => parameter.in === 'query'),
      body: operation.requestBody?.content['application/json']?.schema,
    })),
  );
}

interface OpenApiOperation {
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: JsonSchema;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> };
}

function requests(
  operations: readonly Operation[],
  credentials: CampaignTarget['credentials'],
  ids: KnownIds,
): fc.Arbitrary<Sent> {
  return fc.constantFrom(...operations).chain((operation) =>
    fc
      .record({
        method: fc.oneof(
          { weight: 20, arbitrary: fc.constant(operation.method) },
          fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'PROPFIND'),
        ),
        path: pathOf(operation.path, ids),
        query: queryOf(operation),
        body: bodyOf(operation.body, ids),
        caller: fc.constantFrom(...credentials),
        extra: extraHeaders(),
      })
      .map(({ method, path, query, body, caller, extra }) => ({
        operation,
        method,
        target: path + query,
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...caller, ...extra },
        body,
      })),
  );
}

function pathOf(pattern: string, ids: KnownIds): fc.Arbitrary<string> {
  const segments = pattern.split('/').map((segment, at, all) => {
    if (!segment.startsWith('{')) return fc.constant(segment);
    const known = ids.get(segment === '{id}' ? (all[at - 1] ?? '') : segment.slice(1, -1)) ?? [];
    const odd = NOISE.map((text) => encodeURIComponent(text.toWellFormed()).slice(0, 60));
    const bad = fc.constantFrom(
      '%',
      '%zz',
      '%ff',
      '..',
      '%2e%2e',
      'lic_01J9ZC3T5K8M2N4P6Q7R9S0TVW',
      '0',
      'a'.repeat(300),
    );
    if (known.length === 0) return fc.oneof(odd, bad);
    return fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...known) }, odd, bad);
  });
  return fc.tuple(...segments).map((parts) => parts.join('/'));
}

function queryOf(operation: Operation): fc.Arbitrary<string> {
  const fit = operation.query.map(({ name, schema }) =>
    fc.option(fitting(schema, new Map()), { nil: undefined }).map((value) => [name, value] as const),
  );
  const good = fc.tuple(...fit).map((pairs) => asQuery(pairs.filter(([, value]) => value !== undefined)));
  const pair = fc.tuple(
    fc.oneof(NOISE, fc.constantFrom('limit', 'cursor', 'status', '__proto__', 'a[b]')),
    NOISE,
  );
  const odd = fc.array(pair, { maxLength: 3 }).map(asQuery);
  return fc.oneof(
    { weight: 3, arbitrary: good },
    fc.constant(''),
    odd,
    fc.constantFrom('?', '?=', '?%', '?a&a', '?limit=1&limit=2'),
  );
}

function asQuery(pairs: readonly (readonly [string, unknown])[]): string {
  const text = pairs
    .map(
      ([name, value]) =>
        `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(String(value).toWellFormed())}`,
    )
    .join('&');
  return text === '' ? '' : `?${text}`;
}

function bodyOf(schema: JsonSchema | undefined, ids: KnownIds): fc.Arbitrary<Buffer | undefined> {
  const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  if (schema === undefined) return fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, noise);
  const good = fitting(schema, ids);
  const text = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  return fc.oneof(
    { weight: 3, arbitrary: good.map(text) },
    { weight: 6, arbitrary: good.chain(spoiled).map((value) => text(value ?? null)) },
    { weight: 2, arbitrary: good.map(text).chain(spoiledBytes) },
    { weight: 1, arbitrary: noise },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
}

/** Flips, drops or doubles bytes of a text that was JSON. */
function spoiledBytes(bytes: Buffer): fc.Arbitrary<Buffer> {
  return fc
    .tuple(fc.nat(Math.max(0, bytes.length - 1)), fc.nat(255), fc.constantFrom('flip', 'drop', 'double'))
    .map(([at, byte, how]) => {
      if (how === 'drop') return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
      if (how === 'double') return Buffer.concat([bytes.subarray(0, at), bytes]);
      const copy = Buffer.from(bytes);
      copy[at] = byte;
      return copy;
    });
}

function extraHeaders(): fc.Arbitrary<Record<string, string>> {
  const odd = fc.constantFrom(
    '',
    '*',
    '"x"',
    '0',
    'a'.repeat(200),
    '\xff',
    'application/octet-stream',
    '{"a":1}',
  );
  const name = fc.constantFrom(
    ...['idempotency-key', 'if-match', 'accept', 'content-type', 'x-request-id', 'traceparent'],
    ...['x-forwarded-for', 'forwarded', 'x-mintmark-tenant', 'content-digest', 'x-http-method-override'],
  );
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    fc.tuple(name, odd).map(([key, value]) => ({ [key]: value })),
  );
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

function deliver(baseUrl: string, agent: Agent, sent: Sent): Promise<Answer> {
  const { hostname, port } = new URL(baseUrl);
  const length = sent.body === undefined ? {} : { 'content-length': String(sent.body.length) };
  return new Promise((resolve) => {
    const request = httpRequest(
      {
        hostname,
        port,
        agent,
        method: sent.method,
        path: sent.target,
        headers: { ...sent.headers, ...length },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const type = response.headers['content-type'] ?? '';
          resolve({ status: response.statusCode ?? 0, type, text: Buffer.concat(chunks).toString('utf8') });
        });
      },
    );
    // Only a connection that broke has no status; the complaint names it.
    request.on('error', (error) => resolve({ status: 0, type: '', text: error.message }));
    request.end(sent.body);
  });
}

function complaint({ status, type, text }: Answer): string | undefined {
  if (status === 0) return 'the connection broke';
  if (status >= 500) return 'a server error';
  if (INSIDES.test(text)) return 'insides in the answer';
  if (status >= 400 && text !== '' && !type.startsWith('application/problem+json'))
    return 'a refusal that is no problem document';
  return undefined;
}

function finding(why: string, sent: Sent, answer: Answer): Finding {
  const headers = Object.keys(sent.headers).join(', ');
  const body = sent.body?.toString('latin1').slice(0, 500) ?? '';
  return {
    why,
    request: `${sent.method} ${sent.target} [${headers}] ${body}`,
    status: answer.status,
    answer: answer.text.slice(0, 500),
  };
}

/** Ids of what the campaign made itself: what was there before (its own credentials) is left alone. */
function learnIds(ids: Map<string, string[]>, sent: Sent, answer: Answer): void {
  if (answer.status !== 201) return;
  const [, id] = /"id":"([a-z]+_[0-9A-HJKMNP-TV-Z]{26})"/.exec(answer.text) ?? [];
  const collection = sent.operation.path.split('/').at(-1) ?? '';
  if (id === undefined || collection.startsWith('{')) return;
  const singular = collection.endsWith('ies') ? `${collection.slice(0, -3)}y` : collection.slice(0, -1);
  for (const name of [collection, `${singular}Id`]) {
    const known = ids.get(name) ?? [];
    if (known.length < 50) ids.set(name, [...known, id]);
  }
}
