import type { Sealer } from '../../custody/sealer.ts';
import type { Outbox } from '../../delivery/outbox.ts';
import type { EventType } from '../../delivery/index.ts';
import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { invariant, present } from '../../lib/invariant.ts';
import type { Tx } from '../../storage/tx.ts';
import { codesAt } from '../validation/decide.ts';
import type { Standing } from '../validation/standing.ts';
import { openPersonal } from './license-sealing.ts';
import { findLicense } from './license-store.ts';
import { licenseDecides, licenseEvent } from './license-view.ts';

import type { LicenseSnapshot } from './license.ts';
import { markActivated, storeTerm } from './term-store.ts';
import { startedTerm } from './term.ts';

/** What starting terms needs. */
export interface StartTermDeps {
  readonly outbox: Outbox;
  readonly sealer: Sealer;
}

/** The standing of a licence whose term waits, read in the very unit, and the time that the term is counted from. */
export interface TermBeginning {
  readonly standing: Standing;
  readonly from: EpochMs;
}

/**
 * The standing as it is once the term has begun: what a file is laid out from before the unit makes it true. Unchanged
 * when the term does not wait. Pure.
 */
export function withTermBegun({ standing, from }: TermBeginning): Standing {
  const { license, policy, facts } = standing;
  if (license.startsOn === null) return standing;
  const term = startedTerm(policy, from);
  return { ...standing, license: { ...license, ...term }, facts: { ...facts, expiresAt: term.expiresAt } };
}

/**
 * Begins the term of a licence inside a unit of the caller, with its ledger entry and event. Of two that would begin it
 * the second finds it begun: units run one after the other.
 */
export function startTerm(deps: StartTermDeps, tx: Tx, { standing, from }: TermBeginning): void {
  const { realm, license, policy } = standing;
  const on = present(license.startsOn, 'a term that is begun has waited');
  const { expiresAt } = startedTerm(policy, from);
  const stored = storeTerm(tx.in(realm), { id: license.id, on, expiresAt, now: tx.now });
  invariant(stored, 'a term that waits in the standing of this unit waits in its row');
  const after = licenseNow(tx, standing);
  append(tx, {
    ...{ realm, action: 'license.term_started', target: { kind: 'license', id: license.id } },
    before: licenseDecides(license),
    after: licenseDecides(after),
    facts: { on },
  });
  announce(deps, tx, { standing, type: 'license.updated' });
}

/** Notes the first machine of a licence, and begins the term that waited for it; nothing when there was one before. */
export function firstActivation(deps: StartTermDeps, tx: Tx, beginning: TermBeginning): void {
  const { standing } = beginning;
  const { license, realm } = standing;
  if (license.startsOn === 'activation') startTerm(deps, tx, beginning);
  if (license.firstActivatedAt !== null || !markActivated(tx.in(realm), license.id, tx.now)) return;
  announce(deps, tx, { standing, type: 'license.activated' });
}

function announce(
  { outbox, sealer }: StartTermDeps,
  tx: Tx,
  { standing, type }: { readonly standing: Standing; readonly type: EventType },
): void {
  const { realm } = standing;
  const license = licenseNow(tx, standing);
  const personal = openPersonal(sealer, realm, license);
  const facets = { personal, entitlements: codesAt(standing.entitlements, tx.now), now: tx.now };
  outbox.emit(tx, { type, realm, data: licenseEvent(license, facets) });
}

function licenseNow(tx: Tx, { realm, license }: Standing): LicenseSnapshot {
  return present(findLicense(tx.in(realm), license.id), 'the licence of a standing of this unit is there');
}
