import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY, HOUR, MINUTE } from '../../../src/lib/clock.ts';
import { resolvePolicySettings } from '../../../src/licensing/policies/policy-settings.ts';
import {
  blockedBy,
  decide,
  type DecisionFacts,
  type DecisionRequest,
  VALIDATION_CODES,
} from '../../../src/licensing/validation/decide.ts';

const NOW = Date.UTC(2026, 5, 1);
const basis = { template: null, templateVersion: 1 };
const settings = (overrides: object) => resolvePolicySettings(basis, { maxMachines: 2, ...overrides });
const machine = { alive: true, lastSeenAt: NOW - MINUTE, componentsMatch: true };

/** A licence with nothing against it. */
const GOOD: DecisionFacts = {
  status: 'active',
  expiresAt: null,
  policy: settings({}),
  maxMachines: 2,
  maxUses: null,
  seats: 1,
  uses: 0,
  entitlements: [{ code: 'pro', expiresAt: null }],
  machine,
  readyAt: NOW - 10 * DAY,
};
const ASKED: DecisionRequest = { fingerprint: true, entitlements: [] };

interface Row {
  readonly rule: string;
  readonly facts?: Partial<DecisionFacts>;
  readonly asked?: Partial<DecisionRequest>;
  readonly valid: boolean;
  readonly code: string;
  readonly findings: readonly string[];
}

const ended = { expiresAt: NOW };
const lenient = settings({ expirationStrategy: 'ALLOW_ACCESS' });
const beating = settings({ requireHeartbeat: true, heartbeatIntervalMinutes: 60 });
/** Interval 60 min, slack a tenth of it. */
const PATIENCE = 66 * MINUTE;

const TABLE: readonly Row[] = [
  { rule: 'nothing is against it', valid: true, code: 'VALID', findings: [] },
  {
    rule: 'a banned licence',
    facts: { status: 'banned' },
    valid: false,
    code: 'BANNED',
    findings: ['BANNED'],
  },
  {
    rule: 'a revoked licence',
    facts: { status: 'revoked' },
    valid: false,
    code: 'REVOKED',
    findings: ['REVOKED'],
  },
  {
    rule: 'a suspended licence',
    facts: { status: 'suspended' },
    valid: false,
    code: 'SUSPENDED',
    findings: ['SUSPENDED'],
  },
  {
    rule: 'a suspended licence that has expired too',
    facts: { status: 'suspended', ...ended },
    valid: false,
    code: 'SUSPENDED',
    findings: ['SUSPENDED', 'EXPIRED'],
  },
  { rule: 'the moment of expiry', facts: ended, valid: false, code: 'EXPIRED', findings: ['EXPIRED'] },
  {
    rule: 'the millisecond before expiry',
    facts: { expiresAt: NOW + 1 },
    valid: true,
    code: 'VALID',
    findings: [],
  },
  {
    rule: 'a licence that the sweeper has marked expired',
    facts: { status: 'expired', expiresAt: NOW - DAY },
    valid: false,
    code: 'EXPIRED',
    findings: ['EXPIRED'],
  },
  {
    rule: 'expired where the policy allows access',
    facts: { ...ended, policy: lenient },
    valid: true,
    code: 'EXPIRED',
    findings: ['EXPIRED'],
  },
  {
    rule: 'expired in grace',
    facts: { expiresAt: NOW - DAY, policy: settings({ graceDays: 2 }) },
    valid: true,
    code: 'EXPIRED',
    findings: ['EXPIRED'],
  },
  {
    rule: 'the end of grace',
    facts: { expiresAt: NOW - 2 * DAY, policy: settings({ graceDays: 2 }) },
    valid: false,
    code: 'EXPIRED',
    findings: ['EXPIRED'],
  },
  {
    rule: 'to be revoked at expiry, before the sweep',
    facts: { ...ended, policy: settings({ expirationStrategy: 'REVOKE' }) },
    valid: false,
    code: 'EXPIRED',
    findings: ['EXPIRED'],
  },
  {
    rule: 'no fingerprint where one is required',
    facts: { machine: null },
    asked: { fingerprint: false },
    valid: false,
    code: 'FINGERPRINT_REQUIRED',
    findings: ['FINGERPRINT_REQUIRED'],
  },
  {
    rule: 'no fingerprint where none is required',
    facts: { machine: null, policy: settings({ requireFingerprint: false }) },
    asked: { fingerprint: false },
    valid: true,
    code: 'VALID',
    findings: [],
  },
  {
    rule: 'a fingerprint that is not activated',
    facts: { machine: null },
    valid: false,
    code: 'FINGERPRINT_NOT_FOUND',
    findings: ['FINGERPRINT_NOT_FOUND'],
  },
  {
    rule: 'a fingerprint that is not activated, though none is required',
    facts: { machine: null, policy: settings({ requireFingerprint: false }) },
    valid: false,
    code: 'FINGERPRINT_NOT_FOUND',
    findings: ['FINGERPRINT_NOT_FOUND'],
  },
  {
    rule: 'the fingerprint with another board',
    facts: { machine: { ...machine, componentsMatch: false } },
    valid: false,
    code: 'FINGERPRINT_NOT_FOUND',
    findings: ['FINGERPRINT_NOT_FOUND'],
  },
  {
    rule: 'expired with grace on a machine that is not activated: grace lets nobody else in',
    facts: { expiresAt: NOW - HOUR, policy: settings({ graceDays: 2 }), machine: null },
    valid: false,
    code: 'FINGERPRINT_NOT_FOUND',
    findings: ['EXPIRED', 'FINGERPRINT_NOT_FOUND'],
  },
  {
    rule: 'a heartbeat that is just in time',
    facts: { policy: beating, machine: { ...machine, lastSeenAt: NOW - PATIENCE } },
    valid: true,
    code: 'VALID',
    findings: [],
  },
  {
    rule: 'a heartbeat one millisecond late',
    facts: { policy: beating, machine: { ...machine, lastSeenAt: NOW - PATIENCE - 1 } },
    valid: false,
    code: 'HEARTBEAT_REQUIRED',
    findings: ['HEARTBEAT_REQUIRED'],
  },
  {
    rule: 'a late heartbeat, when the appliance itself was down',
    facts: { policy: beating, machine: { ...machine, lastSeenAt: NOW - DAY }, readyAt: NOW - HOUR },
    valid: true,
    code: 'VALID',
    findings: [],
  },
  {
    rule: 'a machine that was marked dead',
    facts: { policy: beating, machine: { ...machine, alive: false } },
    valid: false,
    code: 'HEARTBEAT_REQUIRED',
    findings: ['HEARTBEAT_REQUIRED'],
  },
  {
    rule: 'a late heartbeat where none is asked for',
    facts: { machine: { ...machine, lastSeenAt: NOW - 300 * DAY } },
    valid: true,
    code: 'VALID',
    findings: [],
  },
  {
    rule: 'more seats than the limit, with overage',
    facts: { policy: settings({ overageStrategy: 'ALLOW_2X' }), seats: 3 },
    valid: true,
    code: 'MACHINE_LIMIT_EXCEEDED',
    findings: ['MACHINE_LIMIT_EXCEEDED'],
  },
  { rule: 'more seats than a lowered limit', facts: { seats: 3 }, valid: true, code: 'VALID', findings: [] },
  {
    rule: 'an entitlement that is missing',
    asked: { entitlements: ['pro', 'export'] },
    valid: false,
    code: 'ENTITLEMENTS_MISSING',
    findings: ['ENTITLEMENTS_MISSING'],
  },
  {
    rule: 'an entitlement that runs out now',
    facts: { entitlements: [{ code: 'pro', expiresAt: NOW }] },
    asked: { entitlements: ['pro'] },
    valid: false,
    code: 'ENTITLEMENTS_MISSING',
    findings: ['ENTITLEMENTS_MISSING'],
  },
  {
    rule: 'an entitlement that is held twice, one of them without end',
    facts: {
      entitlements: [
        { code: 'pro', expiresAt: NOW },
        { code: 'pro', expiresAt: null },
      ],
    },
    asked: { entitlements: ['pro'] },
    valid: true,
    code: 'VALID',
    findings: [],
  },
  {
    rule: 'the last use is gone',
    facts: { maxUses: 5, uses: 5 },
    valid: false,
    code: 'USES_EXCEEDED',
    findings: ['USES_EXCEEDED'],
  },
  { rule: 'one use is left', facts: { maxUses: 5, uses: 4 }, valid: true, code: 'VALID', findings: [] },
  {
    rule: 'everything at once',
    facts: {
      ...ended,
      status: 'banned',
      policy: settings({ overageStrategy: 'ALLOW_2X', requireHeartbeat: true }),
      machine: { alive: false, lastSeenAt: 0, componentsMatch: false },
      seats: 3,
      maxUses: 1,
      uses: 1,
    },
    asked: { entitlements: ['export'] },
    valid: false,
    code: 'BANNED',
    findings: [
      'BANNED',
      'EXPIRED',
      'FINGERPRINT_NOT_FOUND',
      'HEARTBEAT_REQUIRED',
      'MACHINE_LIMIT_EXCEEDED',
      'ENTITLEMENTS_MISSING',
      'USES_EXCEEDED',
    ],
  },
];

describe('a validation', () => {
  it.each(TABLE)('decides on: $rule', ({ facts, asked, valid, code, findings }) => {
    const decision = decide({ ...GOOD, ...facts }, { ...ASKED, ...asked }, NOW);
    expect(decision).toEqual({ valid, code, findings });
  });

  it('finds nothing where there is no licence', () => {
    expect(decide(null, ASKED, NOW)).toEqual({ valid: false, code: 'NOT_FOUND', findings: ['NOT_FOUND'] });
  });

  const anything = fc.record({
    status: fc.constantFrom<DecisionFacts['status'][]>('active', 'suspended', 'expired', 'revoked', 'banned'),
    expiresAt: fc.option(fc.integer({ min: NOW - 10 * DAY, max: NOW + 10 * DAY })),
    policy: fc
      .record({
        graceDays: fc.integer({ min: 0, max: 5 }),
        expirationStrategy: fc.constantFrom('RESTRICT_ACCESS', 'ALLOW_ACCESS', 'REVOKE'),
        overageStrategy: fc.constantFrom('NO_OVERAGE', 'ALLOW_2X'),
        requireFingerprint: fc.boolean(),
        requireHeartbeat: fc.boolean(),
      })
      .map(settings),
    seats: fc.nat(4),
    uses: fc.nat(4),
    maxUses: fc.option(fc.integer({ min: 1, max: 4 })),
    machine: fc.option(
      fc.record({ alive: fc.boolean(), lastSeenAt: fc.constant(NOW), componentsMatch: fc.boolean() }),
    ),
  });

  it('names every finding once, in the order of precedence, and the code is one of them', () => {
    fc.assert(
      fc.property(
        anything,
        fc.boolean(),
        fc.subarray(['pro', 'export']),
        (facts, fingerprint, entitlements) => {
          const { code, findings } = decide({ ...GOOD, ...facts }, { fingerprint, entitlements }, NOW);
          const places = findings.map((finding) => VALIDATION_CODES.indexOf(finding));
          expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
          expect(findings.length === 0 ? ['VALID'] : findings).toContain(code);
        },
      ),
    );
  });

  it('says of a licence by itself what the whole decision says of its state and time', () => {
    fc.assert(
      fc.property(anything, (facts) => {
        const policy = { ...facts.policy, requireFingerprint: false, requireHeartbeat: false };
        const whole = { ...GOOD, ...facts, policy, maxUses: null, machine: null };
        const { valid, code } = decide(whole, { fingerprint: false, entitlements: [] }, NOW);
        expect(blockedBy(whole, NOW)).toBe(valid ? null : code);
      }),
    );
  });
});
