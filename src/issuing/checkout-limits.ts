import { type Permit, refuseFull } from '../access/index.ts';
import type { Outbox } from '../delivery/outbox.ts';
import { append } from '../ledger/append.ts';
import type { EpochMs } from '../lib/clock.ts';
import { invariant } from '../lib/invariant.ts';
import {
  bookHolderCheckout,
  bookLicenseCheckout,
  dayOf,
  holderOf,
  isPublisher,
  type Refusal,
  seatsOfHolder,
  type Standing,
  tenantSuspended,
  untilTomorrow,
} from '../licensing/index.ts';
import type { Tx } from '../storage/tx.ts';
import { countTenantFile, type FileStanding, tellOnce } from './checkout-limits-store.ts';

/**
 * Files that the holder of a licence is given on a day, whatever its seats are: first steps, licences without machines,
 * attempts. Each file leaves a row, an entry and an event for good, so that whoever has the key could fill the disk.
 */
const FILES_OF_ANY = 20;
/** For each seat: the shortest life of a file is an hour, 24 a day, and some to spare. */
const FILES_PER_SEAT = 30;
/** Who asks for a file, when, and what was issued until now. */
export interface FileQuestion {
  readonly permit: Permit;
  readonly files: FileStanding;
  readonly now: EpochMs;
}

/** A refusal by the limit of a licence's holder, and that limit. */
export interface HolderRefusal extends Refusal {
  readonly perDay: number;
}

/** Why no licence of the tenant gets a file; null: they do. */
export function refuseByTenant({ permit, files, now }: FileQuestion): Refusal | null {
  if (holderOf(permit) !== null && files.tenantStatus !== 'active') return tenantSuspended();
  const { maxFilesPerDay: most, tenantDay, tenantFiles } = files;
  const issued = tenantDay === dayOf(now) ? (tenantFiles ?? 0) : 0;
  if (most === null || issued < most) return refuseFull(files);
  const message = `the tenant may issue ${most} files a day in this environment, and has; the next day begins`;
  return untilTomorrow('TENANT_LIMIT', message, now);
}

/**
 * Why the holder of a licence is given no further file today; null: he is, or the caller is the publisher, whose keys have
 * limits of their own.
 */
export function refuseByHolder(question: FileQuestion, standing: Standing): HolderRefusal | null {
  const { permit, files, now } = question;
  const perDay = holderLimit(permit, standing);
  if (perDay === null || files.holderDay !== dayOf(now) || (files.holderFiles ?? 0) < perDay) return null;
  const { id } = standing.license;
  const message = `the holder of licence ${id} may have ${perDay} files a day, and has had them; the next day begins`;
  return { ...untilTomorrow('FILE_LIMIT_EXCEEDED', message, now), perDay };
}

/** Tells of a holder who is at his limit: one entry and one event a day, however often he asks. */
export function tellOfHolder(
  { outbox }: { readonly outbox: Outbox },
  tx: Tx,
  { realm, license, perDay }: Pick<Standing, 'realm' | 'license'> & { readonly perDay: number },
): void {
  const { id } = license;
  if (!tellOnce(tx.in(realm), id, dayOf(tx.now))) return;
  const facts = { limit: 'files', perDay };
  const target = { kind: 'license', id };
  append(tx, { realm, target, action: 'license.file_issued', outcome: 'refused', facts });
  outbox.emit(tx, { type: 'license.limit_reached', realm, data: { id, ...facts, refusals: 1 } });
}

/**
 * Books one file, in the unit that issues it: for its licence, and for whom it counts. The conditions of the statements
 * are those that the unit has looked at before it did anything.
 */
export function bookFile(tx: Tx, { permit, files }: Omit<FileQuestion, 'now'>, standing: Standing): void {
  const rows = tx.in(standing.realm);
  const { id } = standing.license;
  const file = { at: tx.now, day: dayOf(tx.now) };
  const perDay = holderLimit(permit, standing);
  if (perDay === null) bookLicenseCheckout(rows, id, tx.now);
  else invariant(bookHolderCheckout(rows, id, { ...file, limit: perDay }), 'the holder is below his limit');
  const { maxFilesPerDay: limit } = files;
  if (limit !== null) invariant(countTenantFile(rows, { ...file, limit }), 'the tenant is below its limit');
}

/** How many files a day the caller may have of a licence; null: as many as he likes. */
function holderLimit(permit: Permit, standing: Standing): number | null {
  return isPublisher(permit) ? null : FILES_OF_ANY + FILES_PER_SEAT * seatsOfHolder(standing);
}
