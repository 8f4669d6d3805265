import { isLicenseKeyTaken } from '../../storage/directory.ts';
import type { RealmReader } from '../../storage/tx.ts';

/** Whether a licence of the realm has, or had before it was deleted or purged, the key with this digest. */
export function isKeyTaken(reader: RealmReader, keyHash: Buffer): boolean {
  return isLicenseKeyTaken(reader, keyHash);
}
