import type { EpochMs } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import type { ValidationCode } from '../validation/decide.ts';
import { WriteBehind } from '../write-behind.ts';
import { countDay, dayOf } from './day-count-store.ts';

/** Validations by day and code on their way to disk; a crash loses at most a second of them. */
export type ValidationCounts = WriteBehind<number>;

/** The one buffer of these counts. */
export function createValidationCounts(work: Pick<UnitOfWork, 'keep'>): ValidationCounts {
  return new WriteBehind<number>(work, {
    job: 'validation-counts',
    merge: (older, newer) => older + newer,
    write: (tx, id, count) => {
      const at = id.indexOf(' ');
      const what = { kind: 'validation', day: Number(id.slice(0, at)), name: id.slice(at + 1) } as const;
      countDay(tx, what, count);
    },
  });
}

/** Counts one validation. Nobody waits for it. */
export function countValidation(
  counts: ValidationCounts,
  realm: RealmId,
  { code, at }: { readonly code: ValidationCode; readonly at: EpochMs },
): void {
  counts.add(realm, idOf(dayOf(at), code), 1);
}

/** How many validations of a day and code are not yet on disk. */
export function pendingValidations(
  counts: Pick<ValidationCounts, 'pending'>,
  realm: RealmId,
  of: { readonly day: number; readonly code: ValidationCode },
): number {
  return counts.pending(realm, idOf(of.day, of.code)) ?? 0;
}

const idOf = (day: number, code: ValidationCode): string => `${String(day)} ${code}`;
