import type { Permit } from '../../access/index.ts';
import type { Outbox } from '../../delivery/outbox.ts';
import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader, Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { refuseCardData } from '../metadata.ts';
import { bookAnew } from '../machines/book-heartbeats.ts';
import { notFound, type Outcome, type Refusal, requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded, Shown } from '../schema.ts';
import { basisHolds, type IssueBasis } from './license-basis-store.ts';
import { type LicenseAction, nextStatus, TRANSITIONS } from './license-states.ts';
import { findLicense } from './license-store.ts';
import { licenseDecides, licenseEvent, licenseView, type LicenseView } from './license-view.ts';
import { moveLicense } from './license-write-store.ts';
import type { LicenseSnapshot, LicenseStatus } from './license.ts';
import { facetsNow, type ReadLicenseDeps, type Viewer, viewerOf } from './show.ts';
import { bookNotice } from './term-store.ts';
import { nextNotice } from './term.ts';

/** What moving licences from state to state needs. */
export interface TransitionDeps extends ReadLicenseDeps {
  readonly work: UnitOfWork;
  readonly outbox: Outbox;
}

/** Which licence, which versions of it the caller accepts, and why; the reason is personal and stays sealed. */
export interface TransitionRequest extends Guarded {
  readonly id: string;
  readonly reason?: string | undefined;
}

/** Where a licence is to stand. */
export interface Destination {
  readonly status: LicenseStatus;
  readonly expiresAt: EpochMs | null;
  readonly startsOn: LicenseSnapshot['startsOn'];
  readonly policyId: string;
  /** The policy it goes to, when that is another one: it has to be there still when the unit runs. */
  readonly basis?: IssueBasis;
}

/** What a plan is made from, read in one turn. */
export interface Planned {
  readonly license: LicenseSnapshot;
  readonly reader: RealmReader;
  readonly now: EpochMs;
  /** The state the table of transitions leads to. */
  readonly status: LicenseStatus;
}

/** An action whose destination is the state alone. */
export type PlainAction = 'suspend' | 'reinstate' | 'revoke' | 'ban';

/**
 * Suspends, reinstates, revokes or bans a licence.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED; CONFLICT naming the state that forbids it; CARD_DATA_REFUSED
 */
export async function changeStatus(
  deps: TransitionDeps,
  permit: Permit,
  request: TransitionRequest & { readonly action: PlainAction },
): Promise<Shown<LicenseView>> {
  const plan = ({ license, status }: Planned): Destination => {
    const { expiresAt, startsOn, policyId } = license;
    return { status, expiresAt, startsOn, policyId };
  };
  return transition(deps, permit, { ...request, plan });
}

/**
 * Moves a licence along one row of the table of transitions.
 * @param request `plan` says where to; what it throws is final. `refuse` is asked inside the unit, about what has no
 *   version
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, CONFLICT, CARD_DATA_REFUSED; whatever `plan` throws
 */
export async function transition(
  deps: TransitionDeps,
  permit: Permit,
  request: TransitionRequest & {
    readonly action: LicenseAction;
    readonly plan: (planned: Planned) => Destination;
    readonly refuse?: (rows: RealmReader, license: LicenseSnapshot) => Refusal | null;
  },
): Promise<Shown<LicenseView>> {
  const { id, action, reason } = request;
  if (reason !== undefined) refuseCardData({ reason });
  return settle(`licence ${id}`, async () => {
    const reader = deps.work.read.in(realmOf(permit));
    const license = findLicense(reader, id);
    if (license === undefined) throw notFound('licence', id);
    requireVersion(`licence ${id}`, license.version, request.versions);
    const now = deps.time.now();
    const next = nextStatus(license, action, now);
    if ('refused' in next) return next;
    const to = request.plan({ license, reader, now, status: next.status });
    return deps.work.run(permit, (tx): Outcome<Shown<LicenseView>> => {
      const refused = request.refuse?.(tx.in(realmOf(permit)), license) ?? null;
      if (refused !== null) return refused;
      const after = moved(deps, tx, { viewer: viewerOf(permit), license, action, to, reason });
      if ('stale' in after) return after;
      permit.remember(tx, after);
      return { done: after };
    });
  });
}

/** One move inside an open unit, with its ledger entry and its event. */
export function moved(
  deps: TransitionDeps,
  tx: Tx,
  move: {
    readonly viewer: Viewer;
    readonly license: LicenseSnapshot;
    readonly action: LicenseAction;
    readonly to: Destination;
    readonly reason?: string | undefined;
  },
): Shown<LicenseView> | typeof STALE {
  const { viewer, license, action, to, reason } = move;
  const { realm } = viewer;
  const rows = tx.in(realm);
  const from = { id: license.id, from: license.status, relied: license.version };
  const { status, basis, ...term } = to;
  if (basis !== undefined && !basisHolds(rows, basis)) return STALE;
  if (!moveLicense(rows, { ...from, to: status, ...term, now: tx.now })) return STALE;
  rebookNotice(tx, realm, { license, to });
  const after = present(findLicense(rows, license.id), 'a licence moved in this unit is there');
  if (basis !== undefined) rebookHeartbeats(deps, tx, { realm, license: after });
  append(tx, {
    realm,
    action: ENTRIES[action],
    target: { kind: 'license', id: license.id },
    before: licenseDecides(license),
    after: licenseDecides(after),
    ...(reason === undefined ? {} : { private: { reason } }),
  });
  const facets = facetsNow(deps, viewer, { reader: rows, license: after });
  deps.outbox.emit(tx, { type: TRANSITIONS[action].event, realm, data: licenseEvent(after, facets) });
  return { view: licenseView(after, facets), version: after.version };
}

/** Under another policy heartbeats may be due earlier than they are booked. */
function rebookHeartbeats(
  { policies }: TransitionDeps,
  tx: Tx,
  { realm, license }: { readonly realm: RealmId; readonly license: LicenseSnapshot },
): void {
  const { policyId: id, policyVersion: version, seats } = license;
  const { settings } = policies.get(tx.in(realm), { realm, id, version });
  if (settings.requireHeartbeat && seats > 0) bookAnew(tx, realm);
}

/** A new term has its notices anew, and so has a licence that is active again; one that rests or ended has none. */
function rebookNotice(
  tx: Tx,
  realm: RealmId,
  { license, to }: { readonly license: LicenseSnapshot; readonly to: Destination },
): void {
  const { status, expiresAt } = to;
  if (status === license.status && expiresAt === license.expiresAt) return;
  bookNotice(tx.in(realm), license.id, status === 'active' ? nextNotice(expiresAt, tx.now) : null);
}

/** What the ledger calls each action. */
const ENTRIES: Readonly<Record<LicenseAction, string>> = {
  suspend: 'license.suspended',
  reinstate: 'license.reinstated',
  renew: 'license.renewed',
  revoke: 'license.revoked',
  ban: 'license.banned',
  expire: 'license.expired',
  transfer: 'license.transferred',
};
