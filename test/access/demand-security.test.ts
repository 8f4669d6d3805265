import { describe, expect, it } from 'vitest';
import { scopeOf, securityOf } from '../../src/access/demand-security.ts';
import type { Demand } from '../../src/access/permit.ts';

describe('what the API document says of a demand', () => {
  it.each<readonly [string, Demand, readonly object[], string | null]>([
    [
      'a scope: a secret key that has it, or the local operator',
      { scope: 'licenses:write', also: [] },
      [{ secretKey: [] }, { operatorSocket: [] }],
      'licenses:write',
    ],
    [
      'a scope or a licence: the key of a licence as well',
      { scope: 'licenses:checkout', also: ['license'] },
      [{ secretKey: [] }, { operatorSocket: [] }, { licenseKey: [] }],
      'licenses:checkout',
    ],
    [
      'a publishable key, or nothing at all: an empty row stands for nothing',
      { scope: null, also: ['publishable-key', 'anonymous'] },
      [{ secretKey: [] }, { operatorSocket: [] }, { publishableKey: [] }, {}],
      null,
    ],
    [
      'operators only: no key opens it, whatever else is written there',
      { scope: 'tenants:write', also: ['license', 'anonymous'], operatorOnly: true },
      [{ operatorSocket: [] }],
      null,
    ],
  ])('%s', (...row) => {
    const [, demand, security, scope] = row;
    expect(securityOf(demand)).toEqual(security);
    expect(scopeOf(demand)).toBe(scope);
  });
});
