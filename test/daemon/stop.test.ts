import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../src/storage/database.ts';
import { auditDatabase } from '../campaigns/audit-database.ts';
import {
  type InitialisedAppliance,
  initAppliance,
  type ServedAppliance,
  serveAppliance,
} from '../support/appliance-process.ts';
import { type Answered, dataOf, temporaryDirectory } from '../support/daemon.ts';
import { type Stock, stockUp } from '../support/stock.ts';

const CLIENTS = 24;
const LOAD_MS = 1_500;

const directory = temporaryDirectory();
let appliance: InitialisedAppliance;
let database: string;

beforeAll(async () => {
  appliance = await initAppliance(directory.path);
  database = join(appliance.data, 'mintmark.db');
});

afterAll(() => {
  directory[Symbol.dispose]();
});

/** What clients were told. */
interface Told {
  readonly licenses: Set<string>;
  readonly files: Set<string>;
  validations: number;
  heartbeats: number;
  /** Answers that were neither a success nor a missing connection. */
  readonly strange: string[];
}

interface Place {
  readonly stock: Stock;
  readonly license: { readonly id: string; readonly key: string };
  readonly machineId: string;
}

const MACHINE = { fingerprint: 'machine-at-the-end' };

describe('SIGTERM under load', () => {
  it('answers what runs, keeps every answered change and counter, signs the whole ledger, and exits with 0', async () => {
    const daemon = await serveAppliance(appliance);
    const place = await prepare(daemon);
    const told: Told = { licenses: new Set(), files: new Set(), validations: 0, heartbeats: 0, strange: [] };
    const clients = Array.from({ length: CLIENTS }, (_, number) => work(place, told, number % 4));
    await new Promise((resolve) => setTimeout(resolve, LOAD_MS));
    const stopped = daemon.stop();
    await Promise.all(clients);
    expect(await stopped).toBe(0);

    // Nothing is left behind that another process would stumble over.
    for (const name of ['mintmark.db-wal', 'lock.pid', 'run/operator.sock'])
      expect(existsSync(join(appliance.data, name)), name).toBe(false);
    expect(told.strange).toEqual([]);
    for (const count of [told.licenses.size, told.files.size, told.validations, told.heartbeats])
      expect(count).toBeGreaterThan(5);
    const found = auditDatabase(database);
    expect(found.problems).toEqual([]);
    // Every change that was made was answered before the end, and the other way round.
    expect(new Set(found.licenses)).toEqual(new Set([...told.licenses, place.license.id]));
    expect(new Set(found.files)).toEqual(told.files);
    expect(found.signed).toBe(found.entries);
    expect(readFileSync(join(appliance.data, 'anchor'), 'utf8')).toContain(`\n${String(found.entries)}\n`);
    expect(counters(place)).toEqual({ validations: told.validations, heartbeat: true });
  });

  it('leaves nothing to warn about at the next start; a kill does', async () => {
    const warning = /did not stop in order/;
    const next = await serveAppliance(appliance);
    expect(next.stdout()).not.toMatch(warning);
    const told = next
      .stdout()
      .split('\n')
      .filter((line) => /"level":"(warn|error)"/.test(line));
    // The tests may run as root, and the daemon says what it thinks of that.
    expect(told.filter((line) => !line.includes('running as root'))).toEqual([]);
    const exited = new Promise((resolve) => next.child.once('exit', resolve));
    next.child.kill('SIGKILL');
    await exited;
    const afterKill = await serveAppliance(appliance);
    while (!afterKill.stdout().includes('the database is intact'))
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(afterKill.stdout()).toMatch(warning);
    expect(await afterKill.stop()).toBe(0);
  });
});

async function prepare(daemon: ServedAppliance): Promise<Place> {
  const stock = await stockUp({ url: daemon.url, key: appliance.secretKey }, 'stop', {
    requireFingerprint: false,
  });
  const license = await stock.license();
  const machine = await dataOf(stock.post(`/licenses/${license.id}/machines`, MACHINE));
  return { stock, license, machineId: String(machine['id']) };
}

/** Works until the daemon is gone; each client does one kind of thing. */
async function work({ stock, license, machineId }: Place, told: Told, kind: number): Promise<void> {
  const kinds: readonly { readonly ask: () => Promise<Answered>; readonly done: (id: string) => void }[] = [
    {
      ask: () => stock.post('/licenses', { productId: stock.productId, policyId: stock.policyId }),
      done: (id) => told.licenses.add(id),
    },
    {
      ask: () => stock.post(`/licenses/${license.id}/checkout`, {}),
      done: (id) => told.files.add(id),
    },
    {
      ask: () => stock.post('/licenses/validate-key', { key: license.key, ...MACHINE }),
      done: () => told.validations++,
    },
    { ask: () => stock.post(`/machines/${machineId}/heartbeat`), done: () => told.heartbeats++ },
  ];
  const { ask, done } = kinds[kind] ?? { ask: () => stock.get('/licenses'), done: () => undefined };
  for (;;) {
    const answer = await ask().catch((error: unknown) => {
      if (error instanceof TypeError) return undefined; // `fetch` found nobody
      throw error;
    });
    if (answer === undefined) return;
    const data = (answer.body['data'] ?? {}) as { id?: string; fileId?: string };
    if (answer.status < 300) done(data.id ?? data.fileId ?? '');
    else told.strange.push(`${String(answer.status)} ${JSON.stringify(answer.body)}`);
  }
}

function counters({ license, machineId }: Place): { validations: number; heartbeat: boolean } {
  const reader = Database.openReader(database);
  try {
    const one = (sql: string, id: string): unknown => reader.native.prepare(sql).pluck().get(id);
    return {
      validations: Number(one('SELECT validations FROM license_usage WHERE license_id = ?', license.id)),
      heartbeat: one('SELECT last_heartbeat_at FROM machine_usage WHERE machine_id = ?', machineId) !== null,
    };
  } finally {
    reader.close();
  }
}
