import type { Outbox } from '../../delivery/outbox.ts';
import { present } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { findLicense } from './license-store.ts';
import { licenseEvent } from './license-view.ts';
import { facetsNow, type ReadLicenseDeps } from './show.ts';
import { dueNotices, takeNotice } from './term-store.ts';
import { nextNotice, noticeAt } from './term.ts';

/** Name of the job, and the request id of what it announces. */
export const ANNOUNCE_JOB = 'announce-expiry';

/** What announcing needs. */
export interface AnnounceDeps extends ReadLicenseDeps {
  readonly work: Pick<UnitOfWork, 'keep' | 'read'>;
  readonly outbox: Outbox;
}

/** Rows read at a time and written by one unit, and rows of one run; the next run takes the rest. */
const SLICE = 50;
const ROWS_PER_RUN = 10_000;

/**
 * Announces licences that will expire: 30, 14, 7 and 1 days before. Each once in a term: when the next notice is due is
 * stored beside the licence, and moves on in the unit that stores the event, so that neither a restart nor a step of
 * the clock tells one twice. After a standstill only the newest of those that were missed is told.
 * @param realm given by a job's walk over all realms
 * @returns how many
 */
export async function announceExpiry(deps: AnnounceDeps, realm: RealmId): Promise<number> {
  let told = 0;
  for (let seen = 0; seen < ROWS_PER_RUN; seen += SLICE) {
    const page = dueNotices(deps.work.read.in(realm), { now: deps.time.now(), limit: SLICE });
    const due = page.map(({ id, noticeDue }) => ({ id, due: present(noticeDue, 'a due notice has a time') }));
    told += await deps.work.keep(ANNOUNCE_JOB, (tx) => {
      return due.filter((notice) => tell(deps, tx, { realm, ...notice })).length;
    });
    if (page.length < SLICE) break;
  }
  return told;
}

/** False: it was told, or the term has changed in between, or the licence is not active or has expired meanwhile. */
function tell(
  deps: AnnounceDeps,
  tx: Tx,
  { realm, id, due }: { readonly realm: RealmId; readonly id: string; readonly due: number },
): boolean {
  const reader = tx.in(realm);
  const license = findLicense(reader, id);
  if (license === undefined) return false;
  const next = license.status === 'active' ? nextNotice(license.expiresAt, tx.now) : null;
  if (!takeNotice(reader, { id, due, next })) return false;
  const days = license.expiresAt === null ? null : noticeAt(license.expiresAt, tx.now);
  if (license.status !== 'active' || days === null) return false;
  const facets = facetsNow(deps, { realm, reveal: false }, { reader, license });
  const data = { ...licenseEvent(license, facets), withinDays: days };
  deps.outbox.emit(tx, { type: 'license.expiring_soon', realm, data });
  return true;
}
