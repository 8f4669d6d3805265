import type { EpochMs } from '../../lib/clock.ts';
import { reserveLicenseKey } from '../../storage/directory.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import type { Part } from './part.ts';

const DUE = statement<{ cutoff: EpochMs } & Part>()((db, p) =>
  db
    .selectFrom('licenses')
    .select('id')
    .where('realm_id', '=', p.realm)
    .where('deleted_at', '<=', p.cutoff)
    .where('deleted_at', 'is not', null)
    .where('kept_until', 'is', null)
    .orderBy('deleted_at')
    .limit(p.limit)
    .offset(p.skip),
);

const KEPT = statement<{ now: EpochMs } & Part>()((db, p) =>
  db
    .selectFrom('licenses')
    .select('id')
    .where('realm_id', '=', p.realm)
    .where('kept_until', '<=', p.now)
    .where('kept_until', 'is not', null)
    .orderBy('kept_until')
    .limit(p.limit)
    .offset(p.skip),
);

const KEY = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('licenses')
    .select('key_hash as digest')
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id),
);

const NEWEST_FILE = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('issued_files')
    .select((eb) => eb.fn.max('expires_at').as('expiresAt'))
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.id),
);

/** What names or describes a person, and the key; what is left says nothing but that there was a licence. */
const BLANK = statement<{ id: string; now: EpochMs }>()((db, p) =>
  db
    .updateTable('licenses')
    .set((eb) => ({
      personal: null,
      user_email_index: null,
      key_sealed: null,
      key_masked: '',
      // At once: what hangs on it is next.
      kept_until: 0,
      updated_at: p.now,
      version: eb('version', '+', 1),
    }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id),
);

const KEEP = statement<{ id: string; until: EpochMs }>()((db, p) =>
  db
    .updateTable('licenses')
    .set({ kept_until: p.until })
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id),
);

const FILES = statement<{ id: string; limit: number }>()((db, p) =>
  db
    .deleteFrom('issued_files')
    .where('realm_id', '=', p.realm)
    .where('seq', 'in', (eb) =>
      eb
        .selectFrom('issued_files as f')
        .select('f.seq')
        .where('f.realm_id', '=', p.realm)
        .where('f.license_id', '=', p.id)
        .orderBy('f.seq')
        .limit(p.limit),
    ),
);

const FINGERPRINTS = statement<{ id: string; limit: number }>()((db, p) =>
  db
    .deleteFrom('license_fingerprints')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.id)
    .where('fingerprint_hash', 'in', (eb) =>
      eb
        .selectFrom('license_fingerprints as f')
        .select('f.fingerprint_hash')
        .where('f.realm_id', '=', p.realm)
        .where('f.license_id', '=', p.id)
        .limit(p.limit),
    ),
);

const ENTITLEMENTS = statement<{ id: string }>()((db, p) =>
  db.deleteFrom('license_entitlements').where('realm_id', '=', p.realm).where('license_id', '=', p.id),
);

const METADATA = statement<{ id: string }>()((db, p) =>
  db.deleteFrom('license_metadata').where('realm_id', '=', p.realm).where('license_id', '=', p.id),
);

const USER_SEATS = statement<{ id: string }>()((db, p) =>
  db.deleteFrom('license_user_seats').where('realm_id', '=', p.realm).where('license_id', '=', p.id),
);

const SEATS = statement<{ id: string }>()((db, p) =>
  db.deleteFrom('license_seats').where('realm_id', '=', p.realm).where('license_id', '=', p.id),
);

const USAGE = statement<{ id: string }>()((db, p) =>
  db.deleteFrom('license_usage').where('realm_id', '=', p.realm).where('license_id', '=', p.id),
);

const REMOVE = statement<{ id: string }>()((db, p) =>
  db.deleteFrom('licenses').where('realm_id', '=', p.realm).where('id', '=', p.id),
);

/** Licences deleted by `cutoff` and not purged, the longest deleted first. */
export function dueLicenses(reader: RealmReader, due: Part & { readonly cutoff: EpochMs }): string[] {
  return reader.all(DUE, due).map(({ id }) => id);
}

/** Emptied licences whose rest is to be looked at: none of their files is good any more, or nobody has looked yet. */
export function releasedLicenses(reader: RealmReader, due: Part & { readonly now: EpochMs }): string[] {
  return reader.all(KEPT, due).map(({ id }) => id);
}

/** When the last file of a licence expires; null: it was never given one. */
export function lastFileExpiry(reader: RealmReader, id: string): EpochMs | null {
  return reader.get(NEWEST_FILE, { id })?.expiresAt ?? null;
}

/** Empties a licence; what is left cannot be restored. Its key leads nowhere from now on, and stays reserved. */
export function blankLicense(tx: RealmTx, id: string, now: EpochMs): void {
  const digest = tx.get(KEY, { id })?.digest;
  if (digest !== undefined) reserveLicenseKey(tx, { digest, licenseId: id }, now);
  tx.run(ENTITLEMENTS, { id });
  tx.run(METADATA, { id });
  tx.run(BLANK, { id, now });
}

/** Keeps what is left of an emptied licence until the last of its files has expired. */
export function keepSkeleton(tx: RealmTx, id: string, until: EpochMs): void {
  tx.run(KEEP, { id, until });
}

/** Deletes up to `limit` files of a licence. @returns how many */
export function removeFiles(tx: RealmTx, id: string, limit: number): number {
  return tx.run(FILES, { id, limit }).changes;
}

/** Forgets up to `limit` fingerprints a licence has had. @returns how many */
export function removeFingerprints(tx: RealmTx, id: string, limit: number): number {
  return tx.run(FINGERPRINTS, { id, limit }).changes;
}

/** Deletes what is left of an emptied licence that has neither machines nor files any more. */
export function removeLicense(tx: RealmTx, id: string): void {
  for (const children of [ENTITLEMENTS, METADATA, USER_SEATS, SEATS, USAGE]) tx.run(children, { id });
  tx.run(REMOVE, { id });
}
