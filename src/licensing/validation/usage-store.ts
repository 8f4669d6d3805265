import type { EpochMs } from '../../lib/clock.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';

/** Validations of one licence to be added to its counters. */
export interface UsageChange {
  /** Counted uses: validations that were valid. */
  readonly uses: number;
  readonly validations: number;
  /** The newest of them. */
  readonly at: EpochMs;
}

const ADD = statement<UsageChange & { licenseId: string }>()((db, p) =>
  db
    .updateTable('license_usage')
    .set((eb) => ({
      uses: eb('uses', '+', p.uses),
      validations: eb('validations', '+', p.validations),
      last_validated_at: p.at,
    }))
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId),
);

const CONSUME = statement<{ licenseId: string; limit: number; at: EpochMs }>()((db, p) =>
  db
    .updateTable('license_usage')
    .set((eb) => ({
      uses: eb('uses', '+', 1),
      validations: eb('validations', '+', 1),
      last_validated_at: p.at,
    }))
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('uses', '<', p.limit),
);

const USES = statement<{ licenseId: string }>()((db, p) =>
  db
    .selectFrom('license_usage')
    .select('uses')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId),
);

/** A file that is issued: when, and until when it is good. */
interface Booked {
  readonly at: EpochMs;
  readonly until: EpochMs;
}

const HOLDER_CHECKED_OUT = statement<Booked & { licenseId: string; day: number; limit: number }>()((db, p) =>
  db
    .updateTable('license_usage')
    .set((eb) => ({
      last_checked_out_at: p.at,
      files_until: eb.fn<number>('max', ['files_until', eb.val(p.until)]),
      files_day: p.day,
      files_today: eb
        .case()
        .when('files_day', '=', p.day)
        .then(eb('files_today', '+', 1))
        .else(1)
        .end(),
    }))
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where((eb) => eb.or([eb('files_day', '!=', p.day), eb('files_today', '<', p.limit)])),
);

const CHECKED_OUT = statement<Booked & { licenseId: string }>()((db, p) =>
  db
    .updateTable('license_usage')
    .set((eb) => ({
      last_checked_out_at: p.at,
      files_until: eb.fn<number>('max', ['files_until', eb.val(p.until)]),
    }))
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId),
);

/** Adds gathered validations to the counters of a licence. */
export function addUsage(tx: RealmTx, licenseId: string, change: UsageChange): void {
  tx.run(ADD, { licenseId, ...change });
}

/** Counts one use if fewer than `limit` are counted, by one conditional statement; false when the limit is reached. */
export function consumeUse(
  tx: RealmTx,
  licenseId: string,
  use: { readonly limit: number; readonly at: EpochMs },
): boolean {
  return tx.run(CONSUME, { licenseId, ...use }).changes === 1;
}

/** Uses counted on disk. */
export function usesOf(reader: RealmReader, licenseId: string): number {
  return reader.get(USES, { licenseId })?.uses ?? 0;
}

/** Books that a file was issued for a licence, to its publisher, and until when it is good. */
export function bookLicenseCheckout(tx: RealmTx, licenseId: string, file: Booked): void {
  tx.run(CHECKED_OUT, { licenseId, ...file });
}

/**
 * Books the same of a file for the holder of the licence, and counts it among those of the day (since the epoch, UTC), by
 * one conditional statement; false when there are `limit` (at least 1) of them already: nothing is booked then.
 */
export function bookHolderCheckout(
  tx: RealmTx,
  licenseId: string,
  file: Booked & { readonly day: number; readonly limit: number },
): boolean {
  return tx.run(HOLDER_CHECKED_OUT, { licenseId, ...file }).changes === 1;
}
