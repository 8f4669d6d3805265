import { describe, expect, it } from 'vitest';
import type { Tier } from '../../../src/access/api-keys/api-key.ts';
import type { Principal } from '../../../src/access/principal.ts';
import { Places } from '../../../src/access/rate-limits/places.ts';
import { RateLimits } from '../../../src/access/rate-limits/rate-limits.ts';
import { type LimitTable, limitsOf, type TierLimits } from '../../../src/access/rate-limits/tier-limits.ts';
import { WindowCounter } from '../../../src/access/rate-limits/window-counter.ts';
import type { CountedRequest, Quota } from '../../../src/http/quota.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import type { Actor } from '../../../src/storage/journal.ts';
import { type RealmId, realmIdOf } from '../../../src/storage/realm-scope.ts';

const FREE: TierLimits = {
  ...{ validate: 2, heartbeat: 3, activate: 2, activateRealm: 14 },
  ...{ management: 3, burst: 2 },
};
const TABLE: LimitTable = {
  free: FREE,
  standard: { ...FREE, validate: 4, management: 5, burst: 100 },
  premium: { ...FREE, validate: 6, management: 7, burst: 100 },
};

const OURS = realmIdOf(1);
const THEIRS = realmIdOf(2);
const UNTOLD = realmIdOf(3);
/** Tiers of the tenants that own the realms. */
const TIER_OF = new Map<RealmId, Tier>([
  [OURS, 'premium'],
  [THEIRS, 'standard'],
  [UNTOLD, 'unlimited'],
]);
/** Where licence keys lead. */
const REALMS = new Map<string, readonly RealmId[]>([
  ['OURS', [OURS]],
  ['BOTH', [THEIRS, OURS]],
  ['ALL', [THEIRS, UNTOLD]],
]);

/** Products of licences, by key and by id. */
const PRODUCTS = new Map([
  ['OURS', 'prod_1'],
  ['BOTH', 'prod_2'],
  ['LIC_OF_2', 'prod_2'],
]);

/** Machines of licences, by id and by fingerprint. */
const MACHINES = new Map([
  ['lic_1 mach_1', 'mach_1'],
  ['lic_1 print-1', 'mach_1'],
  ['lic_1 mach_2', 'mach_2'],
]);

const actor = (id: string): Actor => ({ kind: 'api-key', id, via: 'api-key' });
const scopes: ReadonlySet<never> = new Set();
const secretKey = (tier: Tier, id = 'key_1'): Principal => {
  return { kind: 'secret-key', actor: actor(id), realm: OURS, scopes, tier };
};
const publishableKey = (tier: Tier = 'standard'): Principal => {
  return { kind: 'publishable-key', actor: actor('key_2'), realm: OURS, scopes, tier };
};
const holder = (licenseId: string): Principal => {
  return { kind: 'license', actor: actor('-'), realm: OURS, licenseId };
};
const STRANGER: Principal = { kind: 'anonymous', actor: actor('-'), realm: null };
const OPERATOR: Principal = { kind: 'operator', actor: actor('local'), realm: OURS };

type Asked = Partial<CountedRequest<Principal>> & Pick<CountedRequest<Principal>, 'who' | 'class'>;

/** Counters of their own, and what they answer when one request is made again and again. */
function counters() {
  const limits = new RateLimits({
    table: TABLE,
    random: systemRandom,
    failures: {
      left: () => Promise.resolve({ policy: 'failures', limit: 60, windowMs: 60_000, count: 1, resetMs: 1 }),
    },
    tierOf: (realm) => TIER_OF.get(realm) ?? 'free',
    realmsOfKey: (text) => REALMS.get(text.toUpperCase()) ?? [],
    formOfKey: (text) => text.toUpperCase(),
    productOf: (_realm, named) => PRODUCTS.get(named.toUpperCase()),
    machineOf: ({ licenseId }, named) => MACHINES.get(`${licenseId} ${named}`),
  });
  const count = (asked: Asked): Promise<Quota | undefined> =>
    limits.count({ face: 'api', address: '10.0.0.1', ...asked });
  /** How many of `tries` are let through; undefined: nothing limits them, and no header says anything. */
  const passed = async (asked: Asked, tries = 30): Promise<number | undefined> => {
    let through = 0;
    for (let i = 0; i < tries; i++) {
      const quota = await count(asked);
      if (quota === undefined) return undefined;
      if (quota.refused === undefined) through++;
    }
    return through;
  };
  return { limits, count, passed };
}

describe('what nobody counts', () => {
  it.each<readonly [string, Asked]>([
    ['the local operator', { who: OPERATOR, class: 'management' }],
    ['health', { who: secretKey('free'), class: 'health' }],
    ['public documents', { who: secretKey('free'), class: 'public' }],
    ['a stranger at the management, who is refused anyway', { who: STRANGER, class: 'management' }],
    [
      'a stranger who activates, whose failure his address is charged with',
      { who: STRANGER, class: 'activate' },
    ],
    ['a key without limits', { who: secretKey('unlimited'), class: 'management' }],
    [
      'a publishable key whose activation names no licence',
      { who: publishableKey(), class: 'activate', machine: 'm' },
    ],
    [
      'a publishable key whose activation names a licence of somebody else',
      { who: publishableKey(), class: 'activate', license: 'nobodys', machine: 'm' },
    ],
  ])('%s', async (_who, asked) => {
    expect(await counters().passed(asked)).toBeUndefined();
  });
});

describe('management', () => {
  it.each([
    ['free', 2],
    ['standard', 5],
    ['premium', 7],
  ] as const)('of a key of the tier %s goes through %i times', async (tier, times) => {
    expect(await counters().passed({ who: secretKey(tier), class: 'management' })).toBe(times);
  });

  it('is counted for each key by itself', async () => {
    const { passed } = counters();
    await passed({ who: secretKey('standard', 'loud'), class: 'management' });
    expect(await passed({ who: secretKey('standard', 'quiet'), class: 'management' })).toBe(5);
  });

  it('by a licence key is counted by licence and machine, however it is named, in the tier of its tenant', async () => {
    const { passed } = counters();
    const asked = { who: holder('lic_1'), class: 'management' } as const;
    expect(await passed({ ...asked, machine: 'mach_1' })).toBe(7);
    expect(await passed({ ...asked, machine: 'print-1' })).toBe(0);
    expect(await passed({ ...asked, machine: 'mach_2' })).toBe(7);
    expect(await passed({ ...asked, machine: 'mach_1', who: holder('lic_2') })).toBe(7);
  });

  it('by a licence key that names no machine of the licence is counted together, and takes from none of them', async () => {
    const { passed } = counters();
    const asked = { who: holder('lic_1'), class: 'management' } as const;
    expect(await passed(asked, 3)).toBe(3);
    expect(await passed({ ...asked, machine: 'made-up-1' }, 3)).toBe(3);
    expect(await passed({ ...asked, machine: 'made-up-2' })).toBe(1);
    expect(await passed({ ...asked, machine: 'mach_1' })).toBe(7);
    expect(await passed({ ...asked, who: holder('lic_2') })).toBe(7);
  });

  it('by a licence key elsewhere uses up nothing of what a machine has left, nor of what a new one has', async () => {
    const { passed } = counters();
    const asked = { who: holder('lic_1'), class: 'management' } as const;
    const thief = { ...asked, address: '10.0.0.66' } as const;
    for (const machine of ['mach_1', 'print-1', 'print-new', undefined]) await passed({ ...thief, machine });
    expect(await passed({ ...asked, machine: 'mach_1' })).toBe(7);
    expect(await passed({ ...asked, machine: 'print-new' })).toBe(7);
  });

  it('by a licence key is counted by the /64 of an IPv6 address, however it is written', async () => {
    const { passed } = counters();
    const asked = { who: holder('lic_1'), class: 'management', machine: 'mach_1' } as const;
    expect(await passed({ ...asked, address: '2001:db8::1' })).toBe(7);
    for (const address of ['2001:db8::2', '2001:db8:0:0:1::9', '2001:DB8::ffff:0:0:1']) {
      expect(await passed({ ...asked, address })).toBe(0);
    }
    expect(await passed({ ...asked, address: '2001:db8:0:1::1' })).toBe(7);
  });

  it('beyond what a second allows is refused by the burst, and says for how long', async () => {
    const { count, passed } = counters();
    await passed({ who: secretKey('free'), class: 'management' }, 2);
    const { refused } = (await count({ who: secretKey('free'), class: 'management' })) ?? {};
    expect(refused?.rule).toBe('limit.burst');
    expect(refused?.fault).toMatchObject({
      code: 'RATE_LIMITED',
      message:
        'the policy "burst" allows 2 requests in 1 s, and this was one more; an operator can give another tier',
    });
    expect(refused?.fault.retryAfterMs).toBeGreaterThan(0);
    expect(refused?.fault.retryAfterMs).toBeLessThanOrEqual(1000);
  });

  it('says on every answer what is left of the minute and of the second', async () => {
    const { headers } = (await counters().count({ who: secretKey('free'), class: 'management' })) ?? {};
    expect(headers).toEqual([
      ...['RateLimit-Policy', '"management";q=3;w=60, "burst";q=2;w=1'],
      ...['RateLimit', '"management";r=2;t=60, "burst";r=1;t=1'],
      ...['X-RateLimit-Limit', '3', 'X-RateLimit-Remaining', '2', 'X-RateLimit-Reset', '60'],
    ]);
  });
});

describe('validation and heartbeats', () => {
  it.each(['validate', 'heartbeat'] as const)('(%s) are counted by licence and machine', async (name) => {
    const { passed } = counters();
    const asked = { who: secretKey('free'), class: name, license: 'lic_1', machine: 'm1' };
    expect(await passed(asked)).toBe(FREE[name]);
    expect(await passed({ ...asked, machine: 'm2' })).toBe(FREE[name]);
    expect(await passed({ ...asked, license: 'lic_2' })).toBe(FREE[name]);
  });

  it('do not use up each other', async () => {
    const { passed } = counters();
    const asked = { who: secretKey('free'), license: 'lic_1', machine: 'm1' };
    expect(await passed({ ...asked, class: 'validate' })).toBe(2);
    expect(await passed({ ...asked, class: 'heartbeat' })).toBe(3);
  });

  it('without a machine are counted by address', async () => {
    const { passed } = counters();
    const asked = { who: secretKey('free'), class: 'validate', license: 'lic_1' } as const;
    expect(await passed(asked)).toBe(2);
    expect(await passed({ ...asked, address: '10.0.0.2' })).toBe(2);
  });

  it('by a licence key are those of its licence, whatever the body names', async () => {
    const { passed } = counters();
    const asked = { class: 'heartbeat', machine: 'm1' } as const;
    expect(await passed({ ...asked, who: holder('lic_1'), license: 'a' }, 2)).toBe(2);
    expect(await passed({ ...asked, who: holder('lic_1'), license: 'b' })).toBe(1);
    expect(await passed({ ...asked, who: holder('lic_2') })).toBe(3);
  });

  it('count every spelling of a licence key as that key', async () => {
    const { passed } = counters();
    const asked = { who: secretKey('free'), class: 'validate', machine: 'm1' } as const;
    expect(await passed({ ...asked, license: 'acme-1' }, 2)).toBe(2);
    expect(await passed({ ...asked, license: 'ACME-1' })).toBe(0);
  });

  it.each([
    ['leads nowhere', 'nobodys', 2],
    ['is not there', undefined, 2],
    ['is of a tenant', 'ours', 6],
    ['several tenants have: the most generous of them', 'both', 6],
  ])('of a stranger whose licence key %s (%s) go through %i times', async (_what, license, times) => {
    const asked: Asked = { who: STRANGER, class: 'validate', license, machine: 'm1' };
    expect(await counters().passed(asked)).toBe(times);
  });

  it('of a stranger whose licence is of a tenant without limits are not limited beyond the strictest', async () => {
    const { count } = counters();
    const asked: Asked = { who: STRANGER, class: 'validate', license: 'all', machine: 'm1' };
    const answers: (Quota | undefined)[] = [];
    for (let i = 0; i < 9; i++) answers.push(await count(asked));
    expect(answers.map((quota) => quota?.refused)).toEqual(Array.from({ length: 9 }, () => undefined));
    expect(answers.map((quota) => quota !== undefined)).toEqual([
      true,
      true,
      ...Array<boolean>(7).fill(false),
    ]);
  });

  it('of a stranger who is refused name the limit of his licence', async () => {
    const { count, passed } = counters();
    const asked: Asked = { who: STRANGER, class: 'validate', license: 'ours', machine: 'm1' };
    await passed(asked, 6);
    const { refused, headers } = (await count(asked)) ?? {};
    expect(refused).toMatchObject({ rule: 'limit.validate' });
    expect(refused?.fault.message).toContain('"validate" allows 6 requests in 60 s');
    expect(headers?.[1]).toBe('"validate";q=6;w=60');
  });

  it('with a key keep to the tier of that key, whatever the tenant has', async () => {
    const asked: Asked = { who: secretKey('free'), class: 'validate', license: 'ours', machine: 'm1' };
    expect(await counters().passed(asked)).toBe(2);
  });
});

describe('activation', () => {
  const activating = (license: string, machine: string): Asked => {
    return { who: secretKey('free'), class: 'activate', license, machine };
  };

  it('is counted by licence and machine', async () => {
    const { passed } = counters();
    expect(await passed(activating('lic_1', 'm1'), 3)).toBe(2);
    expect(await passed(activating('lic_1', 'm2'), 1)).toBe(1);
  });

  it('beyond what its realm has goes on for a licence that is quiet, ten times a minute', async () => {
    const { count, passed } = counters();
    for (let i = 0; i < 30; i++) await passed(activating('loud', `m${String(i)}`), 1);
    const quiet: boolean[] = [];
    for (let i = 0; i < 12; i++) {
      quiet.push((await count(activating('quiet', `m${String(i)}`)))?.refused === undefined);
    }
    expect(quiet).toEqual([...Array<boolean>(10).fill(true), false, false]);
  });

  it('says which limit it was: that of the machine, or that of the realm', async () => {
    const { count, passed } = counters();
    await passed(activating('loud', 'm1'), 2);
    expect((await count(activating('loud', 'm1')))?.refused?.rule).toBe('limit.activate');
    for (let i = 0; i < 20; i++) await count(activating('loud', `other${String(i)}`));
    const { refused, headers } = (await count(activating('loud', 'm99'))) ?? {};
    expect(refused?.rule).toBe('limit.activate-realm');
    expect(refused?.fault.message).toContain('"activate-realm" allows 14 requests in 60 s');
    expect(headers?.[1]).toBe('"activate-realm";q=14;w=60');
  });

  it('by a publishable key counts where its licence is of that realm', async () => {
    const asked: Asked = { who: publishableKey('free'), class: 'activate', license: 'ours', machine: 'm1' };
    expect(await counters().passed(asked, 3)).toBe(2);
  });

  it('by a publishable key for some products counts where its licence is of those, and nowhere else', async () => {
    const who = { ...publishableKey(), products: ['prod_1'] };
    const { count, passed } = counters();
    const asked = { who, class: 'activate', machine: 'm1' } as const;
    expect((await count({ ...asked, license: 'ours' }))?.headers[1]).toMatch(/^"activate"/);
    expect(await count({ ...asked, license: 'both' })).toBeUndefined();
    expect(await count({ ...asked, license: 'nobodys' })).toBeUndefined();
    const all: Asked = { ...asked, who: publishableKey('free'), license: 'both' };
    expect(await passed(all, 3)).toBe(2);
  });

  it('by a secret key for some products spends nothing of a licence of others', async () => {
    const { count, passed } = counters();
    const limited = { ...secretKey('free'), products: ['prod_1'] };
    for (let i = 0; i < 5; i++) {
      const asked = { who: limited, class: 'activate', license: 'lic_of_2', machine: 'm1' } as const;
      expect((await count(asked))?.headers[1]).toMatch(/^"activate"/);
    }
    const own: Asked = { who: secretKey('free'), class: 'activate', license: 'lic_of_2', machine: 'm1' };
    expect(await passed(own, 3)).toBe(2);
  });

  it('in one realm leaves the others alone', async () => {
    const { passed } = counters();
    for (let i = 0; i < 30; i++) await passed(activating('loud', `m${String(i)}`), 1);
    const who: Principal = { kind: 'secret-key', actor: actor('k'), realm: THEIRS, scopes, tier: 'free' };
    let through = 0;
    for (let i = 0; i < 20; i++)
      through += (await passed({ ...activating('own', `m${String(i)}`), who }, 1)) ?? 0;
    expect(through).toBe(14);
  });
});

describe('what is left of failures', () => {
  it('is told where nothing else is counted', async () => {
    const { headers } = await counters().limits.failures('10.0.0.1');
    expect(headers.slice(0, 4)).toEqual([
      ...['RateLimit-Policy', '"failures";q=60;w=60', 'RateLimit', '"failures";r=59;t=1'],
    ]);
  });
});

describe('the parts', () => {
  it('a tier without limits has none, every other its row', () => {
    expect(limitsOf(TABLE, 'unlimited')).toBeUndefined();
    expect(limitsOf(TABLE, 'premium')).toBe(TABLE.premium);
  });

  it('names fall into one of 65 536 places, by all their parts and by a salt', () => {
    const places = new Places(Buffer.alloc(32, 1));
    const all = Array.from({ length: 2000 }, (_, i) => Number(places.of('license', `machine ${String(i)}`)));
    expect(all.every((place) => Number.isInteger(place) && place >= 0 && place < 65_536)).toBe(true);
    expect(new Set(all).size).toBeGreaterThan(1900);
    expect(places.of('a', 'bc')).toBe(places.of('a', 'bc'));
    const others = [places.of('ab', 'c'), places.of('abc'), new Places(Buffer.alloc(32, 2)).of('a', 'bc')];
    expect(others).not.toContain(places.of('a', 'bc'));
  });

  it('a window counts what it is given, and nobody waits longer than it lasts', async () => {
    const counter = new WindowCounter(60_000);
    expect(await counter.peek('a')).toEqual({ count: 0, resetMs: 60_000 });
    expect((await counter.add('a')).count).toBe(1);
    expect((await counter.add('a', 9)).count).toBe(10);
    const { count, resetMs } = await counter.peek('a');
    expect(count).toBe(10);
    expect(resetMs).toBeGreaterThan(0);
    expect(resetMs).toBeLessThanOrEqual(60_000);
    const second = new WindowCounter(1000);
    expect((await second.add('a')).resetMs).toBeLessThanOrEqual(1000);
    expect(await second.peek('never')).toEqual({ count: 0, resetMs: 1000 });
    expect((await counter.peek('b')).count).toBe(0);
  });
});
