import { statement } from '../../storage/statement.ts';
import type { RealmReader } from '../../storage/tx.ts';
import type { EpochMs } from '../../lib/clock.ts';

const LICENSES = statement<{ after: number; limit: number }>()((db, p) =>
  db
    .selectFrom('licenses')
    .select(['seq', 'id', 'product_id as productId', 'personal'])
    .where('realm_id', '=', p.realm)
    .where('seq', '>', p.after)
    .orderBy('seq')
    .limit(p.limit),
);

const FILES = statement<{ licenseId: string; kid: string }>()((db, p) =>
  db
    .selectFrom('issued_files')
    .select(['machine_id as machineId', 'issued_at as issuedAt', 'expires_at as expiresAt'])
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('kid', '=', p.kid)
    .orderBy('seq'),
);

/** A licence whose files are looked through; those that were deleted and are not purged are among them. */
export interface LicenseRow {
  readonly seq: number;
  readonly id: string;
  readonly productId: string;
  /** Sealed; null: none. */
  readonly personal: Buffer | null;
}

/** A file as the report counts it. */
export interface FileOfKey {
  readonly machineId: string | null;
  readonly issuedAt: EpochMs;
  readonly expiresAt: EpochMs;
}

/** Licences of a realm in order of creation, after the number given. */
export function licensesAfter(reader: RealmReader, after: number, limit: number): LicenseRow[] {
  return reader.all(LICENSES, { after, limit });
}

/** The files of a licence and its machines that one key has signed, oldest first. */
export function filesOfKey(reader: RealmReader, licenseId: string, kid: string): FileOfKey[] {
  return reader.all(FILES, { licenseId, kid });
}
