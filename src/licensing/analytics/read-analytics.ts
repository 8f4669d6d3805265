import type { Permit } from '../../access/index.ts';
import { DAY, type EpochMs, isoTime } from '../../lib/clock.ts';
import type { RealmReader } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { VALIDATION_CODES, type ValidationCode } from '../validation/decide.ts';
import type { AnalyticsView } from './analytics-schema.ts';
import {
  countFilesExpiring,
  countOverdueLicenses,
  realmCounters,
  seatsByProduct,
} from './analytics-store.ts';
import { dayCountsSince, dayOf } from './day-count-store.ts';
import { pendingValidations, type ValidationCounts } from './validation-counts.ts';

/** What reading analytics needs. */
export interface AnalyticsDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
  readonly validationCounts: Pick<ValidationCounts, 'pending'>;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
}

/** Days shown, today included. */
const DAYS = 30;
/** Products shown. */
const PRODUCTS_LIMIT = 1000;

/**
 * The figures of a realm. Everything but two short ranges is read from counters, so that it costs the same with a
 * million licences; the ranges are licences due for the next sweep, and files that expire before midnight.
 */
export function readAnalytics(deps: AnalyticsDeps, permit: Permit): AnalyticsView {
  const realm = realmOf(permit);
  const reader = deps.work.read.in(realm);
  const now = deps.time.now();
  const pending = (day: number, code: ValidationCode): number =>
    pendingValidations(deps.validationCounts, realm, { day, code });
  return {
    asOf: isoTime(now),
    ...standing(reader, now),
    activations: activations(reader, now),
    validations: validations(reader, now, pending),
    files: { outstanding: outstandingFiles(reader, now) },
    seats: seatsByProduct(reader, PRODUCTS_LIMIT),
  };
}

function standing(reader: RealmReader, now: EpochMs): Pick<AnalyticsView, 'licenses' | 'machines'> {
  const { licenses, machines, suspended, expired, revoked, banned, dead } = realmCounters(reader);
  const overdue = countOverdueLicenses(reader, now);
  const active = licenses - suspended - expired - revoked - banned - overdue;
  const byStatus = { active, suspended, expired: expired + overdue, revoked, banned };
  return {
    licenses: { total: licenses, byStatus },
    machines: { total: machines, alive: machines - dead, dead },
  };
}

function activations(reader: RealmReader, now: EpochMs): AnalyticsView['activations'] {
  const first = dayOf(now) - DAYS + 1;
  const counted = new Map(dayCountsSince(reader, 'activation', first).map(({ day, count }) => [day, count]));
  return Array.from({ length: DAYS }, (_, index) => {
    const day = first + index;
    return { date: isoTime(day * DAY).slice(0, 10), count: counted.get(day) ?? 0 };
  });
}

function validations(
  reader: RealmReader,
  now: EpochMs,
  pending: (day: number, code: ValidationCode) => number,
): AnalyticsView['validations'] {
  const today = dayOf(now);
  const stored = new Map<string, number>();
  for (const { name, count } of dayCountsSince(reader, 'validation', today - DAYS + 1)) {
    stored.set(name, (stored.get(name) ?? 0) + count);
  }
  // Counts wait for a second at most: what waits is of today, or of yesterday when midnight has just gone by.
  const countOf = (code: ValidationCode): number =>
    (stored.get(code) ?? 0) + pending(today, code) + pending(today - 1, code);
  const rows = VALIDATION_CODES.map((code) => [code, countOf(code)] as const);
  const total = rows.reduce((sum, [, count]) => sum + count, 0);
  // One entry for each code of the constant above, and nothing else.
  return { total, byCode: Object.fromEntries(rows) as Record<ValidationCode, number> };
}

/** By the day they expire; of those that expire today the ones that have not yet. */
function outstandingFiles(reader: RealmReader, now: EpochMs): number {
  const tomorrow = dayOf(now) + 1;
  const later = dayCountsSince(reader, 'file', tomorrow).reduce((sum, { count }) => sum + count, 0);
  return later + countFilesExpiring(reader, { after: now, before: tomorrow * DAY });
}
