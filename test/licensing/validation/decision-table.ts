import type { RowOf } from '../../support/covering-rows.ts';

/**
 * Everything a validation can look at, with values at both sides of every border. Times are told in milliseconds before
 * the moment of the validation; a negative one lies ahead.
 */
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/** What the decision rests on. */
export const INTERACTING = {
  status: ['active', 'suspended', 'expired', 'revoked', 'banned'],
  expired: ['never', -1, 0, DAY, 2 * DAY, 10 * DAY],
  graceDays: [0, 2],
  expirationStrategy: ['RESTRICT_ACCESS', 'ALLOW_ACCESS', 'REVOKE'],
  requireFingerprint: [true, false],
  fingerprint: ['not sent', 'of no machine', 'of the machine'],
  /** Identifying components that are equal, of four that can be compared. */
  equalComponents: ['none sent', 4, 3, 2, 1, 0],
  fingerprintMatching: ['MATCH_ALL', 'MATCH_MOST', 'MATCH_TWO', 'MATCH_ANY'],
  requireHeartbeat: [true, false],
  heartbeatIntervalMinutes: [5, 60],
  lastSeen: [0, 6 * MINUTE, 6 * MINUTE + 1, 66 * MINUTE, 66 * MINUTE + 1],
  markedDead: [false, true],
  applianceReady: [30 * DAY, 5 * MINUTE],
  maxMachines: [2, null],
  seats: [1, 2, 3, 9],
  overageStrategy: ['NO_OVERAGE', 'ALLOW_1_25X', 'ALLOW_1_5X', 'ALLOW_2X', 'ALWAYS_ALLOW'],
  maxUses: [3, null],
  uses: [0, 2, 3, 4],
  /** The entitlement `pro`: when it ended, and whether it is held a second time, for good. */
  holdsPro: ['no', 'for good', 'for a while', 'ended now', 'ended once and for good'],
  asksFor: ['nothing', 'pro', 'pro and export', 'export'],
} as const;

/** Settings that say how a licence may be used, and nothing of whether it is valid. */
export const BYSTANDERS = {
  floating: [false, true],
  machineLeasing: ['PER_LICENSE', 'PER_USER'],
  heartbeatCullStrategy: ['DEACTIVATE_DEAD', 'KEEP_DEAD'],
  enforcement: ['BLOCK', 'DEGRADE', 'LOG_ONLY'],
  fingerprintUniqueness: ['PER_LICENSE', 'PER_REALM'],
  renewalBasis: ['FROM_EXPIRY', 'FROM_NOW', 'FROM_NOW_IF_EXPIRED'],
  durationDays: [null, 1],
  offlineAllowed: [true, false],
  allowMachineTransfer: [false, true],
  onClone: ['ALLOW', 'FLAG', 'REFUSE'],
  isTrial: [false, true],
  overridable: [true, false],
} as const;

/** A licence, a machine and a question, in the words of the rules. */
export type Situation = RowOf<typeof INTERACTING>;

/** Nothing is against it: the machine of the licence asks for nothing in particular. */
export const GOOD: Situation = {
  ...{ status: 'active', expired: 'never', graceDays: 0, expirationStrategy: 'RESTRICT_ACCESS' },
  ...{ requireFingerprint: true, fingerprint: 'of the machine' },
  ...{ equalComponents: 'none sent', fingerprintMatching: 'MATCH_ALL' },
  ...{ requireHeartbeat: false, heartbeatIntervalMinutes: 60, lastSeen: 0, markedDead: false },
  ...{ applianceReady: 30 * DAY, maxMachines: 2, seats: 1, overageStrategy: 'NO_OVERAGE' },
  ...{ maxUses: null, uses: 0, holdsPro: 'no', asksFor: 'nothing' },
};

/** The order of precedence, as the domain states it. */
const PRECEDENCE = [
  'NOT_FOUND',
  'BANNED',
  'REVOKED',
  'SUSPENDED',
  'EXPIRED',
  'FINGERPRINT_REQUIRED',
  'FINGERPRINT_NOT_FOUND',
  'HEARTBEAT_REQUIRED',
  'MACHINE_LIMIT_EXCEEDED',
  'ENTITLEMENTS_MISSING',
  'USES_EXCEEDED',
] as const;

/** When a code is found, and whether it makes the licence invalid. */
interface Rule {
  readonly code: (typeof PRECEDENCE)[number];
  readonly weight: 'blocking' | 'remark';
  readonly when: { readonly [Setting in keyof Situation]?: readonly Situation[Setting][] };
}

/** Its time has come; with 2 days of grace, the grace is not yet over. */
const OVER = [0, DAY, 2 * DAY, 10 * DAY] as const;
const IN_GRACE = [0, DAY] as const;
const BEYOND_GRACE = [2 * DAY, 10 * DAY] as const;
const RESTRICTING = ['RESTRICT_ACCESS', 'REVOKE'] as const;
/** The machine that asks is one of the licence's, and has to be alive. */
const BEATING = { requireHeartbeat: [true], fingerprint: ['of the machine'] } as const;
/** The machine that asks has the fingerprint of one of the licence's. */
const KNOWN = { fingerprint: ['of the machine'] } as const;

/** The rules, each on a line of its own; a code is found when one of its lines holds. */
const RULES: readonly Rule[] = [
  { code: 'BANNED', weight: 'blocking', when: { status: ['banned'] } },
  { code: 'REVOKED', weight: 'blocking', when: { status: ['revoked'] } },
  { code: 'SUSPENDED', weight: 'blocking', when: { status: ['suspended'] } },

  { code: 'EXPIRED', weight: 'remark', when: { expired: OVER, expirationStrategy: ['ALLOW_ACCESS'] } },
  {
    code: 'EXPIRED',
    weight: 'remark',
    when: { expired: IN_GRACE, graceDays: [2], expirationStrategy: RESTRICTING },
  },
  {
    code: 'EXPIRED',
    weight: 'blocking',
    when: { expired: BEYOND_GRACE, graceDays: [2], expirationStrategy: RESTRICTING },
  },
  {
    code: 'EXPIRED',
    weight: 'blocking',
    when: { expired: OVER, graceDays: [0], expirationStrategy: RESTRICTING },
  },

  {
    code: 'FINGERPRINT_REQUIRED',
    weight: 'blocking',
    when: { requireFingerprint: [true], fingerprint: ['not sent'] },
  },

  { code: 'FINGERPRINT_NOT_FOUND', weight: 'blocking', when: { fingerprint: ['of no machine'] } },
  // All of four; more than half of four, rounded up; two; one.
  ...(
    [
      ['MATCH_ALL', [0, 1, 2, 3]],
      ['MATCH_MOST', [0, 1, 2]],
      ['MATCH_TWO', [0, 1]],
      ['MATCH_ANY', [0]],
    ] as const
  ).map(([matching, tooFew]): Rule => {
    const when = { ...KNOWN, fingerprintMatching: [matching], equalComponents: tooFew };
    return { code: 'FINGERPRINT_NOT_FOUND', weight: 'blocking', when };
  }),

  { code: 'HEARTBEAT_REQUIRED', weight: 'blocking', when: { ...BEATING, markedDead: [true] } },
  // Five minutes and one more: the slack is never less than 60 seconds. An appliance just started has heard of nobody yet.
  {
    code: 'HEARTBEAT_REQUIRED',
    weight: 'blocking',
    when: {
      ...BEATING,
      heartbeatIntervalMinutes: [5],
      lastSeen: [6 * MINUTE + 1, 66 * MINUTE, 66 * MINUTE + 1],
      applianceReady: [30 * DAY],
    },
  },
  // An hour and a tenth of it.
  {
    code: 'HEARTBEAT_REQUIRED',
    weight: 'blocking',
    when: {
      ...BEATING,
      heartbeatIntervalMinutes: [60],
      lastSeen: [66 * MINUTE + 1],
      applianceReady: [30 * DAY],
    },
  },

  {
    code: 'MACHINE_LIMIT_EXCEEDED',
    weight: 'remark',
    when: {
      overageStrategy: ['ALLOW_1_25X', 'ALLOW_1_5X', 'ALLOW_2X', 'ALWAYS_ALLOW'],
      maxMachines: [2],
      seats: [3, 9],
    },
  },

  {
    code: 'ENTITLEMENTS_MISSING',
    weight: 'blocking',
    when: { asksFor: ['pro'], holdsPro: ['no', 'ended now'] },
  },
  { code: 'ENTITLEMENTS_MISSING', weight: 'blocking', when: { asksFor: ['pro and export', 'export'] } },

  { code: 'USES_EXCEEDED', weight: 'blocking', when: { maxUses: [3], uses: [3, 4] } },
];

/** What the rules say of a situation. */
export interface Expected {
  readonly valid: boolean;
  readonly code: string;
  readonly findings: readonly string[];
}

/** Reads the table: valid when nothing blocks; the code is the first that blocks, else the first that is said. */
export function expectedOf(situation: Situation): Expected {
  const found = RULES.filter(({ when }) => holds(when, situation));
  const inOrder = (codes: readonly string[]): string[] =>
    PRECEDENCE.filter((code) => codes.includes(code)).map(String);
  const findings = inOrder(found.map(({ code }) => code));
  const [blocking] = inOrder(found.filter(({ weight }) => weight === 'blocking').map(({ code }) => code));
  return { valid: blocking === undefined, code: blocking ?? findings[0] ?? 'VALID', findings };
}

function holds(when: Rule['when'], situation: Situation): boolean {
  return Object.entries(when).every(([setting, values]) =>
    // A key of the rule is a key of the situation.
    (values as readonly unknown[]).includes(situation[setting as keyof Situation]),
  );
}

/** The sweeper writes `expired` of a licence whose time has come, and of no other. */
export function cannotBe({ status, expired }: Partial<Situation>): boolean {
  return status === 'expired' && (expired === 'never' || expired === -1);
}
