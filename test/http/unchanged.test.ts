import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataOf, type RunningDaemon, send, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { sendAsOperator } from '../support/operator-socket.ts';
import { type Stock, stockUp } from '../support/stock.ts';

const desk = temporaryDirectory();
let daemon: RunningDaemon;
let stock: Stock;
const data = join(desk.path, 'appliance', 'data');

beforeAll(async () => {
  daemon = await startDaemon(join(desk.path, 'appliance'));
  stock = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'unchanged', { maxMachines: 3 });
});

afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
  desk[Symbol.dispose]();
});

interface Row {
  readonly path: string;
  readonly said: Readonly<Record<string, unknown>>;
}

const idOf = async (path: string, body: object): Promise<string> =>
  String((await dataOf(stock.post(path, body)))['id']);
const metadata = { team: 'Presses', site: { plant: 4 } };

const NOUNS: Readonly<Record<string, () => Promise<Row>>> = {
  machine: async () => {
    const license = await stock.license();
    const said = { name: 'Press 4', userEmail: 'jane@acme.example', platform: 'linux', cores: 8, metadata };
    const id = await idOf(`/licenses/${license.id}/machines`, { fingerprint: 'a-machine-of-ours', ...said });
    return { path: `/machines/${id}`, said };
  },
  licence: async () => {
    const said = { name: 'Press shop', userEmail: 'jane@acme.example', maxMachinesOverride: 2, metadata };
    return { path: `/licenses/${(await stock.license(said)).id}`, said };
  },
  product: async () => {
    const said = { name: 'Press', description: 'Presses', indexedMetadata: ['team'], metadata };
    return { path: `/products/${await idOf('/products', { code: 'press', ...said })}`, said };
  },
  policy: async () => {
    const said = { name: 'Press', maxMachines: 2, metadata };
    return { path: `/policies/${await idOf('/policies', { productId: stock.productId, ...said })}`, said };
  },
  entitlement: async () => {
    const said = { name: 'Press', metadata };
    return { path: `/entitlements/${await idOf('/entitlements', { code: 'press', ...said })}`, said };
  },
  'API key': async () => {
    const said = { name: 'shop', scopes: ['licenses:read'], allowedCidrs: ['10.0.0.0/8'], tier: 'free' };
    const made = sendAsOperator(data, { method: 'POST', path: '/api-keys', body: said });
    return { path: `/api-keys/${String((await dataOf(made))['id'])}`, said };
  },
  tenant: async () => {
    const listed = await sendAsOperator(data, { method: 'GET', path: '/tenants' });
    const [tenant] = listed.body['data'] as readonly { readonly id: string }[]; // the route's answer
    const path = `/tenants/${tenant?.id ?? 'none'}`;
    const said = { name: 'Acme', tier: 'unlimited', maxRecords: null, contact: 'ops@acme.example' };
    await sendAsOperator(data, { method: 'PATCH', path, body: said });
    return { path, said };
  },
};

/** How many entries and events there are, of every realm. */
function written(): readonly unknown[] {
  const database = new Database(join(data, 'mintmark.db'), { readonly: true });
  try {
    return ['ledger_entries', 'events'].map((table) =>
      database.prepare(`SELECT count(*) FROM ${table}`).pluck().get(),
    );
  } finally {
    database.close();
  }
}

describe('a PATCH that changes nothing', () => {
  it.each(Object.entries(NOUNS))('of a %s writes nothing, and answers it as it is', async (_, make) => {
    const { path, said } = await make();
    const patch = (body: object, headers = {}) =>
      path.startsWith('/tenants')
        ? sendAsOperator(data, { method: 'PATCH', path, body, headers })
        : send({ url: daemon.url, key: daemon.live.secretKey }, { method: 'PATCH', path, body, headers });
    const shown = await sendAsOperator(data, { method: 'GET', path });
    const before = written();
    for (const body of [said, {}]) {
      const same = await patch(body);
      expect([same.status, same.headers.get('etag')]).toEqual([200, shown.headers.get('etag')]);
      expect(same.body['data']).toEqual(shown.body['data']);
    }
    const stale = await patch(said, { 'if-match': '"00000000.99"' });
    expect(stale.status).toBe(412);
    expect(written()).toEqual(before);
    const changed = await patch({ name: 'Another' });
    expect([changed.status, changed.headers.get('etag')]).not.toEqual([200, shown.headers.get('etag')]);
    expect(changed.body['data']).toMatchObject({ name: 'Another' });
    expect(written()).not.toEqual(before);
  });
});
