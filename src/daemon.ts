import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from './config/index.ts';
import type { Unsealing } from './custody/index.ts';
import type { Site, Surroundings } from './daemon/parts.ts';
import { SealSwitch } from './daemon/seal-switch.ts';
import { Fault } from './faults.ts';
import type { Place } from './http/listener.ts';
import type { Log } from './http/log.ts';
import type { HttpServer } from './http/server.ts';
import { type DataDirectory, openDataDirectory } from './storage/data-directory.ts';
import { checkIntegrity } from './storage/integrity.ts';

export type { Tier } from './access/index.ts';
export {
  initialise,
  type InitialisedTenant,
  initialiseWithoutTenant,
  type NewTenantChoices,
} from './daemon/first-tenant.ts';

/** What a daemon is started with. */
export interface DaemonGiven {
  readonly config: Config;
  /** What opens the keys; null: nothing is configured, and it starts sealed. */
  readonly unsealing: Unsealing | null;
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
  /** It answers that it is sealed, and waits for somebody to unseal it. */
  readonly sealed: boolean;
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
  const { config, unsealing, dev, changed } = given;
  const directory = await openDataDirectory(config.data.directory, { dev });
  for (const warning of directory.warnings) around.log.warn('data directory', { warning });
  warnOfPlain(config, around.log);
  const appliance = new SealSwitch({ config, directory, changed, dev }, around);
  const stop = async (): Promise<void> => {
    await appliance.stop();
    directory.close();
  };
  try {
    await appliance.begin(unsealing);
    const places = await openDoors(appliance.doors, { config, directory });
    appliance.start();
    if (directory.uncleanStop) checkAfterUncleanStop(directory, around);
    // Loading and stripping the source took a third of the heap; nothing of it is needed again.
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    return { places, sealed: appliance.status().state === 'sealed', stop };
  } catch (error) {
    // What was opened is closed again, every door included: one that stayed open would keep alive what serves nothing.
    await stop();
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

async function openDoors(server: HttpServer, { config, directory }: Site): Promise<Places> {
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

function checkAfterUncleanStop({ paths }: DataDirectory, { log, onFatal }: Surroundings): void {
  log.warn('the last process did not stop in order; checking the database in the background');
  checkIntegrity(paths.database)
    .then(({ ok, problems }) => {
      if (ok) log.info('the database is intact');
      else onFatal(new Error(`the database is damaged: ${problems.slice(0, 3).join('; ')}`));
    })
    .catch((error: unknown) => {
      log.error('the integrity check could not run', { error });
    });
}
