import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Overload } from '../../../src/http/overload.ts';
import type { LimitClass, RouteLimit } from '../../../src/http/route.ts';
import type { Route } from '../../../src/http/route.ts';
import { routeOf } from '../../../src/http/route.ts';
import type { Demand, Permit } from '../../../src/access/index.ts';
import type { TierLimits } from '../../../src/access/rate-limits/tier-limits.ts';
import { z } from 'zod';
import { type Answered, ask, openAccess, serveKeys, type TestAccess, type TestServer } from '../appliance.ts';
import { askSocket } from '../socket.ts';

const route = routeOf<Permit, Demand>();
const FEW: TierLimits = {
  validate: 6,
  heartbeat: 6,
  activate: 4,
  activateRealm: 12,
  management: 8,
  burst: 8,
};

const EVERYBODY: Demand = { scope: null, also: ['anonymous', 'publishable-key', 'license'] };
const body = z.strictObject({ key: z.string().optional(), fingerprint: z.string().optional() });
const params = z.strictObject({ id: z.string() });

/** A route of each class, as the features have them. */
function routesOf(): Route<Permit, Demand>[] {
  const limited = (path: string, limit: RouteLimit, withId = false): Route<Permit, Demand> =>
    route({
      method: 'POST',
      path,
      summary: path,
      tag: 'test',
      demand: EVERYBODY,
      limit,
      body,
      ...(withId && { params }),
      answers: { 200: null },
      handle: () => ({ status: 200, body: { data: {} } }),
    });
  return [
    limited('/validate-key', { class: 'validate', license: 'body.key', machine: 'body.fingerprint' }),
    limited(
      '/licenses/{id}/machines',
      { class: 'activate', license: 'params.id', machine: 'body.fingerprint' },
      true,
    ),
    limited('/machines', { class: 'activate', license: 'body.key', machine: 'body.fingerprint' }),
    limited('/machines/{id}/heartbeat', { class: 'heartbeat', machine: 'params.id' }, true),
    limited('/health', { class: 'health' }),
    limited('/document', { class: 'public' }),
    {
      ...limited('/licenses', { class: 'management' }),
      demand: { scope: 'licenses:read', also: ['license'] },
    },
  ];
}

let access: TestAccess;
let door: TestServer;
let key: string;

beforeAll(async () => {
  access = await openAccess({ limits: { standard: FEW, free: { ...FEW, validate: 3 } } });
  door = await access.serve(routesOf());
  key = await access.key({ realm: access.storage.acme.live, scopes: ['licenses:read'] });
});

afterAll(async () => {
  await door[Symbol.asyncDispose]();
  await access[Symbol.asyncDispose]();
});

/** Sends `count` requests one after the other; their statuses. */
async function times(count: number, send: (number: number) => Promise<Answered>): Promise<number[]> {
  const statuses: number[] = [];
  for (let number = 0; number < count; number++) statuses.push((await send(number)).status);
  return statuses;
}

const post = (path: string, sent: unknown = {}, by: string | null = key): Promise<Answered> =>
  ask(door.url, { method: 'POST', path, body: sent, ...(by !== null && { key: by }) });

const passed = (statuses: readonly number[]): number => statuses.filter((status) => status === 200).length;

describe('limits by key', () => {
  it('let a key manage as often in a minute as its tier allows, then say when to come back', async () => {
    const own = await access.key({ realm: access.storage.acme.live, scopes: ['licenses:read'] });
    const statuses = await times(FEW.management, () => post('/licenses', {}, own));
    expect(passed(statuses)).toBe(FEW.management);
    const refused = await post('/licenses', {}, own);
    expect(refused).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
  });

  it('count each key for itself: nobody is refused because of his neighbours', async () => {
    const loud = await access.key({ realm: access.storage.acme.live, scopes: ['licenses:read'] });
    const quiet = await access.key({ realm: access.storage.acme.live, scopes: ['licenses:read'] });
    await times(FEW.management + 5, () => post('/licenses', {}, loud));
    expect((await post('/licenses', {}, loud)).status).toBe(429);
    expect((await post('/licenses', {}, quiet)).status).toBe(200);
  });

  it('count what a key may not do, too', async () => {
    const powerless = await access.key({ realm: access.storage.acme.live, scopes: ['events:read'] });
    const statuses = await times(FEW.management + 1, () => post('/licenses', {}, powerless));
    expect(statuses).toEqual([...Array.from({ length: FEW.management }, () => 403), 429]);
  });

  it('do not count a key of the tier unlimited', async () => {
    const unlimited = await access.key({
      realm: access.storage.acme.live,
      scopes: ['licenses:read'],
      tier: 'unlimited',
    });
    const statuses = await times(3 * FEW.management, () => post('/licenses', {}, unlimited));
    expect(passed(statuses)).toBe(3 * FEW.management);
  });

  it('allow only so much in a second', async () => {
    await using bursty = await openAccess({ limits: { standard: { ...FEW, management: 1000, burst: 5 } } });
    await using second = await bursty.serve(routesOf());
    const own = await bursty.key({ realm: bursty.storage.acme.live, scopes: ['licenses:read'] });
    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        ask(second.url, { method: 'POST', path: '/licenses', key: own, body: {} }),
      ),
    );
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(12 - 2 * 5);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.headers.get('retry-after')).toBe('1');
    expect(refused[0]?.body['detail']).toContain('"burst"');
  });

  it('never ask the local operator', async () => {
    const statuses: number[] = [];
    for (let count = 0; count < 3 * FEW.management; count++) {
      const answer = await askSocket(door.socket, {
        method: 'POST',
        path: '/licenses',
        headers: { 'x-mintmark-tenant': 'acme' },
        body: {},
      });
      statuses.push(answer.status);
    }
    expect(new Set(statuses)).toEqual(new Set([200]));
  });
});

describe('limits by licence and machine', () => {
  it('count validations of each fingerprint for itself, and of a licence as a whole not at all', async () => {
    const ask = (fingerprint: string): Promise<Answered> =>
      post('/validate-key', { key: 'ACME-0000-0000-0000-0001', fingerprint });
    expect(passed(await times(FEW.validate + 3, () => ask('machine-one')))).toBe(FEW.validate);
    expect(passed(await times(50, (number) => ask(`machine-${String(number)}-of-fifty`)))).toBe(50);
  });

  it('take every spelling of a licence key for the one key that it is', async () => {
    const spellings = ['ACME-0000-0000-0000-00O2', 'acme 0000 0000 0000 0002', 'ACME0000000000000002'];
    const statuses = await times(FEW.validate + 3, (number) =>
      post('/validate-key', { key: spellings[number % 3], fingerprint: 'spelt' }),
    );
    expect(passed(statuses)).toBe(FEW.validate);
  });

  it('without a fingerprint count by address, not by licence', async () => {
    const from = (address: string): Promise<Answered> =>
      ask(door.url, {
        method: 'POST',
        path: '/validate-key',
        key,
        body: { key: 'ACME-0000-0000-0000-0003' },
        headers: { 'x-forwarded-for': address },
      });
    expect(passed(await times(FEW.validate + 1, () => from('10.0.0.1')))).toBe(FEW.validate);
    expect((await from('10.0.0.2')).status).toBe(200);
  });

  it('give strangers the strictest tier, unless the licence they show is of a better one', async () => {
    const statuses = await times(10, () =>
      post('/validate-key', { key: 'ACME-0000-0000-0000-0004', fingerprint: 'stranger' }, null),
    );
    expect(passed(statuses)).toBe(3);
  });

  it('count heartbeats by machine', async () => {
    const beat = (machine: string): Promise<Answered> => post(`/machines/${machine}/heartbeat`);
    expect(passed(await times(FEW.heartbeat + 2, () => beat('mac_a')))).toBe(FEW.heartbeat);
    expect((await beat('mac_b')).status).toBe(200);
  });

  it('count activations of a machine, and those of its realm together', async () => {
    await using fresh = await openAccess({ limits: { standard: FEW } });
    await using second = await fresh.serve(routesOf());
    const own = await fresh.key({ realm: fresh.storage.acme.live, scopes: [] });
    const activate = (license: string, fingerprint: string): Promise<Answered> =>
      ask(second.url, {
        method: 'POST',
        path: `/licenses/${license}/machines`,
        key: own,
        body: { fingerprint },
      });
    expect(passed(await times(FEW.activate + 2, () => activate('lic_one', 'same')))).toBe(FEW.activate);
    const flood = await times(30, (number) => activate('lic_one', `made-up-${String(number)}`));
    // 6 were counted above; the realm has 12 in all, and a licence that is loud gets no more.
    expect(passed(flood)).toBe(FEW.activateRealm - (FEW.activate + 2));
    const quiet = await activate('lic_two', 'somebody else');
    expect(quiet.status).toBe(200);
  });

  it('charge an activation with a key that leads nowhere to its address, not to the realm', async () => {
    await using fresh = await openAccess({ limits: { standard: FEW } });
    await using second = await fresh.serve(routesOf());
    const pk = await fresh.key({ realm: fresh.storage.acme.live, kind: 'pk' });
    const statuses = await times(3 * FEW.activateRealm, (number) =>
      ask(second.url, {
        method: 'POST',
        path: '/machines',
        headers: { 'x-publishable-key': pk },
        body: { key: `ACME-0000-0000-0000-${String(1000 + number)}`, fingerprint: 'made up' },
      }),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
  });
});

describe('the headers of an answer', () => {
  it('say what is left, in the draft of the IETF and in the classic way', async () => {
    const own = await access.key({ realm: access.storage.acme.live, scopes: ['licenses:read'] });
    const { headers } = await post('/licenses', {}, own);
    expect(headers.get('ratelimit-policy')).toBe('"management";q=8;w=60, "burst";q=8;w=1');
    expect(headers.get('ratelimit')).toMatch(/^"management";r=7;t=60, "burst";r=7;t=1$/);
    expect(headers.get('x-ratelimit-limit')).toBe('8');
    expect(headers.get('x-ratelimit-remaining')).toBe('7');
    expect(headers.get('x-ratelimit-reset')).toBe('60');
  });

  it('never name a time before Retry-After', async () => {
    const own = await access.key({ realm: access.storage.acme.live, scopes: ['licenses:read'] });
    await times(FEW.management, () => post('/licenses', {}, own));
    const { headers } = await post('/licenses', {}, own);
    const window = Number(/"management";r=0;t=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]);
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(window);
    expect(headers.get('x-ratelimit-remaining')).toBe('0');
  });

  it.each([
    ['health', 'POST', '/health'],
    ['a public document', 'POST', '/document'],
    ['a path that does not exist', 'GET', '/nowhere'],
    ['a method that does not', 'PUT', '/document'],
    ['a question for methods', 'OPTIONS', '/document'],
    ['a request without a credential', 'POST', '/licenses'],
  ])('of %s say what the address has left of its failures', async (_, method, path) => {
    const headers = { 'x-forwarded-for': '10.9.8.7' };
    const answer = await ask(door.url, { method, path, headers, ...(method === 'POST' && { body: {} }) });
    expect(answer.headers.get('ratelimit-policy')).toBe('"failures";q=60;w=60');
    expect(answer.headers.get('ratelimit')).toMatch(/^"failures";r=60;t=\d+$/);
    expect(answer.headers.get('x-ratelimit-limit')).toBe('60');
  });

  it('count down the failures of an address', async () => {
    const headers = { 'x-forwarded-for': '10.9.8.6', authorization: 'Bearer nonsense' };
    const answer = await ask(door.url, { path: '/licenses', method: 'POST', body: {}, headers });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('ratelimit')).toMatch(/^"failures";r=59;t=60$/);
  });
});

describe('a refusal by a limit', () => {
  it('is recorded as one entry with a count, not once for each', async () => {
    await using fresh = await openAccess({ limits: { standard: FEW } });
    await using second = await fresh.serve(routesOf());
    const own = await fresh.key({ realm: fresh.storage.acme.live, scopes: ['licenses:read'] });
    await times(FEW.management + 20, () =>
      ask(second.url, { method: 'POST', path: '/licenses', key: own, body: {} }),
    );
    const entries = fresh.refusals.flush(fresh.storage.clock.wall());
    expect(entries.map(({ happening }) => happening.facts)).toEqual([
      { rule: 'limit.management', code: 'RATE_LIMITED', count: 20 },
    ]);
  });
});

describe('an overload', () => {
  const classes: readonly LimitClass[] = ['management', 'validate', 'heartbeat', 'health'];
  const paths: Readonly<Record<string, string>> = {
    management: '/licenses',
    validate: '/validate-key',
    heartbeat: '/machines/mac_1/heartbeat',
    health: '/health',
  };

  it.each([
    ['no', 0, [200, 200, 200, 200]],
    ['a little', 1.2, [503, 200, 200, 200]],
    ['more', 2.5, [503, 503, 200, 200]],
    ['far too much', 10, [503, 503, 503, 200]],
  ])(
    'of %s delay sheds management first, then validation, then heartbeats, never health',
    async (_, times, expected) => {
      const overload = new Overload({ delayLimitMs: 100, waiting: () => 0 });
      for (let sample = 0; sample < 100; sample++) overload.sample(100 * times);
      await using fresh = await openAccess({ overload });
      await using second = await fresh.serve(routesOf());
      const own = await fresh.key({ realm: fresh.storage.acme.live, scopes: ['licenses:read'] });
      const statuses: number[] = [];
      for (const name of classes) {
        const answer = await ask(second.url, { method: 'POST', path: paths[name] ?? '', key: own, body: {} });
        statuses.push(answer.status);
        if (answer.status === 503) {
          expect(answer.code).toBe('OVERLOADED');
          expect(answer.headers.get('retry-after')).toBe('1');
        }
      }
      expect(statuses).toEqual(expected);
    },
  );

  it('is no single stall', () => {
    const overload = new Overload({ delayLimitMs: 100, waiting: () => 0 });
    overload.sample(300);
    expect(overload.refusal('management')).toBeUndefined();
  });

  it('is also too many writes that wait', () => {
    let waiting = 0.8;
    const overload = new Overload({ delayLimitMs: 100, waiting: () => waiting });
    expect([overload.refusal('management')?.code, overload.refusal('validate')]).toEqual([
      'OVERLOADED',
      undefined,
    ]);
    waiting = 0.9;
    expect([overload.refusal('validate')?.code, overload.refusal('heartbeat')]).toEqual([
      'OVERLOADED',
      undefined,
    ]);
  });

  it('is also too many requests at a time', () => {
    const overload = new Overload({ delayLimitMs: 100, waiting: () => 0 });
    for (let running = 0; running < 1024; running++) overload.begin();
    expect(() => {
      overload.begin();
    }).toThrow('more is being asked than can be answered in time');
    expect(overload.refusal('heartbeat')?.code).toBe('OVERLOADED');
    for (let running = 0; running < 1024; running++) overload.end();
    expect(overload.refusal('management')).toBeUndefined();
  });

  it('does not keep the local operator out', async () => {
    const overload = new Overload({ delayLimitMs: 1, waiting: () => 1 });
    await using fresh = await openAccess({ overload });
    await using second = await serveKeys(fresh);
    const answer = await askSocket(second.socket, {
      path: '/api/v1/api-keys',
      headers: { 'x-mintmark-tenant': 'acme' },
    });
    expect(answer.status).toBe(200);
  });
});
