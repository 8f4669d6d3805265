import { z } from 'zod';
import { Fault } from '../faults.ts';
import type { Random } from '../lib/random.ts';
import { Secret } from '../lib/secret.ts';
import type { Kek } from './kek.ts';
import { KEY_BYTES } from './key-wrap.ts';
import { openFirst, type SlotFile } from './slots/slots.ts';
import type { SlotSecret } from './slots/slot-secret.ts';

/**
 * The key of one backup, and the header the backup carries in clear so that any slot's secret opens it on bare
 * hardware. The container authenticates the header together with its contents.
 */
export interface BackupKey {
  /** 32 bytes; the container wipes it when it is done. */
  readonly key: Secret<Buffer>;
  readonly header: Buffer;
}

/** A backup's key, found by a slot's secret. */
export interface OpenedBackupKey {
  readonly key: Secret<Buffer>;
  /** The slot that was opened. */
  readonly slot: string;
}

const ID_BYTES = 16;
/** A header holds a few slots of half a kilobyte each. */
const MAX_HEADER_BYTES = 256 * 1024;

/** The header: one line of JSON. `slots` are the slot files as they are, `key` is wrapped by the key-encryption key. */
const HEADER = z.strictObject({
  v: z.literal(1),
  id: z.base64(),
  slots: z.array(z.strictObject({ name: z.string(), file: z.base64() })),
  key: z.base64(),
});

/** Makes the key of a new backup. Slots → key-encryption key → backup key. @throws Fault SEALED */
export function makeBackupKey(kek: Kek, slots: readonly SlotFile[], random: Random): BackupKey {
  const key = random.bytes(KEY_BYTES);
  const id = random.bytes(ID_BYTES).toString('base64');
  const files = slots.map(({ name, bytes }) => ({ name, file: bytes.toString('base64') }));
  const wrapped = kek.wrap(placeOf(id), key).toString('base64');
  const header = `${JSON.stringify({ v: 1, id, slots: files, key: wrapped })}\n`;
  return { key: new Secret(key), header: Buffer.from(header, 'utf8') };
}

/**
 * Finds the key of a backup with the secret of any slot there was when it was made.
 * @throws Fault BACKUP_INVALID when the header cannot be read; SLOT_SECRET_WRONG; KEY_STORAGE
 */
export async function openBackupKey(header: Buffer, secret: SlotSecret): Promise<OpenedBackupKey> {
  const { id, slots, key } = readHeader(header);
  const files = slots.map(({ name, file }) => ({ name, bytes: Buffer.from(file, 'base64') }));
  const { slot, kek } = await openFirst(files, secret);
  try {
    return { key: new Secret(kek.unwrap(placeOf(id), Buffer.from(key, 'base64'))), slot };
  } finally {
    kek.wipe();
  }
}

function readHeader(header: Buffer): z.infer<typeof HEADER> {
  try {
    if (header.length <= MAX_HEADER_BYTES) return HEADER.parse(JSON.parse(header.toString('utf8')));
  } catch (cause) {
    throw new Fault('BACKUP_INVALID', 'the header of the backup cannot be read', { cause });
  }
  throw new Fault('BACKUP_INVALID', 'the header of the backup is too large');
}

function placeOf(id: string): string {
  return `backup-key/${id}`;
}
