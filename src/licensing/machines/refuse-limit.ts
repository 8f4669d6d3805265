import type { Outbox } from '../../delivery/outbox.ts';
import { append } from '../../ledger/append.ts';
import { present } from '../../lib/invariant.ts';
import type { Tx } from '../../storage/tx.ts';
import { type Refusal, refusal } from '../refusal.ts';
import type { Standing } from '../validation/standing.ts';
import type { LimitKind, LimitNotices } from './limit-notices.ts';

/** What telling of limits needs. */
export interface LimitNoticeDeps {
  readonly outbox: Outbox;
  readonly limitNotices: LimitNotices;
}

/** Refuses a machine for which there is no seat. @param full `seats`: taken of what the limit counts */
export function refuseSeat(
  deps: LimitNoticeDeps,
  tx: Tx,
  full: { readonly standing: Standing; readonly seats: number },
): Refusal {
  const { standing, seats } = full;
  const maxMachines = present(standing.facts.maxMachines, 'only a limited licence runs out of seats');
  tell(deps, tx, { standing, limit: 'machines', figures: { maxMachines, seats } });
  const { id } = standing.license;
  const whose = standing.policy.machineLeasing === 'PER_USER' ? ' for this user' : '';
  const taken = `${seats} of ${maxMachines} are taken`;
  return refusal('MACHINE_LIMIT_EXCEEDED', `licence ${id} has no free seat${whose}: ${taken}`);
}

/** Refuses a machine that is one more than the licence may have in its life. */
export function refuseFingerprints(
  deps: LimitNoticeDeps,
  tx: Tx,
  full: { readonly standing: Standing; readonly cap: number; readonly fingerprints: number },
): Refusal {
  const { standing, cap, fingerprints } = full;
  const figures = { maxUniqueFingerprints: cap, fingerprints };
  tell(deps, tx, { standing, limit: 'fingerprints', figures });
  const { id } = standing.license;
  return refusal(
    'FINGERPRINT_LIMIT_EXCEEDED',
    `licence ${id} has had ${cap} different machines, as many as it may`,
  );
}

/** Says that the first seat beyond the limit was given: nothing is refused, and nothing is said of the next. */
export function tellOfOverage(
  { outbox }: LimitNoticeDeps,
  tx: Tx,
  { standing, seats }: { readonly standing: Standing; readonly seats: number },
): void {
  const { realm, license, facts } = standing;
  const data = { id: license.id, limit: 'machines', maxMachines: facts.maxMachines, seats, refusals: 0 };
  outbox.emit(tx, { type: 'license.limit_reached', realm, data });
}

interface Told {
  readonly standing: Standing;
  readonly limit: LimitKind;
  readonly figures: Readonly<Record<string, number>>;
}

/** An entry and an event for the refusals of a minute. */
function tell({ outbox, limitNotices }: LimitNoticeDeps, tx: Tx, { standing, limit, figures }: Told): void {
  const { realm, license } = standing;
  const of = { realm, licenseId: license.id, limit };
  const refusals = limitNotices.due(of, tx.now);
  if (refusals === null) return;
  const target = { kind: 'license', id: license.id };
  const facts = { limit, ...figures, refusals };
  append(tx, { realm, target, action: 'machine.activate', outcome: 'refused', facts });
  outbox.emit(tx, { type: 'license.limit_reached', realm, data: { id: license.id, ...facts } });
  tx.afterCommit(() => limitNotices.told(of, tx.now));
}
