import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Agent, request } from 'undici';
import { type RunningDaemon, startDaemon, temporaryDirectory } from '../../support/daemon.ts';
import { sendAsOperator } from '../../support/operator-socket.ts';
import { type Stock, stockUp } from '../../support/stock.ts';

/** What the tier `free` allows in a minute. */
const LIMIT = 60;
const [HONEST, THIEF] = ['127.0.0.1', '127.0.0.66'];

const desk = temporaryDirectory();
let daemon: RunningDaemon;
let stock: Stock;

beforeAll(async () => {
  daemon = await startDaemon(join(desk.path, 'appliance'));
  stock = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'leaked', {
    ...{ maxMachines: 5, floating: true },
  });
  const data = join(desk.path, 'appliance', 'data');
  const listed = await sendAsOperator(data, { method: 'GET', path: '/tenants' });
  const [tenant] = listed.body['data'] as readonly { readonly id: string }[]; // the route's answer
  const path = `/tenants/${tenant?.id ?? 'none'}`;
  await sendAsOperator(data, { method: 'PATCH', path, body: { tier: 'free' } });
});

afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
  desk[Symbol.dispose]();
});

interface Asked {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: object;
}

/** Somebody with a licence key, at one address of this machine. */
function holderAt(localAddress: string, key: string) {
  const dispatcher = new Agent({ localAddress });
  onTestFinished(() => dispatcher.close());
  const ask = async ({ method, path, body }: Asked): Promise<number> => {
    const headers = { authorization: `License ${key}`, 'content-type': 'application/json' };
    const url = `${daemon.url}/api/v1${path}`;
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await request(url, { dispatcher, method, headers, ...sent });
    await answer.body.dump();
    return answer.statusCode;
  };
  return {
    ask,
    /** Asks until he is refused, and more often than he may. */
    exhaust: async (asked: (number: number) => Asked): Promise<void> => {
      const statuses: number[] = [];
      for (let number = 0; number <= LIMIT; number++) statuses.push(await ask(asked(number)));
      expect(statuses).toContain(429);
    },
  };
}

async function activated() {
  const { id, key } = await stock.license();
  const made = await stock.post(`/licenses/${id}/machines`, { fingerprint: 'honest-machine' });
  const { id: machine } = made.body['data'] as { readonly id: string }; // the route's answer
  return { id, key, machine };
}

const checkout = (license: string, fingerprint: string): Asked => {
  return { method: 'POST', path: `/licenses/${license}/checkout`, body: { fingerprint } };
};

describe('a licence key in the wrong hands', () => {
  it('keeps no machine from its file and from its end, whatever is asked with it elsewhere', async () => {
    const { id, key, machine } = await activated();
    const thief = holderAt(THIEF, key);
    await thief.exhaust(() => checkout(id, 'honest-machine'));
    await thief.exhaust(() => ({ method: 'GET', path: `/machines/${machine}/challenge` }));
    await thief.exhaust(() => ({ method: 'GET', path: '/machines' }));
    const honest = holderAt(HONEST, key);
    expect(await honest.ask(checkout(id, 'honest-machine'))).toBe(200);
    expect(await honest.ask(checkout(id, 'one-machine-more'))).toBe(200);
    expect(await honest.ask({ method: 'GET', path: '/machines' })).toBe(200);
    expect(await honest.ask({ method: 'POST', path: `/machines/${machine}/checkout`, body: {} })).toBe(200);
    expect(await honest.ask({ method: 'DELETE', path: `/machines/${machine}` })).toBe(200);
  });

  it('at the same address keeps no machine from them that it does not name', async () => {
    const { id, key, machine } = await activated();
    const thief = holderAt(HONEST, key);
    await thief.exhaust((number) => checkout(id, `made-up-machine-${String(number)}`));
    await thief.exhaust(() => ({ method: 'GET', path: '/machines' }));
    const made = `mach_${'0'.repeat(26)}`;
    await thief.exhaust(() => ({ method: 'DELETE', path: `/machines/${made}` }));
    const honest = holderAt(HONEST, key);
    expect(await honest.ask(checkout(id, 'honest-machine'))).toBe(200);
    expect(await honest.ask({ method: 'DELETE', path: `/machines/${machine}` })).toBe(200);
  });

  it('gets no further with names that it makes up: they are counted together', async () => {
    const { id, key } = await activated();
    const thief = holderAt(THIEF, key);
    const statuses: number[] = [];
    for (let number = 0; number < 3 * LIMIT; number++) {
      statuses.push(await thief.ask({ method: 'GET', path: `/machines/made-up-${String(number)}` }));
    }
    expect(statuses.filter((status) => status !== 429).length).toBeLessThanOrEqual(2 * LIMIT);
    expect(statuses.at(-1)).toBe(429);
    expect(await holderAt(HONEST, key).ask(checkout(id, 'honest-machine'))).toBe(200);
  });
});
