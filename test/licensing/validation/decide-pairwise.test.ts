import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { DAY } from '../../../src/lib/clock.ts';
import { agrees } from '../../../src/licensing/machines/component-matching.ts';
import { resolvePolicySettings } from '../../../src/licensing/policies/policy-settings.ts';
import {
  blockedBy,
  decide,
  type DecisionFacts,
  type DecisionRequest,
  VALIDATION_CODES,
} from '../../../src/licensing/validation/decide.ts';
import { coveringRows, rowsNear } from '../../support/covering-rows.ts';
import { BYSTANDERS, cannotBe, expectedOf, GOOD, INTERACTING, type Situation } from './decision-table.ts';

const NOW = Date.UTC(2026, 5, 1);

/** A situation as the decision is given it. */
function factsOf(situation: Situation, bystanders: object = {}): DecisionFacts {
  const { status, expired, maxMachines, maxUses, seats, uses, applianceReady } = situation;
  return {
    ...{ status, maxMachines, maxUses, seats, uses },
    expiresAt: expired === 'never' ? null : NOW - expired,
    policy: resolvePolicySettings(
      { template: null, templateVersion: 1 },
      { ...settingsOf(situation), ...bystanders },
    ),
    entitlements: entitlementsOf(situation),
    machine: machineOf(situation),
    readyAt: NOW - applianceReady,
  };
}

function settingsOf(situation: Situation) {
  const { maxMachines, maxUses, overageStrategy, graceDays, expirationStrategy } = situation;
  const { requireFingerprint, fingerprintMatching, requireHeartbeat, heartbeatIntervalMinutes } = situation;
  return {
    ...{ maxMachines, maxUses, overageStrategy, graceDays, expirationStrategy },
    ...{ requireFingerprint, fingerprintMatching, requireHeartbeat, heartbeatIntervalMinutes },
  };
}

function machineOf(situation: Situation): DecisionFacts['machine'] {
  if (situation.fingerprint !== 'of the machine') return null;
  const { markedDead, lastSeen, equalComponents, fingerprintMatching } = situation;
  const seen =
    equalComponents === 'none sent' ? { compared: 0, equal: 0 } : { compared: 4, equal: equalComponents };
  return {
    alive: !markedDead,
    lastSeenAt: NOW - lastSeen,
    componentsMatch: agrees(fingerprintMatching, seen),
  };
}

function entitlementsOf({ holdsPro }: Situation): DecisionFacts['entitlements'] {
  const ends = { 'for good': [null], 'for a while': [NOW + 1], 'ended now': [NOW], no: [] } as const;
  const times = holdsPro === 'ended once and for good' ? [NOW - DAY, null] : ends[holdsPro];
  return times.map((expiresAt) => ({ code: 'pro', expiresAt }));
}

function requestOf({ fingerprint, asksFor }: Situation): DecisionRequest {
  const entitlements = asksFor === 'nothing' ? [] : asksFor.split(' and ');
  return { fingerprint: fingerprint !== 'not sent', entitlements };
}

/** Any three values meet, whatever else is against the licence. */
const TRIPLES = coveringRows(INTERACTING, { strength: 3, impossible: cannotBe });
/** One, two or three things are not as in a licence with nothing against it, and nothing hides them. */
const NEAR = rowsNear(INTERACTING, GOOD, 3).filter((situation) => !cannotBe(situation));
const PAIRS = coveringRows({ ...INTERACTING, ...BYSTANDERS }, { strength: 2, impossible: cannotBe });

const decided = (situation: Situation, bystanders?: object) =>
  decide(factsOf(situation, bystanders), requestOf(situation), NOW);

/** Situations that are decided otherwise than the rules say, with what both say. */
function wrong(situations: readonly Situation[]) {
  return situations
    .map((situation) => ({ situation, decision: decided(situation), expected: expectedOf(situation) }))
    .filter(({ decision, expected }) => !isDeepStrictEqual(decision, expected));
}

describe('a validation', () => {
  it('decides as the table of rules says wherever any three of its conditions meet', () => {
    expect(wrong(TRIPLES)).toEqual([]);
  });

  it('decides as the table of rules says wherever up to three things are not as they should be', () => {
    expect(wrong(NEAR)).toEqual([]);
  });

  it('says of the licence by itself the first that blocks in its state and time, whatever the machine', () => {
    const { status, expired, graceDays, expirationStrategy } = INTERACTING;
    const states = rowsNear({ status, expired, graceDays, expirationStrategy }, GOOD, 4);
    const all = [...TRIPLES, ...states.map((state) => ({ ...GOOD, ...state }))].filter(
      (one) => !cannotBe(one),
    );
    const alone = {
      requireFingerprint: false,
      fingerprint: 'not sent',
      asksFor: 'nothing',
      maxUses: null,
    } as const;
    const different = all
      .map((situation) => ({ situation, expected: expectedOf({ ...situation, ...alone }) }))
      .map((one) => ({ ...one, blocked: blockedBy(factsOf(one.situation), NOW) }))
      .filter(({ blocked, expected: { valid, code } }) => blocked !== (valid ? null : code));
    expect(different).toEqual([]);
  });

  it('comes to every outcome there is, valid and invalid, so that the table is tried as a whole', () => {
    const invalid = VALIDATION_CODES.filter(
      (code) => !['NOT_FOUND', 'MACHINE_LIMIT_EXCEEDED', 'VALID'].includes(code),
    ).map((code) => `${code} false`);
    const outcomesOf = (situations: readonly Situation[]) =>
      new Set(situations.map(expectedOf).map(({ valid, code }) => `${code} ${String(valid)}`));
    expect(outcomesOf(NEAR)).toEqual(
      new Set([...invalid, 'EXPIRED true', 'MACHINE_LIMIT_EXCEEDED true', 'VALID true']),
    );
    expect([...outcomesOf(TRIPLES)]).toEqual(
      expect.arrayContaining([...invalid, 'EXPIRED true', 'VALID true']),
    );
  });

  it('decides as if the other settings of its policy were not there', () => {
    for (const row of PAIRS) {
      const bystanders = Object.fromEntries(
        // A bystander is a setting of the row.
        Object.keys(BYSTANDERS).map((name) => [name, row[name as keyof typeof BYSTANDERS]]),
      );
      expect({ row, ...decided(row, bystanders) }).toEqual({ row, ...expectedOf(row) });
    }
  });
});

const IN_GRACE = { expired: DAY, graceDays: 2 } as const;
const AFTER_GRACE = { expired: 2 * DAY, graceDays: 2 } as const;
const IN_OVERAGE = { overageStrategy: 'ALLOW_2X', seats: 3 } as const;

describe('where conditions meet', () => {
  it.each<readonly [string, Partial<Situation>, boolean, string, readonly string[]]>([
    ['nothing is against it', {}, true, 'VALID', []],
    [
      'grace lets no other machine in',
      { ...IN_GRACE, fingerprint: 'of no machine' },
      false,
      'FINGERPRINT_NOT_FOUND',
      ['EXPIRED', 'FINGERPRINT_NOT_FOUND'],
    ],
    [
      'grace asks for the fingerprint all the same',
      { ...IN_GRACE, fingerprint: 'not sent' },
      false,
      'FINGERPRINT_REQUIRED',
      ['EXPIRED', 'FINGERPRINT_REQUIRED'],
    ],
    [
      'access after expiry is for what the licence holds',
      { ...AFTER_GRACE, expirationStrategy: 'ALLOW_ACCESS', asksFor: 'export' },
      false,
      'ENTITLEMENTS_MISSING',
      ['EXPIRED', 'ENTITLEMENTS_MISSING'],
    ],
    [
      'access after expiry does not lift the limit of uses',
      { ...AFTER_GRACE, expirationStrategy: 'ALLOW_ACCESS', maxUses: 3, uses: 3 },
      false,
      'USES_EXCEEDED',
      ['EXPIRED', 'USES_EXCEEDED'],
    ],
    [
      'to be revoked, and in grace: it is still valid',
      { ...IN_GRACE, expirationStrategy: 'REVOKE' },
      true,
      'EXPIRED',
      ['EXPIRED'],
    ],
    [
      'to be revoked, and its grace is over: invalid before any sweep',
      { ...AFTER_GRACE, expirationStrategy: 'REVOKE' },
      false,
      'EXPIRED',
      ['EXPIRED'],
    ],
    [
      'revoked in its grace: revoked is revoked',
      { ...IN_GRACE, status: 'revoked' },
      false,
      'REVOKED',
      ['REVOKED', 'EXPIRED'],
    ],
    [
      'suspended and expired: the suspension comes first',
      { ...AFTER_GRACE, status: 'suspended' },
      false,
      'SUSPENDED',
      ['SUSPENDED', 'EXPIRED'],
    ],
    [
      'suspended where access goes on after expiry: suspended',
      { ...AFTER_GRACE, status: 'suspended', expirationStrategy: 'ALLOW_ACCESS' },
      false,
      'SUSPENDED',
      ['SUSPENDED', 'EXPIRED'],
    ],
    [
      'overage is said and stops nobody',
      IN_OVERAGE,
      true,
      'MACHINE_LIMIT_EXCEEDED',
      ['MACHINE_LIMIT_EXCEEDED'],
    ],
    [
      'a dead machine in overage: overage excuses no silence',
      { ...IN_OVERAGE, requireHeartbeat: true, markedDead: true },
      false,
      'HEARTBEAT_REQUIRED',
      ['HEARTBEAT_REQUIRED', 'MACHINE_LIMIT_EXCEEDED'],
    ],
    [
      'in overage without the last use: the use decides, though it stands further down',
      { ...IN_OVERAGE, maxUses: 3, uses: 3 },
      false,
      'USES_EXCEEDED',
      ['MACHINE_LIMIT_EXCEEDED', 'USES_EXCEEDED'],
    ],
    [
      'in grace and in overage: both are said, the first is the code',
      { ...IN_GRACE, ...IN_OVERAGE },
      true,
      'EXPIRED',
      ['EXPIRED', 'MACHINE_LIMIT_EXCEEDED'],
    ],
    [
      'a machine with half its parts exchanged, where most have to be the same',
      { fingerprintMatching: 'MATCH_MOST', equalComponents: 2 },
      false,
      'FINGERPRINT_NOT_FOUND',
      ['FINGERPRINT_NOT_FOUND'],
    ],
    [
      'the same machine, where two have to be the same',
      { fingerprintMatching: 'MATCH_TWO', equalComponents: 2 },
      true,
      'VALID',
      [],
    ],
    [
      'a machine that sent its fingerprint though none is asked for, and is unknown',
      { requireFingerprint: false, fingerprint: 'of no machine' },
      false,
      'FINGERPRINT_NOT_FOUND',
      ['FINGERPRINT_NOT_FOUND'],
    ],
    [
      'heartbeats are not missed of nobody in particular',
      { requireFingerprint: false, fingerprint: 'not sent', requireHeartbeat: true, markedDead: true },
      true,
      'VALID',
      [],
    ],
    [
      'an entitlement that has ended, beside one that is asked for and held',
      { holdsPro: 'ended now', asksFor: 'pro' },
      false,
      'ENTITLEMENTS_MISSING',
      ['ENTITLEMENTS_MISSING'],
    ],
    [
      'more uses than a limit that was lowered',
      { maxUses: 3, uses: 4 },
      false,
      'USES_EXCEEDED',
      ['USES_EXCEEDED'],
    ],
  ])('%s', (...row) => {
    const [, conditions, valid, code, findings] = row;
    const situation = { ...GOOD, ...conditions };
    const expected = { valid, code, findings };
    expect(expectedOf(situation)).toEqual(expected);
    expect(decide(factsOf(situation), requestOf(situation), NOW)).toEqual(expected);
  });
});
