import { describe, expect, it } from 'vitest';
import { DAY, HOUR, MINUTE } from '../../../src/lib/clock.ts';
import {
  type PolicySettings,
  resolvePolicySettings,
} from '../../../src/licensing/policies/policy-settings.ts';
import {
  type DecisionFacts,
  type FindingCode,
  VALIDATION_CODES,
  weighRules,
} from '../../../src/licensing/validation/decide.ts';
import { RULE_WORDS, type RuleSubject } from '../../../src/licensing/validation/rule-words.ts';

/** Noon, so that no time of day is all zeros. */
const NOW = Date.UTC(2026, 5, 10, 12);
const machine = { alive: true, lastSeenAt: NOW - MINUTE, componentsMatch: true };

/** What the rules are told of: a good licence on its machine, but for what is said. */
function subjectOf({
  facts = {},
  policy = {},
  ...more
}: Partial<Omit<RuleSubject, 'facts'>> & {
  readonly facts?: Partial<DecisionFacts>;
  readonly policy?: Partial<PolicySettings>;
}): RuleSubject {
  const settings = resolvePolicySettings(
    { template: null, templateVersion: 1 },
    { maxMachines: 2, ...policy },
  );
  return {
    facts: {
      ...{ status: 'active', expiresAt: null, policy: settings, maxMachines: settings.maxMachines },
      ...{ maxUses: settings.maxUses, seats: 1, uses: 0, entitlements: [], machine, readyAt: NOW - 30 * DAY },
      ...facts,
    },
    request: { fingerprint: true, entitlements: [] },
    ...{ now: NOW, statusSince: NOW - DAY, startsOn: null, machineId: 'mach_1', byFingerprint: true },
    differing: [],
    ...more,
  };
}

type Given = Parameters<typeof subjectOf>[0];

/** What an explanation says of one rule: why it has nothing to look at, that it passed, or what it found. */
function told(code: FindingCode, given: Given): string {
  const subject = subjectOf(given);
  const words = RULE_WORDS[code];
  const weight = weighRules(subject.facts, subject.request, subject.now).find(
    (one) => one.code === code,
  )?.weight;
  if (weight != null) return words.found(subject, weight);
  return words.idle(subject) ?? words.passed(subject);
}

const at = (expiresAt: number, policy: Partial<PolicySettings> = {}): Given => ({
  facts: { expiresAt },
  policy,
});
const beating = { requireHeartbeat: true, heartbeatIntervalMinutes: 60 } as const;
const seen = (ago: number): DecisionFacts['machine'] => ({ ...machine, lastSeenAt: NOW - ago });

const SAID: readonly (readonly [FindingCode, Given, string])[] = [
  ['BANNED', {}, 'the licence is not banned'],
  ['BANNED', { facts: { status: 'banned' } }, 'the licence is banned since 2026-06-09T12:00:00.000Z'],
  ['REVOKED', {}, 'the licence is not revoked'],
  ['REVOKED', { facts: { status: 'revoked' } }, 'the licence is revoked since 2026-06-09T12:00:00.000Z'],
  ['SUSPENDED', {}, 'the licence is not suspended'],
  [
    'SUSPENDED',
    { facts: { status: 'suspended' } },
    'the licence is suspended since 2026-06-09T12:00:00.000Z',
  ],

  ['EXPIRED', {}, 'the licence never expires'],
  ['EXPIRED', at(NOW + 3 * DAY - 1), 'expires on 2026-06-13T11:59:59.999Z, in 2 days'],
  ['EXPIRED', at(NOW + 2 * DAY), 'expires on 2026-06-12T12:00:00.000Z, in 2 days'],
  ['EXPIRED', at(NOW + 2 * DAY - 1), 'expires on 2026-06-12T11:59:59.999Z, in 47 hours'],
  ['EXPIRED', at(NOW + 2 * HOUR), 'expires on 2026-06-10T14:00:00.000Z, in 2 hours'],
  ['EXPIRED', at(NOW + 2 * HOUR - 1), 'expires on 2026-06-10T13:59:59.999Z, in 119 minutes'],
  ['EXPIRED', at(NOW + 90_000), 'expires on 2026-06-10T12:01:30.000Z, in 1 minute'],
  ['EXPIRED', at(NOW + 1), 'expires on 2026-06-10T12:00:00.001Z, in less than a minute'],
  [
    'EXPIRED',
    at(NOW),
    'expired on 2026-06-10T12:00:00.000Z, less than a minute ago; the policy gives no grace',
  ],
  [
    'EXPIRED',
    at(NOW - 3 * HOUR, { graceDays: 2 }),
    'expired on 2026-06-10T09:00:00.000Z, 3 hours ago; in grace until 2026-06-12T09:00:00.000Z',
  ],
  [
    'EXPIRED',
    at(NOW - 2 * DAY, { graceDays: 2 }),
    'expired on 2026-06-08T12:00:00.000Z, 2 days ago; its grace ended on 2026-06-10T12:00:00.000Z',
  ],
  [
    'EXPIRED',
    at(NOW - 60 * DAY, { graceDays: 2, expirationStrategy: 'ALLOW_ACCESS' }),
    'expired on 2026-04-11T12:00:00.000Z, 60 days ago; the policy lets it go on all the same',
  ],

  ['FINGERPRINT_REQUIRED', {}, 'a fingerprint was sent, as the policy asks'],
  ['FINGERPRINT_REQUIRED', { policy: { requireFingerprint: false } }, 'the policy asks for no fingerprint'],
  [
    'FINGERPRINT_REQUIRED',
    { request: { fingerprint: false, entitlements: [] } },
    'the policy asks for the fingerprint of the machine, and none was sent',
  ],

  ['FINGERPRINT_NOT_FOUND', {}, 'the fingerprint is that of machine mach_1'],
  ['FINGERPRINT_NOT_FOUND', { request: { fingerprint: false, entitlements: [] } }, 'no fingerprint was sent'],
  [
    'FINGERPRINT_NOT_FOUND',
    { differing: ['board', 'disk'], policy: { fingerprintMatching: 'MATCH_TWO' } },
    'the fingerprint is that of machine mach_1, which differs in board, disk, as MATCH_TWO allows',
  ],
  [
    'FINGERPRINT_NOT_FOUND',
    { byFingerprint: false, policy: { fingerprintMatching: 'MATCH_ANY' } },
    'machine mach_1 is recognised by its components, as MATCH_ANY allows; its fingerprint is another',
  ],
  [
    'FINGERPRINT_NOT_FOUND',
    { facts: { machine: null }, machineId: null },
    'no machine of this licence has this fingerprint',
  ],
  [
    'FINGERPRINT_NOT_FOUND',
    { facts: { machine: { ...machine, componentsMatch: false } }, differing: ['board', 'mac'] },
    'machine mach_1 has this fingerprint, but differs in board, mac: it is not the hardware that was activated',
  ],
  [
    'FINGERPRINT_NOT_FOUND',
    { facts: { machine: { ...machine, componentsMatch: false } } },
    'machine mach_1 has this fingerprint, but is not the hardware that was activated',
  ],

  ['HEARTBEAT_REQUIRED', {}, 'the policy asks for no heartbeat'],
  [
    'HEARTBEAT_REQUIRED',
    { policy: beating, facts: { machine: null } },
    'no machine of this licence was named',
  ],
  [
    'HEARTBEAT_REQUIRED',
    { policy: beating, facts: { machine: seen(66 * MINUTE) } },
    'last seen 66 minutes ago, on 2026-06-10T10:54:00.000Z (alive for 66 minutes after a heartbeat), in time',
  ],
  [
    'HEARTBEAT_REQUIRED',
    { policy: { ...beating, heartbeatIntervalMinutes: 5 }, facts: { machine: seen(DAY) } },
    'last seen 24 hours ago, on 2026-06-09T12:00:00.000Z (alive for 6 minutes after a heartbeat), too long ago',
  ],
  [
    'HEARTBEAT_REQUIRED',
    { policy: beating, facts: { machine: seen(DAY), readyAt: NOW - HOUR } },
    'last seen 24 hours ago, on 2026-06-09T12:00:00.000Z (alive for 66 minutes after a heartbeat; ' +
      'counted from the start of the appliance 2026-06-10T11:00:00.000Z), in time',
  ],

  ['MACHINE_LIMIT_EXCEEDED', { facts: { maxMachines: null } }, 'seats are not limited'],
  [
    'MACHINE_LIMIT_EXCEEDED',
    { facts: { seats: 3 } },
    'without overage a full licence refuses activations, never validations (3 of 2 seats are taken)',
  ],
  [
    'MACHINE_LIMIT_EXCEEDED',
    { facts: { seats: 2 }, policy: { overageStrategy: 'ALLOW_2X' } },
    '2 of 2 seats are taken',
  ],
  [
    'MACHINE_LIMIT_EXCEEDED',
    { facts: { seats: 3 }, policy: { overageStrategy: 'ALLOW_2X', machineLeasing: 'PER_USER' } },
    '3 of 2 seats of the user are taken, which ALLOW_2X allows',
  ],

  ['ENTITLEMENTS_MISSING', {}, 'no entitlement was asked for'],
  [
    'ENTITLEMENTS_MISSING',
    {
      request: { fingerprint: true, entitlements: ['pro', 'export'] },
      facts: { entitlements: ['export', 'pro'].map((code) => ({ code, expiresAt: NOW + 1 })) },
    },
    'the licence holds pro, export',
  ],
  [
    'ENTITLEMENTS_MISSING',
    {
      request: { fingerprint: true, entitlements: ['pro', 'export', 'audit'] },
      facts: {
        entitlements: [
          { code: 'pro', expiresAt: null },
          { code: 'export', expiresAt: NOW - 2 * DAY },
          { code: 'export', expiresAt: NOW - DAY },
        ],
      },
    },
    'the licence lacks export (ended on 2026-06-09T12:00:00.000Z), audit',
  ],

  ['USES_EXCEEDED', {}, 'uses are not limited'],
  ['USES_EXCEEDED', { facts: { maxUses: 5, uses: 4 } }, '4 of 5 uses are counted'],
  ['USES_EXCEEDED', { facts: { maxUses: 5, uses: 7 } }, '7 of 5 uses are counted'],
];

describe('an explanation', () => {
  it.each(SAID)('says of %s, given %j: %s', (code, given, sentence) => {
    expect(told(code, given)).toBe(sentence);
  });

  it('says what a term waits for that has not begun, and how long it will be', () => {
    const policy = { expirationBasis: 'FROM_FIRST_VALIDATION', durationDays: 30 } as const;
    expect(told('EXPIRED', { policy, startsOn: 'validation' })).toBe(
      'the term of 30 days begins with the first validation',
    );
    const day = { expirationBasis: 'FROM_FIRST_ACTIVATION', durationDays: 1 } as const;
    expect(told('EXPIRED', { policy: day, startsOn: 'activation' })).toBe(
      'the term of 1 day begins with the first activation',
    );
    // What a licence waits for is its own: a policy that was changed later does not make it wait.
    expect(told('EXPIRED', { policy, startsOn: null })).toBe('the licence never expires');
  });

  it('has a remedy for every rule, and each another', () => {
    const remedies = Object.values(RULE_WORDS).map(({ remedy }) => remedy);
    expect(remedies.every((remedy) => /^[a-z].{10}/.test(remedy))).toBe(true);
    expect(new Set(remedies).size).toBe(remedies.length);
    expect(Object.keys(RULE_WORDS)).toEqual(
      VALIDATION_CODES.filter((code) => code !== 'VALID' && code !== 'NOT_FOUND'),
    );
  });
});
