import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type InitialisedAppliance,
  initAppliance,
  type ServedAppliance,
  serveAppliance,
} from '../../support/appliance-process.ts';
import { dataOf, send } from '../../support/daemon.ts';
import { sendAsOperator } from '../../support/operator-socket.ts';
import { stockUp } from '../../support/stock.ts';
import { type DiskEvent, readRecording, recorded, straceTo } from './strace.ts';

/** How much is recorded, and of what. */
export interface RecordingPlan {
  /** Empty, the recording's own. */
  readonly directory: string;
  readonly clients: number;
  /** Licences that each client makes in each life, with a machine and a file. */
  readonly rounds: number;
  /** Environment of the daemon: a weakened one, to see whether it is found out. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A request that was answered, and with which id. */
export interface Acknowledged {
  readonly path: string;
  readonly body: object;
  readonly key: string;
  readonly id: string;
}

/** What a daemon did to its disk, from one moment in which everything was durable to another. */
export interface Recording {
  readonly appliance: InitialisedAppliance;
  /** Every file of the data directory before, by absolute path, and after. */
  readonly before: ReadonlyMap<string, Buffer>;
  readonly after: ReadonlyMap<string, Buffer>;
  readonly events: readonly DiskEvent[];
  readonly acknowledged: readonly Acknowledged[];
}

/** Checkpoints often, so that the anchor is written between everything else. */
const SETS = ['ledger.checkpointEntries=5', 'ledger.checkpointSeconds=1'];
/** Longer than the second after which an idle daemon copies its log back and begins it anew. */
const IDLE_MS = 1300;

/**
 * Records two lives of a real appliance under load. The first makes a backup, rests until its log was copied back, goes
 * on and is killed; the second recovers, goes on and stops in order.
 */
export async function record(plan: RecordingPlan): Promise<Recording> {
  mkdirSync(plan.directory, { recursive: true });
  const appliance = await initAppliance(plan.directory);
  const place = await prepare(appliance);
  const before = filesOf(appliance.data);
  const acknowledged: Acknowledged[] = [];
  const load = (life: string) => work({ ...plan, ...place, acknowledged, life });
  const first = await live(plan, appliance, async (daemon) => {
    await load('a')(daemon);
    await backUp(appliance, join(plan.directory, 'site.backup'));
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    await load('b')(daemon);
    daemon.child.kill('SIGKILL');
  });
  const second = await live(plan, appliance, async (daemon) => {
    await load('c')(daemon);
    await daemon.stop();
  });
  const events = [...first, ...renumbered(second)];
  return { appliance, before, after: filesOf(appliance.data), events, acknowledged };
}

interface Place {
  readonly productId: string;
  readonly policyId: string;
  readonly key: string;
}

/** What the load needs is there, and durable, before anything is recorded. */
async function prepare(appliance: InitialisedAppliance): Promise<Place> {
  const daemon = await serveAppliance(appliance, SETS);
  const target = { url: daemon.url, key: appliance.secretKey };
  const { productId, policyId } = await stockUp(target, 'power', { requireFingerprint: false });
  await daemon.stop();
  return { productId, policyId, key: appliance.secretKey };
}

async function live(
  plan: RecordingPlan,
  appliance: InitialisedAppliance,
  life: (daemon: ServedAppliance) => Promise<void>,
): Promise<DiskEvent[]> {
  const file = join(plan.directory, 'trace');
  const under = { program: straceTo(file), env: plan.env ?? {} };
  const daemon = await serveAppliance(appliance, SETS, under);
  await life(daemon);
  await recorded(file, daemon.child.pid ?? 0);
  return readRecording(file, appliance.data);
}

/** The second recording counts its syncs from the beginning again. */
function renumbered(events: readonly DiskEvent[]): DiskEvent[] {
  return events.map((event) => ('number' in event ? { ...event, number: -1 - event.number } : event));
}

async function backUp({ data }: InitialisedAppliance, path: string): Promise<void> {
  await dataOf(sendAsOperator(data, { method: 'POST', path: '/system/backups', body: { path } }));
}

interface Load extends Place, RecordingPlan {
  readonly acknowledged: Acknowledged[];
  readonly life: string;
}

function work(load: Load): (daemon: ServedAppliance) => Promise<void> {
  return async ({ url }) => {
    await Promise.all(Array.from({ length: load.clients }, (_, client) => workAlone(load, url, client)));
  };
}

async function workAlone(load: Load, url: string, client: number): Promise<void> {
  const { productId, policyId, life } = load;
  const target = { url, key: load.key };
  const ask = async (path: string, body: object, key: string): Promise<string> => {
    const request = { method: 'POST', path, body, headers: { 'idempotency-key': key } };
    const data = await dataOf(send(target, request));
    const id = String(data['id'] ?? data['fileId']);
    load.acknowledged.push({ path, body, key, id });
    return id;
  };
  for (let round = 0; round < load.rounds; round++) {
    const key = `power-${life}-${String(client)}-${String(round)}`;
    const license = await ask('/licenses', { productId, policyId, name: key }, `${key}-license`);
    const fingerprint = `machine-${key}`;
    await ask(`/licenses/${license}/machines`, { fingerprint }, `${key}-machine`);
    await ask(`/licenses/${license}/checkout`, {}, `${key}-file`);
  }
}

/** Every file below a directory, by absolute path; `run/` begins empty with each start. */
function filesOf(directory: string): Map<string, Buffer> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.endsWith('/run'))
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(files.map((path) => [path, readFileSync(path)]));
}
