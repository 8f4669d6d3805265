import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pool } from 'undici';
import { answered, inParallel } from '../support/clients.ts';
import { type Answered, dataOf, type RunningDaemon, send, startDaemon } from '../support/daemon.ts';
import { sendAsOperator } from '../support/operator-socket.ts';
import { stockUp } from '../support/stock.ts';
import { faultOf, type KnownValues, type Operation, operationsOf, RequestMaker } from './mutated-requests.ts';
import { seeded } from './seeded.ts';

/** How many requests, and of which seed. */
export interface MutationPlan {
  readonly directory: string;
  readonly requests: number;
  readonly seed: number;
}

/** What the campaign found. */
export interface MutationReport {
  /** `METHOD /path` that were never asked. */
  readonly unasked: readonly string[];
  /** How often each status was answered. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Answers as none may be, with the request that led to them; at most twenty. */
  readonly wrong: readonly string[];
  /** Resident memory of the daemon in bytes: the largest of the first quarter, and of all. */
  readonly memory: { readonly early: number; readonly most: number };
  /** Whether a sound request was still answered at the end. */
  readonly stillServes: boolean;
  readonly exitCode: number | null;
  /** The daemon's log at level error. */
  readonly log: string;
}

const LANES = 8;
/** After so many requests everything known may have been deleted or revoked. */
const REFILL_EVERY = 250;
const WRONG_SHOWN = 20;

/**
 * Not asked: what writes where the body says (a broken body must not choose a directory of the machine that tests), and
 * what ends all answers with its first call.
 */
const LEFT_OUT = /^\/system\/(audit-exports|backups|seal)/;

/** Sends requests made from the daemon's own OpenAPI document and broken, and looks at every answer and at the daemon. */
export async function mutationCampaign(plan: MutationPlan): Promise<MutationReport> {
  const daemon = await startDaemon(join(plan.directory, 'appliance'));
  try {
    return await runOn(daemon, plan);
  } finally {
    await daemon.kill(); // a campaign that ended in the middle leaves nobody behind
  }
}

async function runOn(daemon: RunningDaemon, plan: MutationPlan): Promise<MutationReport> {
  const openapi = await send({ url: daemon.url }, { method: 'GET', path: '/openapi.json' });
  const operations = operationsOf(openapi.body).filter(({ path }) => !LEFT_OUT.test(path));
  const run = new Run(daemon, operations, plan.seed);
  await run.all(plan.requests);
  const target = { url: daemon.url, key: daemon.live.secretKey };
  const stillServes = (await send(target, { method: 'GET', path: '/licenses' })).status === 200;
  const exitCode = await daemon.stop();
  return { ...run.report(), stillServes, exitCode, log: daemon.log() };
}

class Run {
  readonly #daemon: RunningDaemon;
  readonly #operations: readonly Operation[];
  readonly #random: () => number;
  readonly #api: Pool;
  readonly #operator: Pool;
  readonly #asked = new Set<string>();
  readonly #statuses: Record<string, number> = {};
  readonly #wrong: string[] = [];
  #known: Promise<KnownValues>;
  #early = 0;
  #most = 0;

  constructor(daemon: RunningDaemon, operations: readonly Operation[], seed: number) {
    this.#daemon = daemon;
    this.#operations = operations;
    this.#random = seeded(seed);
    this.#api = new Pool(daemon.url, { connections: LANES });
    const socketPath = join(daemon.dir, 'data', 'run', 'operator.sock');
    this.#operator = new Pool('http://localhost', { connections: LANES, socketPath });
    this.#known = knownValues(daemon, 0);
  }

  async all(requests: number): Promise<void> {
    await inParallel(requests, LANES, async (number) => {
      if (number > 0 && number % REFILL_EVERY === 0) this.#known = knownValues(this.#daemon, number);
      await this.#one(number, await this.#known);
      if (number % 100 === 0) this.#measure(number < requests / 4);
    });
    await Promise.all([this.#api.close(), this.#operator.close()]);
  }

  report(): Omit<MutationReport, 'stillServes' | 'exitCode' | 'log'> {
    const names = this.#operations.map(({ method, path }) => `${method} ${path}`);
    return {
      unasked: names.filter((name) => !this.#asked.has(name)),
      statuses: this.#statuses,
      wrong: this.#wrong,
      memory: { early: this.#early, most: this.#most },
    };
  }

  async #one(number: number, known: KnownValues): Promise<void> {
    const operation = this.#operations[number % this.#operations.length];
    if (operation === undefined) throw new Error('a document has operations');
    const request = new RequestMaker(this.#random, known).make(operation);
    const { answer, text } = await this.#send(request, operation);
    this.#asked.add(`${operation.method} ${operation.path}`);
    const status = String(answer.status);
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
    const fault = faultOf(answer, text);
    if (fault === undefined || this.#wrong.length >= WRONG_SHOWN) return;
    const sent = request.body?.toString('utf8').slice(0, 400) ?? '';
    this.#wrong.push(
      `${request.method} ${request.path.slice(0, 200)} ${sent} → ${fault}: ${text.slice(0, 300)}`,
    );
  }

  async #send(request: ReturnType<RequestMaker['make']>, operation: Operation) {
    const ofOperator = /^\/(tenants|system)/.test(operation.path) && operation.method !== 'GET';
    const root =
      operation.path === '/health' || operation.path === '/ready' || operation.path.startsWith('/.');
    const response = await (ofOperator ? this.#operator : this.#api).request({
      method: request.method,
      path: `${root ? '' : '/api/v1'}${request.path}`,
      headers: {
        ...(ofOperator ? {} : { authorization: `Bearer ${this.#daemon.live.secretKey}` }),
        ...request.headers,
      },
      body: request.body,
    });
    const text = await response.body.text();
    const isJson = String(response.headers['content-type']).includes('json');
    const answer: Answered = answered(response.statusCode, response.headers, isJson ? text : '');
    return { answer, text: isJson ? text : '' };
  }

  #measure(early: boolean): void {
    const status = readFileSync(`/proc/${String(this.#daemon.child.pid)}/status`, 'utf8');
    const resident = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? '0') * 1024;
    if (early) this.#early = Math.max(this.#early, resident);
    this.#most = Math.max(this.#most, resident);
  }
}

/** Makes one of everything, and says under which names requests take them. */
async function knownValues(daemon: RunningDaemon, number: number): Promise<KnownValues> {
  const target = { url: daemon.url, key: daemon.live.secretKey };
  const stock = await stockUp(target, `known-${String(number)}`, { maxMachines: 5 });
  const license = await stock.license();
  const fingerprint = `machine-of-${String(number)}`;
  const machine = await dataOf(stock.post(`/licenses/${license.id}/machines`, { fingerprint }));
  const entitlement = await dataOf(
    stock.post('/entitlements', { code: `known-${String(number)}`, name: 'Known' }),
  );
  // Another tenant than the one whose key is used: a body may well suspend it.
  const tenant = await dataOf(
    sendAsOperator(join(daemon.dir, 'data'), {
      method: 'POST',
      path: '/tenants',
      body: { name: 'Known', code: `known-${String(number)}` },
    }),
  );
  const apiKey = await dataOf(stock.post('/api-keys', { name: 'Known', scopes: ['licenses:read'] }));
  const { productId, policyId } = stock;
  return {
    ...{ productId, policyId, fingerprint, licenseId: license.id, entitlementId: entitlement['id'] },
    entitlementIds: [entitlement['id']],
    key: license.key,
    // By the resource whose {id} stands in a path.
    ...{ products: productId, policies: policyId, licenses: license.id, machines: machine['id'] },
    ...{
      entitlements: entitlement['id'],
      'api-keys': apiKey['id'],
      tenants: tenant['id'],
    },
  };
}
