import { z } from 'zod';
import { Fault, type FieldError } from '../../faults.ts';
import { present } from '../../lib/invariant.ts';

/** A hundred years: an expiry stays a four-digit year, and no sum of times leaves the exact integers. */
const DAYS_MAX = 36_500;
const COUNT_MAX = 1_000_000_000;
const OFFLINE_DAYS_MAX = 3650;
const MINUTES_MAX = 525_600;

const days = () => z.int().min(1).max(DAYS_MAX);
const count = () => z.int().min(1).max(COUNT_MAX);

/** Every setting of a policy, with its range; the same rows check requests, type the code and document the API. */
export const POLICY_FIELDS = {
  maxMachines: count()
    .nullable()
    .describe('Seats; null (unlimited) only together with allowUnlimitedActivations: true'),
  floating: z
    .boolean()
    .describe(
      'A deactivated seat can be used by another machine: at once, or when the newest file of the removed one expires',
    ),
  maxUses: count().nullable().describe('Cap on successful validations'),
  maxUniqueFingerprints: count()
    .nullable()
    .describe('Cap on distinct fingerprints over the life of a licence'),
  durationDays: days()
    .nullable()
    .describe('Days until expiry, counted from expirationBasis; null: perpetual'),
  expirationBasis: z.enum(['FROM_CREATION', 'FROM_FIRST_ACTIVATION', 'FROM_FIRST_VALIDATION']),
  expirationStrategy: z
    .enum(['RESTRICT_ACCESS', 'ALLOW_ACCESS', 'REVOKE'])
    .describe('Expired: invalid, valid with code EXPIRED, or revoked for good'),
  renewalBasis: z.enum(['FROM_EXPIRY', 'FROM_NOW', 'FROM_NOW_IF_EXPIRED']),
  graceDays: z.int().min(0).max(DAYS_MAX).describe('After expiry, still valid with code EXPIRED'),
  requireFingerprint: z.boolean().describe('Validation needs a fingerprint'),
  fingerprintUniqueness: z
    .enum(['PER_LICENSE', 'PER_POLICY', 'PER_PRODUCT', 'PER_REALM'])
    .describe('Where one machine may appear only once'),
  fingerprintMatching: z
    .enum(['MATCH_ALL', 'MATCH_MOST', 'MATCH_TWO', 'MATCH_ANY'])
    .describe('How many identifying components recognise a machine whose hardware changed; MATCH_ALL: none'),
  requireHeartbeat: z.boolean(),
  heartbeatIntervalMinutes: z.int().min(1).max(MINUTES_MAX),
  heartbeatCullStrategy: z.enum(['DEACTIVATE_DEAD', 'KEEP_DEAD']),
  machineLeasing: z.enum(['PER_LICENSE', 'PER_USER']).describe('What a seat is counted per'),
  overageStrategy: z
    .enum(['NO_OVERAGE', 'ALLOW_1_25X', 'ALLOW_1_5X', 'ALLOW_2X', 'ALWAYS_ALLOW'])
    .describe('Seats beyond maxMachines: that many times the limit, rounded down'),
  offlineAllowed: z.boolean().describe('Checkout of files allowed'),
  offlineMaxDays: z.int().min(1).max(OFFLINE_DAYS_MAX).describe('Longest life of a checked-out file'),
  revocationMaxAgeDays: days().nullable().describe('A file refuses itself when its revocation list is older'),
  enforcement: z
    .enum(['BLOCK', 'DEGRADE', 'LOG_ONLY'])
    .describe('Advice to the client, signed into files and answers'),
  allowMachineTransfer: z.boolean().describe('Deactivate here, activate elsewhere (non-floating)'),
  receiptTrust: z.enum(['CREDIT', 'AT_EXPIRY', 'FULL']),
  receiptCredits: z.int().min(0).max(COUNT_MAX).describe('Default: the larger of 2 and maxMachines'),
  onClone: z.enum(['ALLOW', 'FLAG', 'REFUSE']),
  licenseHolderMayDeactivate: z.boolean().describe('Default: as floating'),
  isTrial: z.boolean(),
  trialDurationDays: days().nullable().describe('Days of a trial; null: durationDays'),
  overridable: z.boolean().describe('A licence may override maxMachines and maxUses'),
} as const;

/** All settings of a policy, resolved: nothing is absent any more. Frozen; shared by all readers of one version. */
export type PolicySettings = Readonly<z.infer<z.ZodObject<typeof POLICY_FIELDS>>>;

/**
 * What a policy sets itself, as JSON: request members, and the column `settings`. Everything else follows from its
 * template and the defaults.
 */
export const policyOverridesSchema = z.strictObject(POLICY_FIELDS).partial();

/** The settings a policy states itself; a member that is absent takes its default. */
export type PolicyOverrides = Partial<PolicySettings>;

/** Names of policy templates. */
export const POLICY_TEMPLATES = ['desktop_app', 'cli_tool', 'saas', 'trial', 'custom'] as const;

/** A named set of defaults. */
export type PolicyTemplate = (typeof POLICY_TEMPLATES)[number];

/** Defaults of every policy. The three that are missing follow from others: see `resolvePolicySettings`. */
const DEFAULTS = {
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
  onClone: 'FLAG',
  isTrial: false,
  trialDurationDays: null,
  overridable: true,
} as const satisfies Partial<PolicySettings>;

/** The version new policies are made with; a policy keeps the defaults of the version it was made with. */
export const TEMPLATES_VERSION = 1;

/** What each template fills in, by version of this table. A published version never changes: add the next one. */
const TEMPLATES: Readonly<Record<number, Readonly<Record<PolicyTemplate, Partial<PolicySettings>>>>> = {
  1: {
    desktop_app: { maxMachines: 2, requireFingerprint: true, offlineAllowed: true, offlineMaxDays: 14 },
    cli_tool: { maxMachines: 3, requireFingerprint: true, offlineAllowed: true, offlineMaxDays: 7 },
    saas: {
      maxMachines: null,
      requireFingerprint: false,
      offlineAllowed: false,
      floating: true,
      requireHeartbeat: true,
      heartbeatIntervalMinutes: 1440,
      durationDays: 30,
    },
    trial: {
      maxMachines: 1,
      requireFingerprint: true,
      offlineAllowed: false,
      durationDays: 14,
      isTrial: true,
    },
    custom: { requireFingerprint: true, offlineAllowed: true, offlineMaxDays: 14 },
  },
};

/** Where a policy's defaults come from. */
export interface PolicyBasis {
  readonly template: PolicyTemplate | null;
  /** Version of the table of templates. */
  readonly templateVersion: number;
}

/**
 * The complete settings of a policy: its own over its template's over everybody's.
 * @throws Fault VALIDATION_FAILED when neither the policy nor its template says how many machines are allowed.
 */
export function resolvePolicySettings(basis: PolicyBasis, overrides: PolicyOverrides): PolicySettings {
  const template = basis.template === null ? {} : templateRow(basis);
  const stated = { ...DEFAULTS, ...template, ...overrides };
  const { maxMachines, floating } = stated;
  if (maxMachines === undefined) throw invalid([MACHINES_REQUIRED]);
  return Object.freeze({
    ...stated,
    maxMachines,
    receiptCredits: stated.receiptCredits ?? Math.max(2, maxMachines ?? 0),
    licenseHolderMayDeactivate: stated.licenseHolderMayDeactivate ?? floating,
  });
}

/**
 * Checks settings that a request is about to store.
 * @param allowUnlimited whether `maxMachines: null` is meant: the request's `allowUnlimitedActivations`
 * @returns the resolved settings
 * @throws Fault VALIDATION_FAILED for settings that contradict each other, naming each
 */
export function checkPolicyOverrides(
  basis: PolicyBasis,
  overrides: PolicyOverrides,
  allowUnlimited: boolean,
): PolicySettings {
  const settings = resolvePolicySettings(basis, overrides);
  const unlimited = overrides.maxMachines === null && !allowUnlimited ? [CONSENT_REQUIRED] : [];
  const errors = [...unlimited, ...contradictions(settings)];
  if (errors.length > 0) throw invalid(errors);
  return settings;
}

/** The overrides among the members of a parsed request body, without members that are only nominally there. */
export function policyOverridesOf(members: z.infer<typeof policyOverridesSchema>): PolicyOverrides {
  const stated = Object.entries(members).filter(
    ([name, value]) => name in POLICY_FIELDS && value !== undefined,
  );
  return Object.fromEntries(stated);
}

/** How long a new licence lasts, in days; null: for ever. */
export function licenseDurationDays(settings: PolicySettings): number | null {
  return settings.isTrial ? (settings.trialDurationDays ?? settings.durationDays) : settings.durationDays;
}

const problem = (path: keyof PolicySettings, message: string): FieldError => ({
  path,
  code: 'POLICY_SETTING',
  message,
});

const MACHINES_REQUIRED = problem(
  'maxMachines',
  'maxMachines is required: give a number, or null with allowUnlimitedActivations: true, or choose a template',
);
const CONSENT_REQUIRED = problem(
  'maxMachines',
  'maxMachines null means unlimited activations and needs allowUnlimitedActivations: true in the same request',
);

function contradictions(settings: PolicySettings): FieldError[] {
  const { maxMachines, maxUniqueFingerprints, isTrial, trialDurationDays } = settings;
  const errors: FieldError[] = [];
  if (maxUniqueFingerprints !== null && maxMachines !== null && maxUniqueFingerprints < maxMachines) {
    errors.push(
      problem(
        'maxUniqueFingerprints',
        `maxUniqueFingerprints ${maxUniqueFingerprints} is below maxMachines ${maxMachines}: some seats could never be used`,
      ),
    );
  }
  if (!isTrial && trialDurationDays !== null) {
    errors.push(problem('trialDurationDays', 'trialDurationDays needs isTrial: true'));
  }
  return errors;
}

function templateRow({ template, templateVersion }: PolicyBasis): Partial<PolicySettings> {
  const rows = present(TEMPLATES[templateVersion], 'a policy was made with a known version of the templates');
  return template === null ? {} : rows[template];
}

function invalid(errors: readonly FieldError[]): Fault {
  return new Fault('VALIDATION_FAILED', errors.map(({ message }) => message).join('; '), { errors });
}
