import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY, HOUR, MINUTE } from '../../../src/lib/clock.ts';
import { LICENSE_STATUSES } from '../../../src/licensing/licenses/license.ts';
import {
  type PolicySettings,
  resolvePolicySettings,
} from '../../../src/licensing/policies/policy-settings.ts';
import {
  type Decision,
  decide,
  type DecisionFacts,
  type DecisionRequest,
  VALIDATION_CODES,
  weighRules,
} from '../../../src/licensing/validation/decide.ts';
import { RULE_WORDS } from '../../../src/licensing/validation/rule-words.ts';

const NOW = Date.UTC(2026, 5, 1);
const CODES = ['pro', 'export', 'audit'] as const;
/** From the least generous to the most. */
const OVERAGES = ['NO_OVERAGE', 'ALLOW_1_25X', 'ALLOW_1_5X', 'ALLOW_2X', 'ALWAYS_ALLOW'] as const;
/** From what forbids most to what allows most. */
const LIMITS = [1, 2, 3, 4, null] as const;

/** Around the moment of the validation, and often exactly at it. */
const time = fc.oneof(
  fc.constantFrom(NOW - 1, NOW, NOW + 1),
  fc.integer({ min: NOW - 10 * DAY, max: NOW + 10 * DAY }),
);

const policy: fc.Arbitrary<PolicySettings> = fc
  .record({
    graceDays: fc.nat(5),
    expirationStrategy: fc.constantFrom('RESTRICT_ACCESS', 'ALLOW_ACCESS', 'REVOKE'),
    overageStrategy: fc.constantFrom(...OVERAGES),
    requireFingerprint: fc.boolean(),
    requireHeartbeat: fc.boolean(),
    heartbeatIntervalMinutes: fc.constantFrom(1, 60, 1440),
    enforcement: fc.constantFrom('BLOCK', 'DEGRADE', 'LOG_ONLY'),
  })
  .map((own) => resolvePolicySettings({ template: null, templateVersion: 1 }, { maxMachines: 2, ...own }));

const entitlement = fc.record({ code: fc.constantFrom(...CODES), expiresAt: fc.option(time) });

const facts: fc.Arbitrary<DecisionFacts> = fc.record({
  status: fc.oneof(fc.constant('active' as const), fc.constantFrom(...LICENSE_STATUSES)),
  expiresAt: fc.option(time),
  policy,
  maxMachines: fc.constantFrom(...LIMITS),
  maxUses: fc.constantFrom(...LIMITS),
  seats: fc.nat(5),
  uses: fc.nat(5),
  entitlements: fc.array(entitlement, { maxLength: 4 }),
  machine: fc.option(fc.record({ alive: fc.boolean(), lastSeenAt: time, componentsMatch: fc.boolean() }), {
    freq: 4,
  }),
  readyAt: time,
});

const request: fc.Arbitrary<DecisionRequest> = fc.record({
  fingerprint: fc.boolean(),
  entitlements: fc.subarray([...CODES]),
});

/** Enough that each property meets every code many times. */
const RUNS = { numRuns: 400 };

/**
 * For any licence and question: what is found after a change that can only help is found before it as well, and it makes
 * nothing invalid.
 */
function expectOnlyToHelp(
  change: (
    facts: DecisionFacts,
    request: DecisionRequest,
  ) => { facts: DecisionFacts; request: DecisionRequest },
): void {
  fc.assert(
    fc.property(facts, request, (before, asked) => {
      const after = change(before, asked);
      const was = decide(before, asked, NOW);
      const is = decide(after.facts, after.request, NOW);
      expect(was.findings).toEqual(expect.arrayContaining([...is.findings]));
      if (was.valid) expect(is.valid).toBe(true);
    }),
    RUNS,
  );
}

const withPolicy = (of: DecisionFacts, own: Partial<PolicySettings>): DecisionFacts => ({
  ...of,
  policy: { ...of.policy, ...own },
});

const blockingOf = (of: DecisionFacts, asked: DecisionRequest) =>
  weighRules(of, asked, NOW).filter(({ weight }) => weight === 'blocking');

describe('any decision', () => {
  it('is valid exactly when nothing that was found blocks', () => {
    fc.assert(
      fc.property(facts, request, (of, asked) => {
        expect(decide(of, asked, NOW).valid).toBe(blockingOf(of, asked).length === 0);
      }),
      RUNS,
    );
  });

  it('names as its code the first that blocks, else the first that is said, else VALID', () => {
    fc.assert(
      fc.property(facts, request, (of, asked) => {
        const { code, findings } = decide(of, asked, NOW);
        const [blocking] = blockingOf(of, asked);
        expect(code).toBe(blocking?.code ?? findings[0] ?? 'VALID');
      }),
      RUNS,
    );
  });

  it('lists what it found in the order of precedence, each once, and never the outcome itself', () => {
    fc.assert(
      fc.property(facts, request, (of, asked) => {
        const { findings } = decide(of, asked, NOW);
        const places = findings.map((code) => VALIDATION_CODES.indexOf(code));
        expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
        expect(findings).not.toContain('VALID');
        expect(findings).not.toContain('NOT_FOUND');
      }),
      RUNS,
    );
  });

  it('says of an invalid licence another code than of a flawless one', () => {
    fc.assert(
      fc.property(facts, request, (of, asked) => {
        const { valid, code } = decide(of, asked, NOW);
        if (!valid) expect(['VALID', 'MACHINE_LIMIT_EXCEEDED']).not.toContain(code);
      }),
      RUNS,
    );
  });

  it('is what an explanation says rule by rule, and no rule that was found is called not applicable', () => {
    fc.assert(
      fc.property(facts, request, (of, asked) => {
        const told = weighRules(of, asked, NOW).filter(({ weight }) => weight !== null);
        expect(told.map(({ code }) => code)).toEqual(decide(of, asked, NOW).findings);
        const subject = {
          ...{ facts: of, request: asked, now: NOW, statusSince: NOW - HOUR, startsOn: null },
          ...{ machineId: of.machine === null ? null : 'mach_1', byFingerprint: true, differing: [] },
        };
        for (const { code } of told) expect([code, RULE_WORDS[code].idle(subject)]).toEqual([code, null]);
      }),
      RUNS,
    );
  });
});

describe('what can only help', () => {
  it('more entitlements never make a valid licence invalid', () => {
    const added = fc.array(entitlement, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(facts, request, added, (of, asked, more) => {
        const was = decide(of, asked, NOW);
        const is = decide({ ...of, entitlements: [...of.entitlements, ...more] }, asked, NOW);
        expect(was.findings).toEqual(expect.arrayContaining([...is.findings]));
        expect(is.valid || !was.valid).toBe(true);
      }),
      RUNS,
    );
  });

  it('asking for fewer entitlements never makes a licence invalid', () => {
    expectOnlyToHelp((of, { fingerprint, entitlements }) => ({
      facts: of,
      request: { fingerprint, entitlements: entitlements.slice(1) },
    }));
  });

  it.each(LIMITS.slice(1).map((limit, at) => [LIMITS[at] ?? null, limit] as const))(
    'a limit of uses raised from %s to %s never makes a licence invalid',
    (from, to) => {
      fc.assert(
        fc.property(facts, request, (of, asked) => {
          const was = decide({ ...of, maxUses: from }, asked, NOW);
          const is = decide({ ...of, maxUses: to }, asked, NOW);
          expect(was.findings).toEqual(expect.arrayContaining([...is.findings]));
          expect(is.valid || !was.valid).toBe(true);
        }),
        RUNS,
      );
    },
  );

  it('no limit of uses is better than any', () => {
    expectOnlyToHelp((of, asked) => ({ facts: { ...of, maxUses: null }, request: asked }));
  });

  it('no limit of machines is better than any', () => {
    expectOnlyToHelp((of, asked) => ({ facts: { ...of, maxMachines: null }, request: asked }));
  });

  it('a higher limit of machines never makes a licence invalid', () => {
    expectOnlyToHelp((of, asked) => {
      const maxMachines = of.maxMachines === null ? null : of.maxMachines + 1;
      return { facts: { ...of, maxMachines }, request: asked };
    });
  });

  it('a policy that asks for no fingerprint, or for no heartbeat, never makes a licence invalid', () => {
    for (const own of [{ requireFingerprint: false }, { requireHeartbeat: false }])
      expectOnlyToHelp((of, asked) => ({ facts: withPolicy(of, own), request: asked }));
  });

  it('more days of grace only add validity: what is found stays the same', () => {
    fc.assert(
      fc.property(facts, request, fc.integer({ min: 1, max: 20 }), (of, asked, more) => {
        const was = decide(of, asked, NOW);
        const is = decide(withPolicy(of, { graceDays: of.policy.graceDays + more }), asked, NOW);
        expect(is.findings).toEqual(was.findings);
        expect(is.valid || !was.valid).toBe(true);
      }),
      RUNS,
    );
  });

  it('access after expiry only adds validity: what is found stays the same', () => {
    fc.assert(
      fc.property(facts, request, (of, asked) => {
        const was = decide(of, asked, NOW);
        const is = decide(withPolicy(of, { expirationStrategy: 'ALLOW_ACCESS' }), asked, NOW);
        expect(is.findings).toEqual(was.findings);
        expect(is.valid || !was.valid).toBe(true);
      }),
      RUNS,
    );
  });
});

describe('overage', () => {
  const taken = fc.record({ overageStrategy: fc.constantFrom(...OVERAGES), seats: fc.nat(100) });

  it('is a matter of activation: more of it, and more seats, never change what is valid', () => {
    fc.assert(
      fc.property(facts, request, taken, (of, asked, { seats, overageStrategy }) => {
        const other = withPolicy({ ...of, seats }, { overageStrategy });
        expect(decide(other, asked, NOW).valid).toBe(decide(of, asked, NOW).valid);
      }),
      RUNS,
    );
  });

  it('is said under every strategy that allows it, and under none that does not', () => {
    fc.assert(
      fc.property(facts, request, (of, asked) => {
        const said = decide({ ...of, maxMachines: 2, seats: 3 }, asked, NOW).findings;
        expect(said.includes('MACHINE_LIMIT_EXCEEDED')).toBe(of.policy.overageStrategy !== 'NO_OVERAGE');
      }),
      RUNS,
    );
  });
});

describe('time alone', () => {
  const later = fc.constantFrom(1, MINUTE, HOUR, DAY, 20 * DAY);

  it('makes no invalid licence valid', () => {
    fc.assert(
      fc.property(facts, request, later, (of, asked, ms) => {
        const is = decide(of, asked, NOW + ms);
        if (is.valid) expect(decide(of, asked, NOW).valid).toBe(true);
      }),
      RUNS,
    );
  });

  it('takes nothing back that was found, and EXPIRED least of all', () => {
    fc.assert(
      fc.property(facts, request, later, (of, asked, ms) => {
        const was = decide(of, asked, NOW);
        const is = decide(of, asked, NOW + ms);
        expect(is.findings).toEqual(expect.arrayContaining([...was.findings]));
        if (was.code === 'EXPIRED') expect(is.code).not.toBe('VALID');
      }),
      RUNS,
    );
  });

  it('makes expired what expires, at that millisecond and not before', () => {
    const living = facts.map((of) => ({ ...of, status: 'active' as const }));
    const expired = ({ findings }: Decision): boolean => findings.includes('EXPIRED');
    fc.assert(
      fc.property(living, time, request, (of, expiresAt, asked) => {
        const ending = { ...of, expiresAt };
        expect(expired(decide(ending, asked, expiresAt - 1))).toBe(false);
        expect(expired(decide(ending, asked, expiresAt))).toBe(true);
        expect(expired(decide({ ...of, expiresAt: null }, asked, expiresAt))).toBe(false);
      }),
      RUNS,
    );
  });
});
