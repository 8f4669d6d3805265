import { describe, expect, it } from 'vitest';
import type { ApiKey } from '../../../src/access/api-keys/api-key.ts';
import {
  type Authority,
  authorityFor,
  type Giver,
  isAbove,
  refuseWider,
  type Wanted,
} from '../../../src/access/api-keys/giving.ts';

const END = Date.UTC(2027, 0, 1);

/** A key that is limited in everything a key can be limited in. */
const LIMITED: ApiKey = {
  ...{ id: 'key_1', kind: 'sk', name: 'limited', scopes: ['licenses:read', 'licenses:write'] },
  ...{ allowedCidrs: ['10.0.0.0/8'], tier: 'standard', publicId: 'p', lastFour: 'abcd' },
  ...{ secretHash: Buffer.alloc(32), previousSecretHash: null, previousValidUntil: null, indexVersion: 1 },
  ...{ issueLimitPerDay: 10, issueLimitTotal: 100, allowedProducts: ['prod_1', 'prod_2'] },
  ...{ createdBy: 'operator:local', cascade: false, expiresAt: END, revokedAt: null, rotatedAt: 0 },
  ...{ version: 1, createdAt: 0, updatedAt: 0 },
};
const UNLIMITED: ApiKey = {
  ...LIMITED,
  ...{ allowedCidrs: [], expiresAt: null, tier: 'unlimited' },
  ...{ issueLimitPerDay: null, issueLimitTotal: null, allowedProducts: [] },
};

const OPERATOR: Giver = { operator: true };
const by = (key: Partial<ApiKey> = {}): Giver => ({ operator: false, key: { ...LIMITED, ...key } });

const NOTHING_ASKED: Wanted = {
  ...{ scopes: ['licenses:read'], allowedCidrs: undefined, expiresAt: undefined, tier: undefined },
  ...{ issueLimitPerDay: undefined, issueLimitTotal: undefined, allowedProducts: undefined },
};

/** Everything the limited key has, in full. */
const ALL_OF_IT: Authority = {
  ...{ scopes: LIMITED.scopes, allowedCidrs: LIMITED.allowedCidrs, expiresAt: END, tier: 'standard' },
  ...{ issueLimitPerDay: 10, issueLimitTotal: 100, allowedProducts: LIMITED.allowedProducts },
};

describe('a new key of which nothing was asked', () => {
  it('by the operator is of the usual tier, issues 1000 a day, and is limited in nothing else', () => {
    expect(authorityFor(OPERATOR, NOTHING_ASKED)).toEqual({
      ...{ scopes: ['licenses:read'], allowedCidrs: [], expiresAt: null, tier: 'standard' },
      ...{ issueLimitPerDay: 1000, issueLimitTotal: null, allowedProducts: [] },
    });
  });

  it('by a key has the limits of that key', () => {
    expect(authorityFor(by(), NOTHING_ASKED)).toEqual({ ...ALL_OF_IT, scopes: ['licenses:read'] });
  });

  it.each([
    ['free', 'free'],
    ['standard', 'standard'],
    ['premium', 'standard'],
    ['unlimited', 'standard'],
  ] as const)('by a key of the tier %s is %s: the usual, or less where the giver has less', (tier, given) => {
    expect(authorityFor(by({ tier }), NOTHING_ASKED).tier).toBe(given);
  });

  it.each([
    [10, 10],
    [5000, 1000],
    [null, 1000],
  ])('by a key that issues %s a day issues %i', (issueLimitPerDay, given) => {
    expect(authorityFor(by({ issueLimitPerDay }), NOTHING_ASKED).issueLimitPerDay).toBe(given);
  });

  it('asked to have no limit has none, if its giver may give that', () => {
    const wanted = { ...NOTHING_ASKED, issueLimitPerDay: null, issueLimitTotal: null };
    const given = authorityFor({ operator: false, key: UNLIMITED }, wanted);
    expect(given).toMatchObject({ issueLimitPerDay: null, issueLimitTotal: null });
    expect(refuseWider(by(), authorityFor(by(), wanted))?.code).toBe('VALIDATION_FAILED');
  });

  it('asked for limits of its own has those', () => {
    const own: Partial<Wanted> = {
      ...{ allowedCidrs: ['10.1.0.0/16'], expiresAt: END - 1, tier: 'free' },
      ...{ issueLimitPerDay: 0, issueLimitTotal: 1, allowedProducts: ['prod_2'] },
    };
    expect(authorityFor(by(), { ...NOTHING_ASKED, ...own })).toMatchObject(own);
  });
});

describe('a key gives what it has', () => {
  it('and may give all of it', () => {
    expect(refuseWider(by(), ALL_OF_IT)).toBeUndefined();
  });

  it('and nobody refuses the operator anything', () => {
    const wide = { ...ALL_OF_IT, scopes: ['audit:export'], tier: 'unlimited', expiresAt: null } as const;
    expect(refuseWider(OPERATOR, wide)).toBeUndefined();
  });

  it.each<readonly [Partial<Authority>, string]>([
    [
      { allowedCidrs: ['10.0.0.0/7'] },
      'allowedCidrs must lie within the addresses of the key that gives them',
    ],
    [{ allowedCidrs: [] }, 'allowedCidrs must lie within the addresses of the key that gives them'],
    [
      { expiresAt: END + 1 },
      'expiresAt must not be later than 2027-01-01T00:00:00.000Z, the end of the key that gives it',
    ],
    [
      { expiresAt: null },
      'expiresAt must not be later than 2027-01-01T00:00:00.000Z, the end of the key that gives it',
    ],
    [{ tier: 'premium' }, 'tier must not be above standard, the tier of the key that gives it'],
    [{ issueLimitPerDay: 11 }, 'issueLimitPerDay must not be above 10, the limit of the key that gives it'],
    [{ issueLimitPerDay: null }, 'issueLimitPerDay must not be above 10, the limit of the key that gives it'],
    [{ issueLimitTotal: 101 }, 'issueLimitTotal must not be above 100, the limit of the key that gives it'],
    [{ issueLimitTotal: null }, 'issueLimitTotal must not be above 100, the limit of the key that gives it'],
    [{ allowedProducts: [] }, 'allowedProducts must be products of the key that gives them'],
    [
      { allowedProducts: ['prod_1', 'prod_3'] },
      'allowedProducts must be products of the key that gives them',
    ],
  ])('and not more: %j', (wider, message) => {
    const fault = refuseWider(by(), { ...ALL_OF_IT, ...wider });
    const [path = ''] = Object.keys(wider);
    expect(fault).toMatchObject({ code: 'VALIDATION_FAILED', message });
    expect(fault?.errors).toEqual([
      { path, code: 'WIDER_THAN_GIVER', message: message.slice(path.length + 1) },
    ]);
  });

  it('and no scope that it does not have, which it is told as a lack of its own', () => {
    const fault = refuseWider(by(), { ...ALL_OF_IT, scopes: ['licenses:read', 'licenses:revoke'] });
    expect(fault).toMatchObject({
      code: 'INSUFFICIENT_SCOPE',
      message: 'your key does not have the scope licenses:revoke, so it cannot give it',
    });
  });

  it.each<Partial<Authority>>([
    { scopes: ['licenses:read'] },
    { scopes: [] },
    { allowedCidrs: ['10.1.0.0/16', '10.2.0.1'] },
    { expiresAt: END - 1 },
    { tier: 'free' },
    { issueLimitPerDay: 0 },
    { issueLimitTotal: 99 },
    { allowedProducts: ['prod_2'] },
  ])('and less, if that is asked: %j', (narrower) => {
    expect(refuseWider(by(), { ...ALL_OF_IT, ...narrower })).toBeUndefined();
  });

  it('and of what it is not limited in, any amount', () => {
    const giver: Giver = { operator: false, key: UNLIMITED };
    const wide: Partial<Authority> = {
      ...{ allowedCidrs: ['0.0.0.0/0'], expiresAt: null, tier: 'unlimited' },
      ...{ issueLimitPerDay: null, issueLimitTotal: 1e9, allowedProducts: ['prod_9'] },
    };
    expect(refuseWider(giver, { ...ALL_OF_IT, ...wide })).toBeUndefined();
    expect(refuseWider(giver, { ...ALL_OF_IT, allowedProducts: [] })).toBeUndefined();
  });
});

describe('no limit', () => {
  it.each([
    [null, 5, true],
    [6, 5, true],
    [5, 5, false],
    [4, 5, false],
    [5, null, false],
    [null, null, false],
  ])('is above every other: %s above %s is %s', (limit, other, above) => {
    expect(isAbove(limit, other)).toBe(above);
  });
});
