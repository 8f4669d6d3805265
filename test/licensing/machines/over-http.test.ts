import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { possessionMessage, requestMessage } from '../../../src/licensing/machines/machine-key.ts';
import { storyOn } from '../../cli/story.ts';
import { auditDatabase } from '../../campaigns/audit-database.ts';
import { dataOf, type RunningDaemon, send, startDaemon, temporaryDirectory } from '../../support/daemon.ts';
import { sendAsOperator } from '../../support/operator-socket.ts';
import { type Stock, stockUp } from '../../support/stock.ts';

const desk = temporaryDirectory();
let daemon: RunningDaemon;
let stock: Stock;

beforeAll(async () => {
  daemon = await startDaemon(join(desk.path, 'appliance'));
  const settings = {
    machineLeasing: 'PER_USER',
    fingerprintMatching: 'MATCH_TWO',
    overageStrategy: 'ALLOW_2X',
  };
  stock = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'seats', {
    maxMachines: 1,
    ...settings,
  });
});

afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
  const database = join(desk.path, 'appliance', 'data', 'mintmark.db');
  expect(existsSync(database)).toBe(true);
  expect(auditDatabase(database).problems).toEqual([]);
  desk[Symbol.dispose]();
});

const HARDWARE = { board: 'b-1', disk: 'd-1', mac: 'm-1' };

function activate(
  licenseId: string,
  machine: Readonly<Record<string, unknown>>,
  headers: Record<string, string> = {},
): ReturnType<Stock['post']> {
  return stock.post(
    `/licenses/${licenseId}/machines`,
    { userEmail: 'jane@acme.example', ...machine },
    headers,
  );
}

describe('mintmark', () => {
  it('sets everything about seats in a policy, and names the user of a machine', async () => {
    using story = storyOn(join(desk.path, 'appliance', 'data'));
    const create = [
      'policy',
      'create',
      '--product-id',
      stock.productId,
      '--name',
      'Seats',
      '--max-machines',
      '4',
    ];
    const seats = ['--machine-leasing', 'PER_USER', '--overage-strategy', 'ALLOW_1_5X'];
    const prints = ['--fingerprint-matching', 'MATCH_TWO', '--fingerprint-uniqueness', 'PER_PRODUCT'];
    const rest = ['--max-unique-fingerprints', '9', '--heartbeat-cull-strategy', 'KEEP_DEAD'];
    expect(await story.data([...create, ...seats, ...prints, ...rest])).toMatchObject({
      ...{ machineLeasing: 'PER_USER', overageStrategy: 'ALLOW_1_5X', maxUniqueFingerprints: 9 },
      ...{ fingerprintMatching: 'MATCH_TWO', fingerprintUniqueness: 'PER_PRODUCT' },
      heartbeatCullStrategy: 'KEEP_DEAD',
    });
    const { id } = await stock.license();
    const machine = [
      'machine',
      'create',
      id,
      '--fingerprint',
      'machine-one',
      '--components',
      '{"disk":"d-1"}',
    ];
    const made = await story.data([...machine, '--user-email', 'jane@acme.example']);
    const update = ['machine', 'update', String(made['id']), '--user-email', 'joe@acme.example'];
    expect(await story.data(update)).toMatchObject({ userEmail: 'joe@acme.example' });
    const beat = ['machine', 'heartbeat', String(made['id']), '--components', '{"disk":"d-1"}'];
    expect(await story.data(beat)).toMatchObject({ id: made['id'] });
  });
});

describe('activation over HTTP', () => {
  it('keeps the answer that stored a machine for who repeats the request, and none that changed nothing', async () => {
    const { id } = await stock.license();
    const machine = { fingerprint: 'machine-one', components: HARDWARE };
    const first = await activate(id, machine, { 'idempotency-key': 'seat-1' });
    expect([first.status, first.headers.get('idempotent-replayed')]).toEqual([201, null]);
    const replayed = await activate(id, machine, { 'idempotency-key': 'seat-1' });
    expect([replayed.status, replayed.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    for (const attempt of [1, 2]) {
      const again = await activate(id, machine, { 'idempotency-key': 'seat-2' });
      const seen = [again.status, again.headers.get('idempotent-replayed')];
      expect(seen, `attempt ${String(attempt)}`).toEqual([200, null]);
    }
    // Nothing is kept under the second key: another request may use it.
    const other = { fingerprint: 'machine-two', userEmail: 'joe@acme.example' };
    expect((await activate(id, other, { 'idempotency-key': 'seat-2' })).status).toBe(201);
  });

  it('recognises a machine by its components, in heartbeats and checkouts too', async () => {
    const { id } = await stock.license();
    const made = await dataOf(activate(id, { fingerprint: 'machine-one', components: HARDWARE }));
    const changed = { fingerprint: 'machine-repaired', components: { ...HARDWARE, disk: 'd-2' } };
    const again = await activate(id, changed);
    expect([again.status, (again.body['data'] as { id: string }).id]).toEqual([200, made['id']]);
    const beat = (components: object) =>
      stock.post(`/machines/${String(made['id'])}/heartbeat`, { components });
    expect((await beat(HARDWARE)).status).toBe(200);
    const wrong = await beat({ board: 'b-9', disk: 'd-9', mac: 'm-9' });
    expect([wrong.status, wrong.body['code']]).toEqual([422, 'FINGERPRINT_NOT_FOUND']);
    const file = await dataOf(stock.post(`/licenses/${id}/checkout`, changed));
    expect(file).toMatchObject({
      machineId: made['id'],
      binding: { mode: 'exact', fingerprint: 'machine-one' },
    });
  });

  it('says where the limit is, by user, and what is missing', async () => {
    const { id } = await stock.license();
    const nobody = await stock.post(`/licenses/${id}/machines`, { fingerprint: 'machine-one' });
    expect([nobody.status, nobody.body['code']]).toEqual([422, 'VALIDATION_FAILED']);
    expect(nobody.body['errors']).toMatchObject([{ path: 'userEmail', code: 'REQUIRED' }]);
    for (const fingerprint of ['machine-one', 'machine-two']) {
      expect((await activate(id, { fingerprint })).status).toBe(201);
    }
    const over = await stock.post(`/licenses/${id}/validate`, { fingerprint: 'machine-one' });
    expect(over.body['data']).toMatchObject({ valid: true, code: 'MACHINE_LIMIT_EXCEEDED' });
    const full = await activate(id, { fingerprint: 'machine-three' });
    expect([full.status, full.body['code']]).toEqual([422, 'MACHINE_LIMIT_EXCEEDED']);
  });
});

function machineKey(fingerprint: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const proof = sign(null, possessionMessage(raw, fingerprint), privateKey).toString('base64url');
  return { given: { publicKey: raw.toString('base64url'), proof }, privateKey };
}

function signatureOf(key: KeyObject, said: { method: string; path: string; body: object; nonce: string }) {
  const bodyDigest = createHash('sha256').update(JSON.stringify(said.body)).digest();
  const { method, path, nonce } = said;
  const message = requestMessage({ method, path: `/api/v1${path}`, bodyDigest, nonce });
  const signature = sign(null, message, key).toString('base64url');
  return { 'mintmark-machine-nonce': nonce, 'mintmark-machine-signature': signature };
}

describe('a machine with a key over HTTP', () => {
  it('signs what the holder of its licence changes of it, over a nonce that nobody can push out', async () => {
    const license = await stock.license();
    const { given, privateKey } = machineKey('machine-keyed');
    const made = await dataOf(activate(license.id, { fingerprint: 'machine-keyed', ...given }));
    const path = `/machines/${String(made['id'])}`;
    const authorization = `License ${license.key}`;
    const challenge = async () => {
      const asked = { method: 'GET', path: `${path}/challenge`, headers: { authorization } };
      return String((await dataOf(send({ url: daemon.url }, asked)))['nonce']);
    };
    const patch = (body: object, signed: Record<string, string> = {}) =>
      send({ url: daemon.url }, { method: 'PATCH', path, body, headers: { authorization, ...signed } });
    const body = { name: 'Press 4' };
    const bare = await patch(body);
    expect([bare.status, bare.body['code']]).toEqual([403, 'MACHINE_SIGNATURE_REQUIRED']);
    const nonce = await challenge();
    for (let i = 0; i < 20; i++) await challenge();
    const signed = signatureOf(privateKey, { method: 'PATCH', path, body, nonce });
    expect((await patch({ name: 'Press 5' }, signed)).body['code']).toBe('MACHINE_SIGNATURE_REQUIRED');
    const changed = await patch(body, signed);
    expect([changed.status, changed.body['data']]).toMatchObject([200, { name: 'Press 4' }]);
    expect((await patch(body, signed)).body['code']).toBe('MACHINE_SIGNATURE_REQUIRED');
    const publisher = { url: daemon.url, key: daemon.live.secretKey };
    expect((await send(publisher, { method: 'PATCH', path, body })).status).toBe(200);
  });

  it('signs a repeated checkout too: without the signature nobody is given the file again', async () => {
    const license = await stock.license();
    const { given, privateKey } = machineKey('machine-keyed');
    const made = await dataOf(activate(license.id, { fingerprint: 'machine-keyed', ...given }));
    const machine = `/machines/${String(made['id'])}`;
    const authorization = `License ${license.key}`;
    const challenge = { method: 'GET', path: `${machine}/challenge`, headers: { authorization } };
    const { nonce } = await dataOf(send({ url: daemon.url }, challenge));
    const asked = { method: 'POST', path: `${machine}/checkout`, body: {} };
    const signed = signatureOf(privateKey, { ...asked, nonce: String(nonce) });
    const checkout = (proof: Record<string, string>) => {
      const headers = { authorization, 'idempotency-key': 'checkout-1', ...proof };
      return send({ url: daemon.url }, { ...asked, headers });
    };
    const first = await checkout(signed);
    expect([first.status, first.headers.get('idempotent-replayed')]).toEqual([200, null]);
    const again = await checkout(signed);
    expect([again.headers.get('idempotent-replayed'), again.body]).toEqual(['true', first.body]);
    const forged = { ...signed, 'mintmark-machine-signature': 'A'.repeat(86) };
    for (const proof of [{}, { 'mintmark-machine-nonce': String(nonce) }, forged]) {
      const refused = await checkout(proof);
      expect([refused.status, refused.body['code']]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
    }
  });
});

async function setStatus(status: 'active' | 'suspended'): Promise<void> {
  const data = join(desk.path, 'appliance', 'data');
  const listed = await sendAsOperator(data, { method: 'GET', path: '/tenants' });
  const [tenant] = listed.body['data'] as readonly { readonly id: string }[]; // the route's answer
  const path = `/tenants/${tenant?.id ?? 'none'}`;
  expect((await sendAsOperator(data, { method: 'PATCH', path, body: { status } })).status).toBe(200);
}

describe('a suspended tenant over HTTP', () => {
  it('activates and issues nothing more for its licence holders, who go on with what they have', async () => {
    const license = await stock.license();
    const { id: machineId } = await dataOf(activate(license.id, { fingerprint: 'machine-one' }));
    const holder = (path: string, body: object) =>
      send(
        { url: daemon.url },
        { method: 'POST', path, body, headers: { authorization: `License ${license.key}` } },
      );
    await setStatus('suspended');
    const more = await holder('/machines', { fingerprint: 'machine-two', userEmail: 'joe@acme.example' });
    expect([more.status, more.body['code']]).toEqual([403, 'TENANT_SUSPENDED']);
    const file = await holder(`/machines/${String(machineId)}/checkout`, {});
    expect([file.status, file.body['code']]).toEqual([403, 'TENANT_SUSPENDED']);
    expect((await holder(`/machines/${String(machineId)}/heartbeat`, {})).status).toBe(200);
    const validated = await holder('/licenses/validate-key', {
      key: license.key,
      fingerprint: 'machine-one',
    });
    expect(validated.body['data']).toMatchObject({ valid: true });
    await setStatus('active');
    expect((await holder(`/machines/${String(machineId)}/checkout`, {})).status).toBe(200);
  });
});
