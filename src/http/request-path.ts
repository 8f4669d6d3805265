import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { Fault, type FaultCode, FAULTS } from '../faults.ts';
import type { JsonValue } from '../lib/strict-json.ts';
import { DEFAULT_BODY_BYTES, hasBody, parseBody, readBody } from './body.ts';
import type { Exchange } from './exchange.ts';
import type { Identified, Parts, Presented } from './parts.ts';
import { parseRequest } from './problem.ts';
import { type AnswerStore, idempotencyKey, Remembrance, type Replays, requestDigest } from './replay.ts';
import { countRequest, isCountedWhenRead, sayQuota, shedLoad } from './request-quota.ts';
import { nonceIn, requireDigest, signatureHeaders } from './response-signature.ts';
import type { Answer, Call } from './route.ts';
import type { RouteEntry, RouteTable } from './route-table.ts';

/** The path of every request, and what it goes through. */
export interface PathParts<Who, Caller, Demand, Tx> extends Parts<Who, Caller, Demand, Tx> {
  readonly table: RouteTable<Caller, Demand>;
  readonly replays: Replays<Caller, Tx>;
}

/** A request whose route is known. */
interface Found<Caller, Demand> {
  readonly entry: RouteEntry<Caller, Demand>;
  readonly params: Readonly<Record<string, string>>;
  /** The target's path and query, as received. */
  readonly path: string;
  readonly query: string;
}

/** A request of somebody who is known. */
interface Known<Who, Caller, Demand> extends Found<Caller, Demand> {
  readonly who: Who;
  readonly anonymous: boolean;
}

/** A request that may be done. */
interface Permitted<Who, Caller, Demand, Tx> extends Known<Who, Caller, Demand> {
  readonly permit: Caller;
  /** Where its answer is kept, when it asks for that. */
  readonly memory: Remembrance<Caller, Tx> | undefined;
}

const AUTHENTICATE = { 'WWW-Authenticate': 'Bearer realm="mintmark", License realm="mintmark"' };
/** A request that takes longer to arrive is asked for its permit once more. */
const BODY_AT_ONCE_MS = 100;
const NO_QUERY: Readonly<Record<string, string>> = Object.freeze({});

/**
 * Request → Principal → Permit → handler → answer. Each step takes what the one before returned; nothing is read of a
 * body before its sender may send it. What is limited by who asks is counted before that, what is limited by licence and
 * machine when they are read. The handler returns only when what it did is durable.
 */
export async function answerRequest<Who, Caller, Demand, Tx>(
  parts: PathParts<Who, Caller, Demand, Tx>,
  exchange: Exchange,
): Promise<void> {
  const found = findRoute(parts, exchange);
  if (found === undefined) {
    await sayQuota(parts, exchange);
    await exchange.answer({ status: 204 });
    return;
  }
  const { route } = found.entry;
  shedLoad(parts, route, exchange);
  const known = await identified(parts, found, exchange);
  if (!isCountedWhenRead(route)) await countRequest(parts, exchange, known);
  const permitted = permit(parts, known, exchange);
  const { call, body } = await readCall(permitted, exchange);
  // A body may take its time to come, and its sender may have been revoked meanwhile.
  if (parts.clock.monotonic() - exchange.startedAt > BODY_AT_ONCE_MS) {
    permit(parts, await identified(parts, found, exchange), exchange);
  }
  if (isCountedWhenRead(route)) await countRequest(parts, exchange, { ...known, call });
  try {
    const answer = await handle(parts, permitted, { call, body, exchange });
    await parts.beforeAnswer(exchange.ownRequestId);
    await sayQuota(parts, exchange);
    await exchange.answer(answer);
  } catch (error) {
    if (error instanceof Fault) recordRefusal(parts, permitted, { fault: error, exchange });
    throw error;
  }
}

/** What an operation itself refuses for who is asking, not for what is asked. */
const REFUSALS: ReadonlySet<FaultCode> = new Set(['UNAUTHENTICATED', 'INSUFFICIENT_SCOPE', 'RATE_LIMITED']);

function recordRefusal<Who, Caller, Demand, Tx>(
  parts: PathParts<Who, Caller, Demand, Tx>,
  permitted: Permitted<Who, Caller, Demand, Tx>,
  { fault, exchange }: { readonly fault: Fault; readonly exchange: Exchange },
): void {
  if (!REFUSALS.has(fault.code)) return;
  parts.refused({ ...aboutOf(permitted, exchange), who: permitted.who, code: fault.code, rule: 'operation' });
}

/**
 * Undefined: the request asked which methods there are, and the headers say so.
 * @throws Fault NOT_FOUND, METHOD_NOT_ALLOWED; what `otherwise` says
 */
function findRoute<Caller, Demand>(
  { table, otherwise }: Pick<PathParts<unknown, Caller, Demand, unknown>, 'table' | 'otherwise'>,
  exchange: Exchange,
): Found<Caller, Demand> | undefined {
  const { method = '', url = '' } = exchange.request;
  const at = url.indexOf('?');
  const path = at < 0 ? url : url.slice(0, at);
  const matched = table.match(method, path);
  if (matched.found === 'route') {
    exchange.route = matched.entry.action;
    exchange.routeClass = matched.entry.route.tag;
    return { entry: matched.entry, params: matched.params, path, query: at < 0 ? '' : url.slice(at + 1) };
  }
  if (otherwise !== undefined) throw otherwise();
  if (matched.found === 'nothing')
    throw new Fault('NOT_FOUND', 'there is no such path; openapi.json lists all');
  exchange.headers = { Allow: matched.allow };
  if (method === 'OPTIONS') return undefined;
  throw new Fault('METHOD_NOT_ALLOWED', `this path does not take ${method}; it takes ${matched.allow}`);
}

/** @throws Fault UNAUTHENTICATED, REALM_REQUIRED, RATE_LIMITED; every refusal is recorded */
async function identified<Who, Caller, Demand, Tx>(
  parts: PathParts<Who, Caller, Demand, Tx>,
  found: Found<Caller, Demand>,
  exchange: Exchange,
): Promise<Known<Who, Caller, Demand>> {
  const { action } = found.entry;
  const result: Identified<Who> = await parts.identify(presentedBy(exchange));
  const who = result.known ? result.who : null;
  exchange.answered = ({ status, address, ids = {} }) => {
    parts.used({ who, action, status, address, subject: Object.values(ids)[0] });
  };
  if (!result.known) {
    parts.refused({ ...aboutOf(found, exchange), who: null, code: result.fault.code, rule: result.rule });
    exchange.headers = AUTHENTICATE;
    throw result.fault;
  }
  exchange.caller = result.name;
  return { ...found, who: result.who, anonymous: result.anonymous };
}

/** @throws Fault UNAUTHENTICATED, INSUFFICIENT_SCOPE, REALM_REQUIRED; every refusal is recorded */
function permit<Who, Caller, Demand, Tx>(
  parts: PathParts<Who, Caller, Demand, Tx>,
  known: Known<Who, Caller, Demand>,
  exchange: Exchange,
): Permitted<Who, Caller, Demand, Tx> {
  const { entry, who, anonymous } = known;
  const memory = anonymous ? undefined : memoryFor(parts.answers, entry, exchange);
  const asked = { action: entry.action, requestId: exchange.ownRequestId, keep: memory?.keep };
  const verdict = parts.authorise(who, entry.route.demand, asked);
  if (verdict.allowed) return { ...known, permit: verdict.permit, memory };
  parts.refused({ ...aboutOf(known, exchange), who, code: verdict.code, rule: verdict.rule });
  if (FAULTS[verdict.code].status === 401) exchange.headers = AUTHENTICATE;
  throw new Fault(verdict.code, refusalText(verdict.rule));
}

/** What the record of refusals is told of every request. */
function aboutOf<Caller, Demand>(
  { entry }: Found<Caller, Demand>,
  { ownRequestId: requestId, address }: Exchange,
) {
  return { action: entry.action, routeClass: entry.route.tag, requestId, address };
}

function refusalText(rule: string): string {
  if (rule === 'operator.realm') return 'no tenant is named; send the header X-Mintmark-Tenant with its code';
  if (rule.startsWith('scope.'))
    return `this needs a credential with the scope ${rule.slice('scope.'.length)}`;
  if (rule === 'operator.only') return 'only the operator of the appliance may do this, and no API key';
  if (rule === 'principal.anonymous') return 'this needs a credential, and none was sent';
  return `this credential is of no use here (rule ${rule})`;
}

function presentedBy(exchange: Exchange): Presented {
  const { headers } = exchange.request;
  return {
    authorization: headers.authorization,
    apiKey: single(headers['x-api-key']),
    publishableKey: single(headers['x-publishable-key']),
    tenant: single(headers['x-mintmark-tenant']),
    environment: single(headers['x-mintmark-environment']),
    face: exchange.face,
    address: exchange.address,
  };
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}

function memoryFor<Caller, Demand, Tx>(
  store: AnswerStore<Caller, Tx>,
  { route }: RouteEntry<Caller, Demand>,
  exchange: Exchange,
): Remembrance<Caller, Tx> | undefined {
  const wanted = route.idempotent !== undefined && exchange.request.headers['idempotency-key'] !== undefined;
  return wanted ? new Remembrance(store, route) : undefined;
}

/** @throws Fault VALIDATION_FAILED, NOT_FOUND, MALFORMED, BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE */
async function readCall<Who, Caller, Demand, Tx>(
  permitted: Permitted<Who, Caller, Demand, Tx>,
  exchange: Exchange,
): Promise<{ call: Call<Caller>; body: Buffer }> {
  const { route } = permitted.entry;
  const params = readParams(route.params, permitted.params);
  exchange.ids = idsIn(permitted.params);
  const query = readQuery(route.query, permitted.query);
  const { bytes, body } = await readInput(permitted, exchange);
  return {
    call: new ReceivedCall(permitted.permit, exchange, { params, query, body, bytes, path: permitted.path }),
    body: bytes,
  };
}

/** Our ids, and codes that are part of public addresses; anything else is not repeated in the log. */
const ID = /^[a-z]{2,5}_[0-9A-HJKMNP-TV-Z]{26}$/;

function idsIn(params: Readonly<Record<string, string>>): Readonly<Record<string, string>> | undefined {
  const ids = Object.entries(params).filter(([, value]) => ID.test(value));
  return ids.length === 0 ? undefined : Object.fromEntries(ids);
}

/** A path whose parameter cannot be the id of anything leads nowhere. */
function readParams(schema: z.ZodType | undefined, given: Readonly<Record<string, string>>): unknown {
  if (schema === undefined) return given;
  const read = schema.safeParse(given);
  if (read.success) return read.data;
  throw new Fault('NOT_FOUND', 'nothing has the id in this path; check it');
}

function readQuery(schema: z.ZodType | undefined, text: string): unknown {
  const given = text === '' ? NO_QUERY : queryMembers(text);
  if (schema === undefined) {
    if (given === NO_QUERY) return given;
    throw new Fault('VALIDATION_FAILED', 'this request takes no query; send it without one', {
      errors: Object.keys(given).map((path) => ({
        path,
        code: 'UNKNOWN_MEMBER',
        message: 'is not known here',
      })),
    });
  }
  return parseRequest(schema, given);
}

function queryMembers(text: string): Readonly<Record<string, string>> {
  const members = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (members.has(name)) throw new Fault('MALFORMED', 'a query parameter is given twice; give each once');
    members.set(name, value);
  }
  return Object.fromEntries(members);
}

async function readInput<Who, Caller, Demand, Tx>(
  permitted: Permitted<Who, Caller, Demand, Tx>,
  exchange: Exchange,
): Promise<{ bytes: Buffer; body: unknown }> {
  const { request, response } = exchange;
  const { route } = permitted.entry;
  const maxBytes = route.maxBodyBytes ?? DEFAULT_BODY_BYTES;
  const bytes = await readBody(request, response, maxBytes);
  const given = parseBody(bytes, maxBytes);
  bindSignature(permitted, exchange, { given, bytes });
  if (route.body === undefined) {
    if (hasBody(request) && !isEmptyObject(given)) {
      throw new Fault('MALFORMED', 'this request takes no body; send it without one');
    }
    return { bytes, body: undefined };
  }
  return { bytes, body: parseRequest(route.body, given) };
}

/**
 * Once the body is known, so is whether the answer is to be signed: whatever becomes of the request from here on.
 * @throws Fault MALFORMED: there is nothing a signature could be bound to; SIGNER_UNAVAILABLE
 */
function bindSignature<Who, Caller, Demand, Tx>(
  { entry, permit, path, params }: Permitted<Who, Caller, Demand, Tx>,
  exchange: Exchange,
  body: { readonly given: JsonValue; readonly bytes: Buffer },
): void {
  const { signing } = entry.route;
  const nonce = signing === undefined ? undefined : nonceIn(body.given);
  if (signing === undefined || nonce === undefined) return;
  const digest = requireDigest(single(exchange.request.headers['content-digest']), body.bytes);
  const kid = signing.keyFor(permit, body.given, params);
  if (kid === null) return;
  const covered = { method: entry.route.method, path, digest, nonce };
  exchange.signing = (answer) =>
    signatureHeaders(covered, answer, { kid, now: signing.now(), sign: (base) => signing.sign(kid, base) });
}

function isEmptyObject(value: JsonValue): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** Runs the handler, once for all requests with the same idempotency key. */
async function handle<Who, Caller, Demand, Tx>(
  parts: PathParts<Who, Caller, Demand, Tx>,
  { entry, memory }: Permitted<Who, Caller, Demand, Tx>,
  given: { readonly call: Call<Caller>; readonly body: Buffer; readonly exchange: Exchange },
): Promise<Answer> {
  const { call, body, exchange } = given;
  const { method = '', url = '', headers } = exchange.request;
  const key = memory === undefined ? undefined : idempotencyKey(single(headers['idempotency-key']));
  if (memory === undefined || key === undefined) return entry.route.handle(call);
  // Whoever shows no proof must not be given what was given for one.
  const proofs = (entry.route.proofs ?? []).map((name) => call.header(name) ?? null);
  const request = requestDigest({ method, target: url, accept: headers.accept, proofs, body });
  return parts.replays.run({ route: entry.route, call, slot: { route: entry.action, key, request } }, memory);
}

/** What a handler sees of a request. */
class ReceivedCall<Caller> implements Call<Caller> {
  readonly permit: Caller;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly path: string;
  readonly #exchange: Exchange;
  readonly #bytes: Buffer;

  constructor(
    permitted: Caller,
    exchange: Exchange,
    read: { params: unknown; query: unknown; body: unknown; bytes: Buffer; path: string },
  ) {
    this.permit = permitted;
    this.#exchange = exchange;
    this.params = read.params;
    this.query = read.query;
    this.body = read.body;
    this.path = read.path;
    this.#bytes = read.bytes;
  }

  get requestId(): string {
    return this.#exchange.ownRequestId;
  }

  get address(): string {
    return this.#exchange.address;
  }

  readonly bodyDigest = (): Buffer => createHash('sha256').update(this.#bytes).digest();

  header(name: string): string | undefined {
    return single(this.#exchange.request.headers[name]);
  }
}
