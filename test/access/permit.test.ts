import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { authorise, type Demand, Permit } from '../../src/access/permit.ts';
import type { Principal } from '../../src/access/principal.ts';
import { API_KEY_SCOPES, holdersOf, type Scope, SCOPES } from '../../src/access/scopes.ts';
import type { Actor } from '../../src/storage/journal.ts';
import { realmIdOf } from '../../src/storage/realm-scope.ts';
import type { Tx } from '../../src/storage/tx.ts';

const asked = { action: 'POST /things', requestId: 'request-1' };
const actor: Actor = { kind: 'api-key', id: 'key-1', via: 'http' };
const realm = realmIdOf(7);

const secretKey = (...scopes: Scope[]): Principal => {
  return { kind: 'secret-key', actor, realm, scopes: new Set(scopes), tier: 'standard' };
};
const publishableKey = (...scopes: Scope[]): Principal => {
  return { kind: 'publishable-key', actor, realm, scopes: new Set(scopes), tier: 'standard' };
};
const license: Principal = { kind: 'license', actor, realm, licenseId: 'license-1' };
const anonymous: Principal = { kind: 'anonymous', actor, realm: null };
const operator: Principal = { kind: 'operator', actor, realm: null };
const operatorOfRealm: Principal = { kind: 'operator', actor, realm };

const scoped: Demand = { scope: 'licenses:write', also: [] };
const open: Demand = { scope: null, also: ['anonymous'] };
const keyed: Demand = { scope: null, also: [] };
const licensed: Demand = { scope: 'licenses:checkout', also: ['license'] };
const operators: Demand = { scope: 'tenants:write', also: [], operatorOnly: true };
const operatorsAndMore: Demand = { ...operators, also: ['license', 'anonymous', 'publishable-key'] };

const ALLOWED: readonly (readonly [string, Principal, Demand, string])[] = [
  ['a secret key with the scope', secretKey('licenses:write'), scoped, 'scope.licenses:write'],
  ['a secret key without scopes, where none is needed', secretKey(), keyed, 'scope.none'],
  ['the operator in a realm', operatorOfRealm, scoped, 'operator.socket'],
  ['the operator, where no realm is needed', operator, keyed, 'operator.socket'],
  ['the operator, where only he may', operator, operators, 'operator.socket'],
  ['a licence, where licences may', license, licensed, 'principal.license'],
  ['a stranger, where strangers may', anonymous, open, 'principal.anonymous'],
  [
    'a publishable key, where it may',
    publishableKey(),
    { scope: 'licenses:validate', also: ['publishable-key'] },
    'principal.publishable-key',
  ],
];

const REFUSED: readonly (readonly [string, Principal, Demand, string, string])[] = [
  ['a secret key without scopes', secretKey(), scoped, 'INSUFFICIENT_SCOPE', 'scope.licenses:write'],
  [
    'a secret key with every other scope',
    secretKey(...SCOPES.filter((scope) => scope !== 'licenses:write')),
    scoped,
    'INSUFFICIENT_SCOPE',
    'scope.licenses:write',
  ],
  [
    'a secret key of all scopes, operators only',
    secretKey(...SCOPES),
    operators,
    'OPERATOR_ONLY',
    'operator.only',
  ],
  [
    'a publishable key that has the scope',
    publishableKey('licenses:write'),
    scoped,
    'INSUFFICIENT_SCOPE',
    'principal.publishable-key',
  ],
  [
    'a publishable key, operators only',
    publishableKey(...SCOPES),
    operatorsAndMore,
    'OPERATOR_ONLY',
    'principal.publishable-key',
  ],
  ['a licence, where only keys may', license, scoped, 'INSUFFICIENT_SCOPE', 'principal.license'],
  ['a licence, operators only', license, operatorsAndMore, 'OPERATOR_ONLY', 'principal.license'],
  [
    'a licence, where strangers may and it is not named',
    license,
    open,
    'INSUFFICIENT_SCOPE',
    'principal.license',
  ],
  ['a stranger, where keys may', anonymous, scoped, 'UNAUTHENTICATED', 'principal.anonymous'],
  ['a stranger, where licences may', anonymous, licensed, 'UNAUTHENTICATED', 'principal.anonymous'],
  ['a stranger, operators only', anonymous, operatorsAndMore, 'UNAUTHENTICATED', 'principal.anonymous'],
  ['the operator without the realm that is needed', operator, scoped, 'REALM_REQUIRED', 'operator.realm'],
];

describe('a permit', () => {
  it.each(ALLOWED)('is given to %s', (...row) => {
    const [, principal, demand, rule] = row;
    const decision = authorise(principal, demand, asked);
    expect(decision).toMatchObject({ allowed: true, rule });
    const permit = decision.allowed ? decision.permit : undefined;
    expect(permit).toMatchObject({ principal, ...asked });
    expect(permit?.actor).toBe(principal.actor);
    expect(permit?.realm).toBe(principal.realm);
  });

  it.each(REFUSED)('is refused to %s', (...row) => {
    const [, principal, demand, code, rule] = row;
    expect(authorise(principal, demand, asked)).toEqual({ allowed: false, code, rule });
  });

  it('hands what an operation will answer to whoever keeps it, inside the unit, and to nobody where nobody does', () => {
    const kept: unknown[] = [];
    const keep = (tx: Tx, result: unknown): void => {
      kept.push([tx, result]);
    };
    const given = [keep, undefined].map((keeps) =>
      authorise(operatorOfRealm, open, { ...asked, keep: keeps }),
    );
    const unit = {} as Tx; // passed on unopened
    for (const decision of given) if (decision.allowed) decision.permit.remember(unit, 'the answer');
    expect(kept).toEqual([[unit, 'the answer']]);
  });

  it('is made by nobody else', () => {
    expect(() => new Permit({}, { principal: operator, ...asked })).toThrow(
      'a permit is made by authorise only',
    );
  });
});

describe('the scopes', () => {
  const operatorOnly = SCOPES.filter((scope) => /^(tenants|system|signing-keys):/v.test(scope));

  it('of tenants, system and signing keys are carried by no API key', () => {
    expect(operatorOnly).toHaveLength(7);
    for (const scope of operatorOnly) expect(holdersOf(scope)).toBe('operators');
    expect(API_KEY_SCOPES.filter((scope) => operatorOnly.includes(scope))).toEqual([]);
  });

  it('that an API key can carry are those that something asks for, and no others', () => {
    const files = globSync('src/**/*.ts', { exclude: ['src/access/scopes.ts'] });
    const text = files.map((path) => readFileSync(path, 'utf8')).join('\n');
    const asked = SCOPES.filter((scope) => text.includes(`'${scope}'`));
    expect(API_KEY_SCOPES).toEqual(asked.filter((scope) => !operatorOnly.includes(scope)));
    expect(holdersOf('webhooks:write')).toBe('nobody');
  });

  it('are each named once', () => {
    expect(new Set(SCOPES).size).toBe(SCOPES.length);
    expect(SCOPES).toContain('licenses:checkout-plain');
    expect(SCOPES).toContain('events:write');
  });
});
