import { existsSync, mkdirSync, renameSync, rmdirSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Daemon } from '../../src/daemon.ts';
import { makeShares } from '../../src/custody/index.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { Secret } from '../../src/lib/secret.ts';
import { auditDatabase } from '../campaigns/audit-database.ts';
import { type Answered, send, temporaryDirectory } from '../support/daemon.ts';
import { entriesOf } from '../support/ledger-entries.ts';
import { type LocalAppliance, makeLocalAppliance, startLocal } from '../support/local-appliance.ts';
import { sendAsOperator } from '../support/operator-socket.ts';

const PASSPHRASE = 'seven otters juggle nineteen copper teapots';
const desk = temporaryDirectory();
let appliance: LocalAppliance;
let daemon: Daemon;

beforeAll(async () => {
  appliance = await makeLocalAppliance(desk.path, { passphrase: PASSPHRASE });
  daemon = await startLocal(appliance);
});
afterAll(async () => {
  await daemon.stop();
  desk[Symbol.dispose]();
});

const passphrase = (text: string) => ({ secret: { kind: 'passphrase', passphrase: text } });
const operator = (method: string, path: string, body?: unknown): Promise<Answered> =>
  sendAsOperator(appliance.data, { method, path, body });
const seal = (): Promise<Answered> => operator('POST', '/system/seal');
const unseal = (body: unknown = passphrase(PASSPHRASE)): Promise<Answered> =>
  operator('POST', '/unseal', body);
const api = (method: string, path: string, body?: unknown): Promise<Answered> =>
  send({ url: daemon.places.api, key: appliance.secretKey.expose() }, { method, path, body });
const codeOf = ({ status, body }: Answered): unknown[] => [status, body['code']];
const stateOf = async (): Promise<unknown> => (await operator('GET', '/seal')).body['data'];

async function restart(given: Parameters<typeof startLocal>[1] = {}): Promise<void> {
  await daemon.stop();
  daemon = await startLocal(appliance, given);
}

describe('a sealed appliance', () => {
  beforeAll(async () => {
    const answer = await seal();
    expect([answer.status, answer.body['data']]).toEqual([200, { state: 'sealed' }]);
  });
  afterAll(async () => {
    expect((await unseal()).status).toBe(200);
  });

  it.each([
    ['GET', '/products'],
    ['POST', '/products'],
    ['GET', '/trust-bundle'],
    ['GET', '/openapi.json'],
    ['GET', '/system/slots'],
    ['DELETE', '/unseal'],
    ['GET', '/no-such-path'],
    ['GET', '/system/status'],
  ])('answers %s %s with SEALED, whoever asks', async (method, path) => {
    const answer = await api(method, path, method === 'POST' ? {} : undefined);
    expect(codeOf(answer)).toEqual([503, 'SEALED']);
    expect(answer.headers.get('retry-after')).toBe(path === '/system/status' ? null : '30');
  });

  it('answers that it lives, that it is not ready, and that it is sealed', async () => {
    const plain = (path: string): Promise<Response> => fetch(`${daemon.places.api}${path}`);
    expect((await plain('/health')).status).toBe(200);
    expect((await plain('/ready')).status).toBe(503);
    const status = await send({ url: daemon.places.api }, { method: 'GET', path: '/seal' });
    expect([status.status, status.body]).toEqual([200, { data: { state: 'sealed' } }]);
  });

  it('shows metrics without labels', async () => {
    const text = await (await fetch(`${daemon.places.metrics ?? ''}/metrics`)).text();
    expect(text).toContain('\nmintmark_sealed 1\n');
    expect(text).not.toContain('{');
  });

  it('says at the local socket why, since when, and what ends it', async () => {
    const { body } = await operator('GET', '/system/status');
    expect(body['data']).toMatchObject({
      state: 'sealed',
      reasons: [{ state: 'sealed', reason: 'somebody sealed it by hand', leftBy: 'mintmark unseal' }],
      slots: [{ name: 'credential' }, { name: 'passphrase' }, { name: 'recovery' }],
    });
  });

  it('stays sealed through every restart, whatever it is started with', async () => {
    await restart();
    expect([daemon.sealed, await stateOf()]).toEqual([true, { state: 'sealed' }]);
    await restart({ unsealing: { with: 'passphrase', passphrase: new Secret(PASSPHRASE) } });
    expect(daemon.sealed).toBe(true);
  });

  it('is unsealed by no wrong secret, and tells it from a damaged file', async () => {
    expect(codeOf(await unseal(passphrase('seven otters juggle nineteen copper kettles')))).toEqual([
      422,
      'SLOT_SECRET_WRONG',
    ]);
    expect(await stateOf()).toEqual({ state: 'sealed' });
  });

  it('is unsealed over HTTP only when that is configured', async () => {
    const body = passphrase(PASSPHRASE);
    const refused = await send({ url: daemon.places.api }, { method: 'POST', path: '/unseal', body });
    expect(codeOf(refused)).toEqual([503, 'SEALED']);
    expect(await stateOf()).toEqual({ state: 'sealed' });
  });
});

describe('unsealing', () => {
  it('opens everything again, and the next start opens by itself', async () => {
    const made = await api('POST', '/products', { name: 'Editor', code: 'editor' });
    expect(made.status).toBe(201);
    await seal();
    expect((await unseal()).body['data']).toEqual({ state: 'unsealed' });
    const { id } = made.body['data'] as { id: string };
    expect((await api('GET', `/products/${id}`)).status).toBe(200);
    await restart();
    expect(daemon.sealed).toBe(false);
  });

  it('of what is not sealed changes nothing, and looks at no secret', async () => {
    expect((await unseal(passphrase('no secret at all'))).body['data']).toEqual({ state: 'unsealed' });
  });

  it('over HTTP waits twice as long after each failure; the local socket never does', async () => {
    await seal();
    await restart({ sets: { 'http.unseal': true } });
    const remote = (text: string): Promise<Answered> =>
      send({ url: daemon.places.api }, { method: 'POST', path: '/unseal', body: passphrase(text) });
    expect(codeOf(await remote('wrong from afar'))).toEqual([422, 'SLOT_SECRET_WRONG']);
    const early = await remote(PASSPHRASE);
    expect([...codeOf(early), early.headers.get('retry-after')]).toEqual([429, 'RATE_LIMITED', '1']);
    expect((await unseal()).status).toBe(200);
    await seal();
    // What somebody guessed before does not keep anybody out afterwards.
    expect((await remote(PASSPHRASE)).body['data']).toEqual({ state: 'unsealed' });
    await restart();
  });

  it('is one attempt at a time', async () => {
    await seal();
    const answers = await Promise.all([unseal(passphrase('wrong one')), unseal(passphrase('wrong two'))]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([409, 422]);
    expect((await unseal()).status).toBe(200);
  });
});

describe('sealing while requests run', () => {
  it('answers each of them or refuses it, and nothing is half done', async () => {
    const made: string[] = [];
    let sealing: Promise<Answered> | undefined;
    const rush = async (worker: number): Promise<unknown[]> => {
      for (let number = 0; ; number++) {
        const code = `rush-${String(worker)}-${String(number)}`;
        const answer = await api('POST', '/products', { name: code, code });
        if (answer.status !== 201) return codeOf(answer);
        if (made.push(code) >= 12) sealing ??= seal();
      }
    };
    const ends = await Promise.all([0, 1, 2, 3].map(rush));
    expect(ends.filter(([status]) => status !== 503)).toEqual([]);
    expect((await sealing)?.status).toBe(200);
    await unseal();
    const { body } = await api('GET', '/products?limit=100');
    const kept = (body['data'] as { code: string }[]).map(({ code }) => code); // a list of products
    expect(kept.filter((code) => code.startsWith('rush-')).toSorted()).toEqual(made.toSorted());
  });

  it('lets one that has begun end, before the keys go', async () => {
    const slow = httpRequest(`${daemon.places.api}/api/v1/products`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${appliance.secretKey.expose()}`,
        'content-type': 'application/json',
      },
    });
    const answered = new Promise<number | undefined>((resolve) => {
      slow.once('response', (response) => {
        response.resume();
        resolve(response.statusCode);
      });
    });
    slow.write('{"name":"Slow",');
    // Its permit is there once the next request, which came after it, was answered.
    expect((await api('GET', '/products')).status).toBe(200);
    const sealing = seal();
    await expect.poll(async () => (await api('GET', '/products')).status).toBe(503);
    slow.end('"code":"slow"}');
    expect([await answered, (await sealing).status]).toEqual([201, 200]);
    await unseal();
  });
});

describe('sealing that cannot be written down', () => {
  it('wipes the keys all the same, and is told as a failure', async () => {
    const inTheWay = join(appliance.data, 'sealed');
    mkdirSync(inTheWay);
    expect((await seal()).status).toBe(500);
    expect([await stateOf(), (await api('GET', '/products')).status]).toEqual([{ state: 'sealed' }, 503]);
    rmdirSync(inTheWay);
    expect((await unseal()).status).toBe(200);
  });
});

describe('shares', () => {
  it('unseal together, each given by itself; a wrong one is named', async () => {
    const shares = (await makeShares(systemRandom, { threshold: 2, count: 3 })).map((share) =>
      share.expose(),
    );
    const [first = '', second = '', third = ''] = shares;
    const added = await operator('POST', '/system/slots', { secret: { kind: 'shares', shares } });
    expect(added.body['data']).toMatchObject({ name: 'shares', kind: 'shares' });
    await seal();
    const give = (share: string): Promise<Answered> =>
      unseal({ secret: { kind: 'shares', shares: [share] } });
    expect((await give(third)).body['data']).toEqual({ state: 'sealed', shares: { given: 1, needed: 2 } });
    const wrong = await give(first.replace(/^.{5}/, '00000'));
    expect(codeOf(wrong)).toEqual([422, 'SLOT_SECRET_WRONG']);
    expect(await stateOf()).toEqual({ state: 'sealed', shares: { given: 1, needed: 2 } });
    expect((await give(second)).body['data']).toEqual({ state: 'unsealed' });
    expect((await operator('DELETE', '/system/slots/recovery')).status).toBe(200);
    const last = await operator('DELETE', '/system/slots/shares');
    expect(codeOf(last)).toEqual([409, 'CONFLICT']);
    const code = appliance.recoveryCode.expose();
    const back = await operator('POST', '/system/slots', { secret: { kind: 'recovery', code } });
    expect(back.status).toBe(201);
  });
});

describe('a stop', () => {
  it('wipes memory and no more: the next start opens by itself', async () => {
    await restart();
    expect([daemon.sealed, existsSync(join(appliance.data, 'sealed'))]).toEqual([false, false]);
  });
});

describe('a start whose credential does not open', () => {
  it('waits sealed and says why; the recovery code opens it', async () => {
    const path = appliance.credential ?? '';
    renameSync(path, `${path}.away`);
    await restart();
    expect(daemon.sealed).toBe(true);
    const { reasons } = (await operator('GET', '/system/status')).body['data'] as {
      reasons: { reason: string }[];
    };
    expect(reasons[0]?.reason).toContain(`credential ${path} is missing`);
    const code = appliance.recoveryCode.expose();
    expect((await unseal({ secret: { kind: 'recovery', code } })).status).toBe(200);
    renameSync(`${path}.away`, path);
  });
});

describe('the ledger', () => {
  it('has every sealing and unsealing, by which slot and after how many failures, under a checkpoint', async () => {
    await daemon.stop();
    const database = join(appliance.data, 'mintmark.db');
    expect(auditDatabase(database).problems).toEqual([]);
    const told = entriesOf(database, /^appliance\.(un)?sealed$|^slot\.used$/);
    const lines = told.map(({ action, facts = {} }) => [
      action,
      facts['slot'] ?? facts['kind'] ?? '',
      facts['failures'] ?? '',
    ]);
    expect(lines.slice(0, 2)).toEqual([
      ['appliance.sealed', '', ''],
      ['appliance.unsealed', 'passphrase', 1],
    ]);
    expect(lines.slice(-2)).toEqual([
      ['slot.used', 'recovery', ''],
      ['appliance.unsealed', 'recovery', 0],
    ]);
    daemon = await startLocal(appliance);
  });
});

describe('an attended appliance', () => {
  it('waits for a person after every start', async () => {
    const place = temporaryDirectory();
    const attended = await makeLocalAppliance(place.path, { attended: true, passphrase: PASSPHRASE });
    const other = await startLocal(attended);
    expect(other.sealed).toBe(true);
    const { body } = await sendAsOperator(attended.data, { method: 'GET', path: '/system/status' });
    expect(JSON.stringify(body)).toContain('none of its slots opens by itself');
    await other.stop();
    place[Symbol.dispose]();
  });
});
