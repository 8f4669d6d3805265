import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from './config/index.ts';
import type { Unsealing } from './custody/index.ts';
import { allJobs } from './daemon/jobs.ts';
import { featureDeps, type FeatureDeps } from './daemon/features.ts';
import { registerMetrics } from './daemon/metrics.ts';
import { openParts, type Parts, type Surroundings } from './daemon/parts.ts';
import { buildServer } from './daemon/server.ts';
import { recordSlotUse } from './daemon/slot-entries.ts';
import { Fault } from './faults.ts';
import type { Place } from './http/listener.ts';
import type { Log } from './http/log.ts';
import type { HttpServer } from './http/server.ts';
import { Schedule } from './jobs/schedule.ts';
import { append, recordRefusals } from './ledger/index.ts';
import { newId } from './lib/ulid.ts';
import { openDataDirectory } from './storage/data-directory.ts';
import type { Authority } from './storage/entry.ts';
import { checkIntegrity } from './storage/integrity.ts';

export type { Tier } from './access/index.ts';
export { initialise, type InitialisedTenant, type NewTenantChoices } from './daemon/first-tenant.ts';

/** What a daemon is started with. */
export interface DaemonGiven {
  readonly config: Config;
  readonly unsealing: Unsealing;
  readonly dev: boolean;
  /** Names of the settings that are not at their default: recorded at start, never their values. */
  readonly changed: readonly string[];
}

/** Where a daemon listens. */
export interface Places {
  readonly api: string;
  readonly operator: string;
  readonly metrics: string | null;
}

/** A running appliance. */
export interface Daemon {
  readonly places: Places;
  /**
   * Stops in order: no new requests, running ones are answered (at most 10 s), buffers are flushed, the last checkpoint
   * is signed, the database is closed.
   */
  stop(): Promise<void>;
}

/**
 * Opens an appliance and serves it.
 * @throws Fault when it cannot be opened or a place cannot be listened on; everything opened is closed again
 */
export async function startDaemon(given: DaemonGiven, around: Surroundings): Promise<Daemon> {
  const { config, unsealing, dev } = given;
  const directory = await openDataDirectory(config.data.directory, { dev });
  for (const warning of directory.warnings) around.log.warn('data directory', { warning });
  warnOfPlain(config, around.log);
  try {
    const parts = await openParts({ config, directory, unsealing }, around);
    return await closingOnFailure(parts, () => serveParts(parts, given));
  } catch (error) {
    directory.close();
    throw error;
  }
}

/** Said at each start, for as long as it is so. */
function warnOfPlain({ http }: Config, log: Log): void {
  if (http.allowPlain.length === 0) return;
  log.warn('networks are served without TLS: everything they send can be read and changed on the way', {
    networks: http.allowPlain,
  });
}

/** What was opened is closed again: a start that failed leaves nothing behind. */
async function closingOnFailure(parts: Parts, serve: () => Promise<Daemon>): Promise<Daemon> {
  try {
    return await serve();
  } catch (error) {
    await parts.work.stop();
    await parts.custody[Symbol.asyncDispose]();
    throw error;
  }
}

async function serveParts(parts: Parts, given: DaemonGiven): Promise<Daemon> {
  const { log, clock } = parts;
  const deps = featureDeps(parts);
  registerMetrics(parts, deps);
  await parts.disk.check();
  await recordSlotUse(parts, starter(parts));
  await recordStart(parts, given);
  const server = buildServer(parts, deps);
  const schedule = new Schedule({
    clock,
    onError: (job, error) => {
      log.error('job failed', { job, error });
    },
  });
  const places = await listen(server, parts);
  for (const job of allJobs(parts, deps)) schedule.add(job);
  if (parts.directory.uncleanStop) checkAfterUncleanStop(parts);
  for (const { kid, reason } of parts.keyring.unfound()) log.warn('signing key not found', { kid, reason });
  for (const { state, reason } of parts.states()) log.warn('not ready', { state, reason });
  // Loading and stripping the source took a third of the heap; nothing of it is needed again.
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  return { places, stop: () => stop({ parts, deps, server, schedule }) };
}

/** The configuration in force is part of the record: who could have widened it, and when. */
async function recordStart(parts: Parts, { changed }: DaemonGiven): Promise<void> {
  if (parts.work.diskFull || parts.states().length > 0) return;
  await parts.work.run(starter(parts), (tx) => {
    const target = { kind: 'appliance', id: parts.identity.applianceId };
    append(tx, { action: 'daemon.started', target, facts: { changed: changed.join(' ') || 'none' } });
  });
}

/** The start itself, as the ledger names it. */
function starter({ time, random }: Parts): Authority {
  const actor = { kind: 'system', id: 'start', via: 'job' } as const;
  return { actor, requestId: newId('request', time.now(), random), realm: null };
}

/** Opens every door, or none: one that stayed open would keep a process alive that serves nothing. */
async function listen(server: HttpServer, parts: Parts): Promise<Places> {
  try {
    return await openDoors(server, parts);
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function openDoors(server: HttpServer, parts: Parts): Promise<Places> {
  const { config, directory } = parts;
  const socket = directory.paths.operatorSocket;
  const mode = config.operator.socketMode === '0660' ? 0o660 : 0o600;
  await server.listen('operator', { path: socket, mode });
  if (config.http.socket !== null) {
    mkdirSync(dirname(config.http.socket), { recursive: true });
    await server.listen('api', { path: config.http.socket, mode: 0o660 });
  }
  const { http, metrics: figures } = config;
  const [api, metrics] = await allOrFault([
    server.listen('api', { host: http.host, port: http.port }),
    figures.enabled
      ? server.listen('metrics', { host: figures.host, port: figures.port })
      : Promise.resolve(null),
  ]);
  return { api: urlOf(api), operator: socket, metrics: metrics && urlOf(metrics) };
}

/** A second appliance on a machine finds both ports taken: it is told of both at once. */
async function allOrFault(
  doors: readonly [Promise<Place>, Promise<Place | null>],
): Promise<readonly [Place, Place | null]> {
  const [api, metrics] = await Promise.allSettled(doors);
  if (api.status === 'fulfilled' && metrics.status === 'fulfilled') return [api.value, metrics.value];
  const reasons = [api, metrics].flatMap((one): unknown[] => (one.status === 'rejected' ? [one.reason] : []));
  const faults = reasons.filter((reason) => reason instanceof Fault);
  if (faults.length < 2) throw reasons[0];
  throw new Fault('CONFIG_INVALID', faults.map(({ message }) => message).join('; '), { cause: reasons[0] });
}

function urlOf(place: Place): string {
  if ('path' in place) return place.path;
  const host = place.host.includes(':') ? `[${place.host}]` : place.host;
  return `http://${host}:${String(place.port)}`;
}

function checkAfterUncleanStop(parts: Parts): void {
  const { log } = parts;
  log.warn('the last process did not stop in order; checking the database in the background');
  checkIntegrity(parts.directory.paths.database)
    .then(({ ok, problems }) => {
      if (ok) log.info('the database is intact');
      else parts.onFatal(new Error(`the database is damaged: ${problems.slice(0, 3).join('; ')}`));
    })
    .catch((error: unknown) => {
      log.error('the integrity check could not run', { error });
    });
}

interface Running {
  readonly parts: Parts;
  readonly deps: FeatureDeps;
  readonly server: HttpServer;
  readonly schedule: Schedule;
}

/**
 * 1. No request begins any more; those that run are answered. Stop here: what was answered is on disk.
 * 2. Buffers (heartbeats, counters, uses of keys, refusals) are written. Stop here: at most a second of counters is lost.
 * 3. The last checkpoint is signed. 4. Reserved numbers are given back, keys are wiped, the file is closed.
 */
async function stop({ parts, deps, server, schedule }: Running): Promise<void> {
  const { log, work, custody, checkpointer, sequence, directory } = parts;
  await server.stop();
  await schedule.stop();
  const flushes = [
    () => deps.machineUsage.flush(),
    () => deps.licenseUsage.flush(),
    () => deps.validationCounts.flush(),
    () => deps.keyUsage.flush(),
    () => deps.usageLog.flush(),
    () => deps.bulkReads.record({ last: true }),
    () => recordRefusals(parts, { last: true }),
    () => checkpointer.sign(),
    () => sequence.close(),
    () => custody.stopCounting(),
  ];
  for (const flush of flushes) {
    // With a full disk nothing can be flushed; the rest of the stop must come all the same.
    await flush().catch((error: unknown) => {
      log.error('a step of the stop failed', { error });
    });
  }
  await work.stop();
  await custody[Symbol.asyncDispose]();
  directory.close();
}
