import { mkdirSync, readFileSync } from 'node:fs';
import { API_KEY_SCOPES } from '../src/access/index.ts';
import { type Trust, verifyTrustBundle } from '../src/verify/index.ts';
import { type InitialisedAppliance, initAppliance, serveFlags } from '../test/support/appliance-process.ts';
import { PROGRAM } from '../test/cli/run-cli.ts';
import { cleanEnvironment, dataOf } from '../test/support/daemon.ts';
import { sendAsOperator } from '../test/support/operator-socket.ts';
import { startProcess } from './servers.ts';

/** An appliance whose tenant and key have no limits, on disk and not running. */
export interface MadeAppliance extends Pick<InitialisedAppliance, 'data' | 'credential'> {
  /** Secret key of the live realm: every scope, tier `unlimited`, no daily limit. */
  readonly key: string;
  /** Settings that it serves with. */
  readonly sets: readonly string[];
  /** Fingerprints of the tenant's roots. */
  readonly roots: readonly string[];
}

/** Such an appliance, serving. */
export interface BenchAppliance extends MadeAppliance {
  readonly url: string;
  readonly pid: number;
  /** Milliseconds from the start of the process until it serves. */
  readonly startMs: number;
  /** What the tenant's applications trust. */
  readonly trust: Trust;
  /** How late timers came since this was last asked. */
  loopDelay(): Promise<LoopDelayMs>;
  /** Ends it in order. @throws Error when it ends with another code than 0 */
  stop(): Promise<void>;
}

/** How late timers came, milliseconds. */
export interface LoopDelayMs {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestMs: number;
}

const LOOP_DELAY = 'mintmark_event_loop_delay_quantile_seconds';
/** A busy machine makes timers late, and load would be shed: a figure is to be had there too. */
const UNSHED = { MINTMARK_LIMITS_OVERLOAD_DELAY_MS: '60000' };
const TENANT = 'site-one';
const HEADERS = { 'x-mintmark-tenant': TENANT, 'x-mintmark-environment': 'live' };

/** Makes an appliance below `root` as `mintmark init` does, and lifts every limit at the operator's socket. */
export async function makeAppliance(
  root: string,
  { sets = [], init = [] }: { readonly sets?: readonly string[]; readonly init?: readonly string[] } = {},
): Promise<MadeAppliance> {
  mkdirSync(root, { recursive: true });
  const { data, credential } = await initAppliance(root, [...init, ...sets.flatMap((one) => ['--set', one])]);
  const { daemon } = await startServing({ data, credential, sets }, {});
  try {
    const [tenant] = await tenantsOf(data);
    if (tenant === undefined) throw new Error('init makes a tenant');
    const tier = 'unlimited';
    await dataOf(sendAsOperator(data, { method: 'PATCH', path: `/tenants/${tenant.id}`, body: { tier } }));
    const body = { name: 'Bench', scopes: API_KEY_SCOPES, tier, issueLimitPerDay: null };
    const made = sendAsOperator(data, { method: 'POST', path: '/api-keys', body, headers: HEADERS });
    return { data, credential, sets, key: String((await dataOf(made))['key']), roots: tenant.roots };
  } finally {
    await daemon.stop();
  }
}

interface ListedTenant {
  readonly id: string;
  readonly roots: readonly string[];
}

async function tenantsOf(data: string): Promise<readonly ListedTenant[]> {
  const { status, body } = await sendAsOperator(data, { method: 'GET', path: '/tenants' });
  if (status !== 200) throw new Error(`the tenants were answered ${status}`);
  return body['data'] as readonly ListedTenant[]; // documented answer of the route
}

/** Serves a made appliance. @param env of the daemon */
export async function serve(
  made: MadeAppliance,
  env: Readonly<Record<string, string>> = {},
): Promise<BenchAppliance> {
  const started = performance.now();
  const { api, metrics, daemon } = await startServing(made, env);
  const startMs = performance.now() - started;
  return {
    ...made,
    url: api,
    pid: daemon.pid,
    startMs,
    trust: await trustOf(api, made.roots),
    loopDelay: () => readLoopDelay(metrics),
    stop: () => daemon.stop(),
  };
}

/** Its log is read and forgotten: a line for each request, as any appliance writes it. */
async function startServing(
  made: Pick<MadeAppliance, 'data' | 'credential' | 'sets'>,
  env: Readonly<Record<string, string>>,
) {
  const daemon = await startProcess([PROGRAM, ...serveFlags(made, made.sets)], {
    env: cleanEnvironment({ ...UNSHED, ...env }),
    isReady: (line) => fieldsOf(line)['message'] === 'serving',
  });
  const { api, metrics } = fieldsOf(daemon.readyLine);
  return { api: String(api), metrics: String(metrics), daemon };
}

function fieldsOf(line: string): Record<string, unknown> {
  return JSON.parse(line) as Record<string, unknown>; // each line of the log is an object
}

async function trustOf(url: string, roots: readonly string[]): Promise<Trust> {
  const bundle = await (await fetch(`${url}/api/v1/trust-bundle`)).text();
  const { trust, message } = verifyTrustBundle(bundle, { roots });
  if (trust === undefined) throw new Error(`the trust bundle is not accepted: ${message}`);
  return trust;
}

async function readLoopDelay(metrics: string): Promise<LoopDelayMs> {
  const text = await (await fetch(`${metrics}/metrics`)).text();
  if (!text.includes(`# TYPE ${LOOP_DELAY} gauge`)) throw new Error('the daemon tells no event-loop delay');
  // Nothing is told when no timer was due since the last look.
  const ms = (quantile: string): number =>
    1000 * Number(new RegExp(`^${LOOP_DELAY}\\{quantile="${quantile}"\\} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  return { p50Ms: ms('0.5'), p99Ms: ms('0.99'), longestMs: ms('1') };
}

/** Resident memory of a process, MiB. */
export function residentMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}
