import {
  type AnswerRooms,
  Answers,
  authorise,
  type Demand,
  FailureLimiter,
  identify,
  type IdentifyDeps,
  KeyUsage,
  LicenseKeys,
  ProvenKeys,
  type LimitTable,
  makeApiKey,
  type Permit,
  RateLimits,
  RealmDirectory,
  refusalRecorder,
  type Scope,
  type Tier,
} from '../../src/access/index.ts';
import type { ApiKeyRoutesDeps } from '../../src/access/api-keys/routes.ts';
import { apiKeyRoutes } from '../../src/access/api-keys/routes.ts';
import type { ApiKeyKind } from '../../src/access/api-keys/api-key-text.ts';
import type { Principal } from '../../src/access/principal.ts';
import { createOutbox, type Outbox } from '../../src/delivery/index.ts';
import { addressRanges } from '../../src/http/address-ranges.ts';
import { standingHeaders } from '../../src/http/headers.ts';
import { silentLog } from '../../src/http/log.ts';
import { Metrics } from '../../src/http/metrics.ts';
import type { Route } from '../../src/http/route.ts';
import { Overload } from '../../src/http/overload.ts';
import type { Used } from '../../src/http/parts.ts';
import { createServer, type HttpServer } from '../../src/http/server.ts';
import { metricsRoute } from '../../src/http/standing-routes.ts';
import { Refusals } from '../../src/ledger/index.ts';
import { licenseKeyForms } from '../../src/licensing/licenses/license-key.ts';
import { isWeakGuess } from '../../src/licensing/licenses/license-key-strength.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import type { RealmId } from '../../src/storage/realm-scope.ts';
import type { Tx } from '../../src/storage/tx.ts';
import { openTestStorage, type TestStorage } from '../support/storage.ts';

/** Access over real storage, with a real server in front; the clock stands still unless a test moves it. */
export interface TestAccess extends AsyncDisposable {
  readonly storage: TestStorage;
  readonly realms: RealmDirectory;
  readonly refusals: Refusals;
  readonly usage: KeyUsage;
  readonly outbox: Outbox;
  readonly keyDeps: ApiKeyRoutesDeps;
  readonly proven: ProvenKeys;
  /** Everything that was said to have been used. */
  readonly used: Used<Principal>[];
  /** How long failures were held back, in milliseconds; nobody really waits. */
  readonly pauses: number[];
  /** Makes a key past all rules and returns its text. */
  key(made: KeyToMake): Promise<string>;
  /** Opens a server over these routes. */
  serve(routes: readonly Route<Permit, Demand>[]): Promise<TestServer>;
}

/** A key for a test; everything left out is harmless. */
export interface KeyToMake {
  readonly realm: RealmId;
  readonly scopes?: readonly Scope[];
  readonly kind?: ApiKeyKind;
  readonly allowedCidrs?: readonly string[];
  readonly expiresAt?: number | null;
  readonly issueLimitPerDay?: number | null;
  readonly tier?: Tier;
  readonly allowedProducts?: readonly string[];
}

/** A server with an API door and an operator's socket. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly socket: string;
  readonly server: HttpServer;
}

/** Entries of the ledger, of one action when it is given. */
export function entriesOf(access: TestAccess, action?: string): number {
  const rows = access.storage.database.native
    .prepare('SELECT bytes FROM ledger_entries')
    .pluck()
    .all() as Buffer[];
  return rows.filter((bytes) => action === undefined || bytes.includes(`"${action}"`)).length;
}

/** What the API answered. */
export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly code: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a test may choose. */
export interface AccessChoices {
  readonly failuresPerMinute?: number;
  /** Instead of limits that no test reaches by chance. */
  readonly limits?: Partial<LimitTable>;
  readonly overload?: Overload;
  readonly rooms?: AnswerRooms;
  readonly maxKeyAgeMs?: number;
}

const ROOM = { answers: 100_000, bytes: 100_000_000 };
const ROOMS: AnswerRooms = { principal: ROOM, realm: ROOM };
const PLENTY = {
  validate: 100_000,
  heartbeat: 100_000,
  activate: 100_000,
  activateRealm: 100_000,
  management: 100_000,
  burst: 100_000,
};
const TABLE: LimitTable = { free: PLENTY, standard: PLENTY, premium: PLENTY };

/** Opens storage and access. */
export async function openAccess(choices: AccessChoices = {}): Promise<TestAccess> {
  const storage = await openTestStorage();
  const { work, sealer, indexer, clock } = storage;
  const time = { now: () => clock.wall() };
  const realms = new RealmDirectory(work.read);
  const usage = new KeyUsage({ work, sealer });
  const refusals = new Refusals();
  const outbox = createOutbox({
    random: systemRandom,
    realmName: (realm) => ({
      tenant: realms.name(realm).tenantCode,
      environment: realms.environmentOf(realm),
    }),
  });
  const proven = new ProvenKeys(systemRandom);
  const keyDeps: ApiKeyRoutesDeps = {
    work,
    indexer,
    sealer,
    random: systemRandom,
    outbox,
    environmentOf: (realm) => realms.environmentOf(realm),
    branch: () => '0123456789abcdef',
    proven,
  };
  const pauses: number[] = [];
  const failures = new FailureLimiter(1, {
    failuresPerMinute: choices.failuresPerMinute,
    pause: (ms) => Promise.resolve(pauses.push(ms)),
  });
  const identifyDeps = {
    read: work.read,
    indexer,
    time,
    realms,
    failures,
    proven,
    maxKeyAgeMs: choices.maxKeyAgeMs ?? null,
    licenseKeys: new LicenseKeys({ work, indexer, random: systemRandom, forms: licenseKeyForms }),
    isWeakGuess,
    used: (use: Parameters<KeyUsage['note']>[0]) => usage.note(use),
  };
  const used: Used<Principal>[] = [];
  return {
    ...{ storage, realms, refusals, usage, outbox, keyDeps, proven, used, pauses },
    key: (made) => makeKey(storage, keyDeps, made),
    serve: (routes) => serveOver({ storage, routes, identifyDeps, choices, refusals, used }),
    [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
  };
}

/** What a server of a test stands on. */
interface ServeGiven {
  readonly storage: TestStorage;
  readonly routes: readonly Route<Permit, Demand>[];
  readonly identifyDeps: IdentifyDeps & {
    readonly realms: RealmDirectory;
    readonly failures: FailureLimiter;
  };
  readonly choices: AccessChoices;
  readonly refusals: Refusals;
  readonly used: Used<Principal>[];
}

async function serveOver({
  storage,
  routes,
  identifyDeps,
  choices,
  refusals,
  used,
}: ServeGiven): Promise<TestServer> {
  const { work, sealer, indexer } = storage;
  const anybody: Demand = { scope: null, also: ['anonymous'] };
  const metrics = new Metrics();
  const server = createServer<Principal, Permit, Demand, Tx>({
    routes,
    metricsRoutes: [metricsRoute(anybody, metrics)],
    identify: (presented) => identify(identifyDeps, presented),
    authorise,
    refused: refusalRecorder(refusals),
    used: (use) => void used.push(use),
    requestLimits: limitsOver({ identifyDeps, choices }),
    overload: choices.overload ?? new Overload({ delayLimitMs: 10_000, waiting: () => 0 }),
    answers: new Answers({ work, sealer, indexer, time: identifyDeps.time, rooms: choices.rooms ?? ROOMS }),
    beforeAnswer: () => Promise.resolve(),
    log: silentLog,
    metrics,
    clock: systemClock,
    random: systemRandom,
    proxies: addressRanges(['127.0.0.1']),
    standing: standingHeaders({}),
    limits: { total: 512, perAddress: 512 },
    allowPlain: addressRanges([]),
  });
  const place = await server.listen('api', { host: '127.0.0.1', port: 0 });
  const socket = `${storage.directory}/operator.sock`;
  await server.listen('operator', { path: socket, mode: 0o600 });
  const port = 'port' in place ? place.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    socket,
    server,
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

function limitsOver({ identifyDeps, choices }: Pick<ServeGiven, 'identifyDeps' | 'choices'>): RateLimits {
  const { realms, failures, licenseKeys } = identifyDeps;
  return new RateLimits({
    table: { ...TABLE, ...choices.limits },
    random: systemRandom,
    failures,
    tierOf: (realm) => realms.standing(realm).tier,
    realmsOfKey: (text) => licenseKeys.find(text).places.map(({ realm }) => realm),
    machineOf: () => undefined,
    productOf: () => undefined,
    formOfKey: (text) => licenseKeyForms(text)[0] ?? text,
  });
}

/** The routes of API keys, served. */
export async function serveKeys(access: TestAccess): Promise<TestServer> {
  return access.serve(apiKeyRoutes(access.keyDeps));
}

function makeKey(storage: TestStorage, deps: ApiKeyRoutesDeps, made: KeyToMake): Promise<string> {
  const { realm, kind = 'sk', scopes = [], allowedCidrs = [], expiresAt = null, tier = 'standard' } = made;
  const { allowedProducts = [] } = made;
  const issueLimitPerDay = made.issueLimitPerDay === undefined ? 1000 : made.issueLimitPerDay;
  const authority = {
    scopes,
    allowedCidrs,
    expiresAt,
    tier,
    issueLimitPerDay,
    issueLimitTotal: null,
    allowedProducts,
  } as const;
  const environment = deps.environmentOf(realm);
  return storage.work.run(storage.authority(realm), (tx) =>
    makeApiKey(deps, tx, { realm, environment, kind, name: 'test', authority }).text.expose(),
  );
}

/** Sends one JSON request over TCP. */
export async function ask(
  url: string,
  request: {
    readonly method?: string;
    readonly path: string;
    readonly key?: string;
    readonly body?: unknown;
    readonly headers?: Record<string, string>;
    readonly signal?: AbortSignal;
  },
): Promise<Answered> {
  const { method = 'GET', path, key, body, headers, signal = null } = request;
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body === undefined ? null : JSON.stringify(body),
    signal,
  });
  const text = await answer.text();
  return answered(answer.status, answer.headers, text);
}

/** Reads an answer. */
export function answered(status: number, headers: Headers, text: string): Answered {
  const body = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
  const data = (body['data'] ?? {}) as Record<string, unknown>; // a single resource is an object
  const code = typeof body['code'] === 'string' ? body['code'] : undefined;
  return { status, headers, code, body, data };
}
