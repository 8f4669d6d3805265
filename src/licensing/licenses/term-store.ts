import type { EpochMs } from '../../lib/clock.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import { snapshots } from './license-store.ts';
import type { LicenseSnapshot } from './license.ts';
import { nextNotice, type TermStart } from './term.ts';

/** A term that begins, and what it waited for. */
export interface BegunTerm {
  readonly id: string;
  readonly on: TermStart;
  readonly expiresAt: EpochMs | null;
  readonly now: EpochMs;
}

const BEGIN = statement<BegunTerm>()((db, p) =>
  db
    .updateTable('licenses')
    .set((eb) => ({
      expires_at: p.expiresAt,
      starts_on: null,
      updated_at: p.now,
      version: eb('version', '+', 1),
    }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('starts_on', '=', p.on)
    .where('deleted_at', 'is', null),
);

const ACTIVATED = statement<{ id: string; now: EpochMs }>()((db, p) =>
  db
    .updateTable('licenses')
    .set({ first_activated_at: p.now })
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('first_activated_at', 'is', null),
);

const VALIDATED = statement<{ id: string; now: EpochMs }>()((db, p) =>
  db
    .updateTable('licenses')
    .set({ first_validated_at: p.now })
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('first_validated_at', 'is', null),
);

const BOOK = statement<{ id: string; due: EpochMs | null }>()((db, p) =>
  db
    .updateTable('license_usage')
    .set({ notice_due: p.due })
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.id),
);

const TELL = statement<{ id: string; due: EpochMs; next: EpochMs | null }>()((db, p) =>
  db
    .updateTable('license_usage')
    .set({ notice_due: p.next })
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.id)
    .where('notice_due', '=', p.due),
);

const REVOKING = statement()((db, p) =>
  db
    .selectFrom('policies')
    .select(['id', 'version'])
    .where('realm_id', '=', p.realm)
    .where('deleted_at', 'is', null)
    // Most policies do not revoke, and need not be parsed: what their settings say is looked at by who asks.
    .where('settings', 'like', '%REVOKE%'),
);

/** Begins a term that waits for this. False: it does not wait for it (any more). */
export function storeTerm(tx: RealmTx, begun: BegunTerm): boolean {
  if (tx.run(BEGIN, begun).changes === 0) return false;
  if (begun.on === 'validation') tx.run(VALIDATED, { id: begun.id, now: begun.now });
  bookNotice(tx, begun.id, nextNotice(begun.expiresAt, begun.now));
  return true;
}

/** Notes the first activation of a licence. False: it had one. */
export function markActivated(tx: RealmTx, id: string, now: EpochMs): boolean {
  return tx.run(ACTIVATED, { id, now }).changes === 1;
}

/** Books when it is next to be told that the licence expires; null: never. */
export function bookNotice(tx: RealmTx, id: string, due: EpochMs | null): void {
  tx.run(BOOK, { id, due });
}

/** Puts the next notice in the place of the one that is due. False: another was booked meanwhile. */
export function takeNotice(
  tx: RealmTx,
  notice: { readonly id: string; readonly due: EpochMs; readonly next: EpochMs | null },
): boolean {
  return tx.run(TELL, notice).changes === 1;
}

/** A licence of which it is to be told that it expires, and since when that is due. */
export interface DueNotice extends LicenseSnapshot {
  readonly noticeDue: EpochMs | null;
}

/** Licences with a notice that is due, the longest due first. */
export function dueNotices(reader: RealmReader, due: { now: EpochMs; limit: number }): DueNotice[] {
  return reader.find((db, p) =>
    snapshots(db, p)
      .select('u.notice_due as noticeDue')
      .where('u.realm_id', '=', p.realm)
      .where('u.notice_due', '<=', due.now)
      .orderBy('u.notice_due')
      .limit(due.limit),
  );
}

/** Living policies that may revoke what expires, with their versions. */
export function perhapsRevokingPolicies(
  reader: RealmReader,
): { readonly id: string; readonly version: number }[] {
  return reader.all(REVOKING, {});
}

/** Expired licences of a policy that expired by `until`, the longest expired first, after a place in that order. */
export function lapsedLicenses(
  reader: RealmReader,
  page: {
    readonly policyId: string;
    readonly until: EpochMs;
    readonly after: readonly [EpochMs, number];
    readonly limit: number;
  },
): LicenseSnapshot[] {
  const [lapsedAt, seq] = page.after;
  return reader.find((db, p) =>
    snapshots(db, p)
      .where('l.policy_id', '=', page.policyId)
      .where('l.lapsed_at', '<=', page.until)
      .where('l.lapsed_at', '>=', lapsedAt)
      .where((eb) => eb.or([eb('l.lapsed_at', '>', lapsedAt), eb('l.seq', '>', seq)]))
      .orderBy('l.lapsed_at')
      .orderBy('l.seq')
      .limit(page.limit),
  );
}
