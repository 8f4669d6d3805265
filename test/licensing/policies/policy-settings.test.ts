import { describe, expect, it } from 'vitest';
import {
  checkPolicyOverrides,
  licenseDurationDays,
  type POLICY_TEMPLATES,
  type PolicyOverrides,
  policyOverridesSchema,
  type PolicySettings,
  resolvePolicySettings,
  TEMPLATES_VERSION,
} from '../../../src/licensing/policies/policy-settings.ts';

const PLAIN = { template: null, templateVersion: TEMPLATES_VERSION };
const from = (template: (typeof POLICY_TEMPLATES)[number]) => ({ template, templateVersion: 1 });

/** The table of defaults in the domain's words. */
const DEFAULTS: Omit<PolicySettings, 'maxMachines'> = {
  floating: false,
  maxUses: null,
  maxUniqueFingerprints: null,
  durationDays: null,
  expirationBasis: 'FROM_CREATION',
  expirationStrategy: 'RESTRICT_ACCESS',
  renewalBasis: 'FROM_EXPIRY',
  graceDays: 0,
  requireFingerprint: true,
  fingerprintUniqueness: 'PER_LICENSE',
  fingerprintMatching: 'MATCH_ALL',
  requireHeartbeat: false,
  heartbeatIntervalMinutes: 60,
  heartbeatCullStrategy: 'DEACTIVATE_DEAD',
  machineLeasing: 'PER_LICENSE',
  overageStrategy: 'NO_OVERAGE',
  offlineAllowed: true,
  offlineMaxDays: 14,
  revocationMaxAgeDays: null,
  enforcement: 'BLOCK',
  allowMachineTransfer: false,
  receiptTrust: 'CREDIT',
  receiptCredits: 5,
  onClone: 'FLAG',
  licenseHolderMayDeactivate: false,
  isTrial: false,
  trialDurationDays: null,
  overridable: true,
};

describe('policy settings', () => {
  it('have the documented defaults', () => {
    expect(resolvePolicySettings(PLAIN, { maxMachines: 5 })).toEqual({ ...DEFAULTS, maxMachines: 5 });
  });

  it.each([
    ['desktop_app', { maxMachines: 2, requireFingerprint: true, offlineAllowed: true, offlineMaxDays: 14 }],
    ['cli_tool', { maxMachines: 3, requireFingerprint: true, offlineAllowed: true, offlineMaxDays: 7 }],
    [
      'saas',
      {
        maxMachines: null,
        requireFingerprint: false,
        offlineAllowed: false,
        floating: true,
        requireHeartbeat: true,
        heartbeatIntervalMinutes: 1440,
        durationDays: 30,
        licenseHolderMayDeactivate: true,
      },
    ],
    ['trial', { maxMachines: 1, offlineAllowed: false, isTrial: true, durationDays: 14 }],
  ] as const)('take what the template %s fills in', (template, expected) => {
    expect(resolvePolicySettings(from(template), {})).toMatchObject(expected);
  });

  it.each([null, 'custom'] as const)(
    'want a number of machines without a template that has one (%s)',
    (template) => {
      expect(() => resolvePolicySettings({ template, templateVersion: 1 }, {})).toThrow(
        'maxMachines is required',
      );
    },
  );

  it('put what a policy states itself above its template', () => {
    const stated: PolicyOverrides = { maxMachines: 9, offlineMaxDays: 30 };
    expect(resolvePolicySettings(from('cli_tool'), stated)).toMatchObject(stated);
  });

  it('let who may deactivate follow floating, unless it is stated', () => {
    const follows = resolvePolicySettings(PLAIN, { maxMachines: 1, floating: true });
    expect(follows.licenseHolderMayDeactivate).toBe(true);
    const stated = { maxMachines: 1, floating: true, licenseHolderMayDeactivate: false };
    expect(resolvePolicySettings(PLAIN, stated).licenseHolderMayDeactivate).toBe(false);
  });

  it.each([
    [1, 2],
    [2, 2],
    [7, 7],
  ])('credit offline receipts by the seats: %i machines, %i credits', (maxMachines, receiptCredits) => {
    expect(resolvePolicySettings(PLAIN, { maxMachines }).receiptCredits).toBe(receiptCredits);
  });

  it('cannot be changed by who reads them', () => {
    expect(Object.isFrozen(resolvePolicySettings(PLAIN, { maxMachines: 1 }))).toBe(true);
  });
});

describe('unlimited activations', () => {
  it('need consent in the request that sets them', () => {
    const unlimited = { maxMachines: null };
    expect(() => checkPolicyOverrides(PLAIN, unlimited, false)).toThrow('allowUnlimitedActivations');
    expect(checkPolicyOverrides(PLAIN, unlimited, true).maxMachines).toBeNull();
  });

  it('need none when the template says so', () => {
    expect(checkPolicyOverrides(from('saas'), {}, false).maxMachines).toBeNull();
  });
});

describe('settings that contradict each other', () => {
  it.each([
    [{ maxMachines: 3, maxUniqueFingerprints: 2 }, 'maxUniqueFingerprints'],
    [{ maxMachines: 3, trialDurationDays: 7 }, 'trialDurationDays'],
  ] as const)('are refused, naming the field: %o', (overrides, path) => {
    try {
      checkPolicyOverrides(PLAIN, overrides, false);
      expect.unreachable();
    } catch (fault) {
      expect(fault).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ path }] });
    }
  });

  it('are all named at once', () => {
    const overrides = { maxMachines: 3, maxUniqueFingerprints: 2, trialDurationDays: 7 };
    expect(() => checkPolicyOverrides(PLAIN, overrides, false)).toThrow(
      /maxUniqueFingerprints.*trialDurationDays/,
    );
  });
});

describe('the duration of a licence', () => {
  it.each([
    [{ maxMachines: 1 }, null],
    [{ maxMachines: 1, durationDays: 30 }, 30],
    [{ maxMachines: 1, durationDays: 30, isTrial: true }, 30],
    [{ maxMachines: 1, durationDays: 30, isTrial: true, trialDurationDays: 7 }, 7],
    [{ maxMachines: 1, isTrial: true, trialDurationDays: 7 }, 7],
  ])('follows from %o: %s days', (overrides, days) => {
    expect(licenseDurationDays(resolvePolicySettings(PLAIN, overrides))).toBe(days);
  });
});

describe('the ranges of settings', () => {
  it.each([
    { maxMachines: 0 },
    { maxMachines: 1.5 },
    { offlineMaxDays: 3651 },
    { offlineMaxDays: 0 },
    { durationDays: 36_501 },
    { heartbeatIntervalMinutes: 0 },
    { graceDays: -1 },
    { enforcement: 'block' },
    { unknown: true },
  ])('refuse %o', (overrides) => {
    expect(policyOverridesSchema.safeParse(overrides).success).toBe(false);
  });
});
