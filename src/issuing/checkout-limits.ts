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
import type { RealmId } from '../storage/realm-scope.ts';
import type { Tx } from '../storage/tx.ts';
import { countTenantFile, type FileStanding, tellOfTenantOnce, tellOnce } from './checkout-limits-store.ts';

/**
 * Files that the holder of a licence is given on a day, whatever its seats are: first steps, licences without machines,
 * attempts. Each file leaves a row, an entry and an event for good, so that whoever has the key could fill the disk.
 */
const FILES_OF_ANY = 20;
/** For each seat: the shortest life of a file is an hour, 24 a day, and some to spare. */
const FILES_PER_SEAT = 30;
/**
 * Of the files that a tenant may issue on a day, one in so many is kept from licences that had some already, so that one
 * licence key in the wrong hands stops neither the others nor the publisher; half of them for the publisher alone.
 */
const KEPT_FOR_QUIET = 4;
const KEPT_FOR_PUBLISHER = 8;
/** Files on a day with which a licence is quiet. */
const QUIET_FILES = 3;

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

/** A refusal by the limit of the tenant, and that limit. */
export interface TenantRefusal extends Refusal {
  readonly perDay: number;
}

/** Why no licence of the tenant gets a file of this caller; null: they do. */
export function refuseClosed({ permit, files }: FileQuestion): Refusal | null {
  if (holderOf(permit) !== null && files.tenantStatus !== 'active') return tenantSuspended();
  return refuseFull(files, 1, isPublisher(permit) ? 'publisher' : 'holder');
}

/** Why the tenant has no file of today left for this caller; null: it has. */
export function refuseByTenant(question: FileQuestion): TenantRefusal | null {
  const { files, now } = question;
  const { maxFilesPerDay: perDay, tenantDay, tenantFiles } = files;
  if (perDay === null) return null;
  const issued = tenantDay === dayOf(now) ? (tenantFiles ?? 0) : 0;
  const share = shareOf(question, perDay);
  if (issued < share) return null;
  const rest = share < perDay ? `, and the last ${perDay - share} are kept` : ', and has';
  const message = `the tenant may issue ${perDay} files a day in this environment${rest}; the next day begins`;
  return { ...untilTomorrow('TENANT_LIMIT', message, now), perDay };
}

/** How many of the tenant's files of a day may be issued when it is this caller's turn. */
function shareOf({ permit, files, now }: FileQuestion, perDay: number): number {
  if (isPublisher(permit)) return perDay;
  const own = files.holderDay === dayOf(now) ? (files.holderFiles ?? 0) : 0;
  return perDay - Math.floor(perDay / (own < QUIET_FILES ? KEPT_FOR_PUBLISHER : KEPT_FOR_QUIET));
}

/** Tells that the tenant's files of the day are used up as far as they are anybody's: one entry and one event a day. */
export function tellOfTenant(
  { outbox }: { readonly outbox: Outbox },
  tx: Tx,
  told: { readonly realm: RealmId; readonly tenantId: string; readonly perDay: number },
): void {
  const { realm, tenantId: id, perDay } = told;
  if (!tellOfTenantOnce(tx.in(realm), dayOf(tx.now))) return;
  const facts = { limit: 'files', perDay };
  const target = { kind: 'tenant', id };
  append(tx, { realm, target, action: 'license.file_issued', outcome: 'refused', facts });
  outbox.emit(tx, { type: 'tenant.limit_reached', realm, data: { id, ...facts } });
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
export function bookFile(
  tx: Tx,
  { permit, files, until }: Omit<FileQuestion, 'now'> & { readonly until: EpochMs },
  standing: Standing,
): void {
  const rows = tx.in(standing.realm);
  const { id } = standing.license;
  const file = { at: tx.now, until, day: dayOf(tx.now) };
  const perDay = holderLimit(permit, standing);
  if (perDay === null) bookLicenseCheckout(rows, id, file);
  else invariant(bookHolderCheckout(rows, id, { ...file, limit: perDay }), 'the holder is below his limit');
  const { maxFilesPerDay: limit } = files;
  if (limit !== null) invariant(countTenantFile(rows, { ...file, limit }), 'the tenant is below its limit');
}

/** How many files a day the caller may have of a licence; null: as many as he likes. */
function holderLimit(permit: Permit, standing: Standing): number | null {
  return isPublisher(permit) ? null : FILES_OF_ANY + FILES_PER_SEAT * seatsOfHolder(standing);
}
