import type { EventType } from '../../delivery/index.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { type Refusal, refusal } from '../refusal.ts';
import { type LicenseSnapshot, type LicenseStatus, statusAt } from './license.ts';

/** What can happen to a licence after it was created. */
export type LicenseAction = 'suspend' | 'reinstate' | 'renew' | 'revoke' | 'ban' | 'expire' | 'transfer';

/** From which states an action leads where, and what announces it. */
export interface Transition {
  readonly from: readonly LicenseStatus[];
  /** `same`: the state stays. */
  readonly to: LicenseStatus | 'same';
  readonly event: EventType;
}

/** Every transition there is (domain.md, Licence); whatever is not here is 409. */
export const TRANSITIONS: Readonly<Record<LicenseAction, Transition>> = {
  suspend: { from: ['active'], to: 'suspended', event: 'license.suspended' },
  reinstate: { from: ['suspended'], to: 'active', event: 'license.reinstated' },
  renew: { from: ['active', 'expired'], to: 'active', event: 'license.renewed' },
  revoke: { from: ['active', 'suspended', 'expired'], to: 'revoked', event: 'license.revoked' },
  ban: { from: ['active', 'suspended', 'expired'], to: 'banned', event: 'license.banned' },
  expire: { from: ['active'], to: 'expired', event: 'license.expired' },
  transfer: { from: ['active', 'suspended', 'expired'], to: 'same', event: 'license.updated' },
};

/** What is said of an action that a state does not allow. */
const DONE: Readonly<Record<LicenseAction, string>> = {
  suspend: 'suspended',
  reinstate: 'reinstated',
  renew: 'renewed',
  revoke: 'revoked',
  ban: 'banned',
  expire: 'expired',
  transfer: 'transferred',
};

/**
 * The state an action leads to, or a refusal naming the state that forbids it. A licence whose time has come counts as
 * expired before the sweeper has written so.
 * @param now trusted time
 */
export function nextStatus(
  license: Pick<LicenseSnapshot, 'id' | 'status' | 'expiresAt'>,
  action: LicenseAction,
  now: EpochMs,
): { readonly status: LicenseStatus } | Refusal {
  const { from, to } = TRANSITIONS[action];
  // The sweeper itself looks at what is stored: it is what makes the derived state the stored one.
  const status = action === 'expire' ? license.status : statusAt(license, now);
  if (from.includes(status)) return { status: to === 'same' ? license.status : to };
  return refusal('CONFLICT', `licence ${license.id} is ${status} and cannot be ${DONE[action]}`);
}
