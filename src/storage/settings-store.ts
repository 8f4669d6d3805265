import { invariant } from '../lib/invariant.ts';
import { statement } from './statement.ts';
import type { DecidingColumns } from './entry.ts';
import type { Reader, Tx } from './tx.ts';

/** Every setting that lives in the database. A unit that writes one leaves a ledger entry: the table is recorded. */
export const SETTINGS = {
  /** Random id of this appliance, chosen at init, never changed. */
  applianceId: 'appliance.id',
  /** 64 random bits in hexadecimal: chosen at init and whenever a restored or moved appliance is accepted. */
  branch: 'appliance.branch',
  /** `true` on a throw-away appliance, for good. */
  dev: 'appliance.dev',
  /** Name in issuer fields of files and ledger entries. */
  issuer: 'appliance.issuer',
  /** `accepted`: keys in a token may sign without a copy elsewhere; said at init, with the sentence of consequences. */
  keysWithoutCopy: 'custody.keys-without-copy',
  /** SHA-256 of the PKCS#11 module that was last loaded, in hex. */
  moduleDigest: 'custody.module-digest',
  /** What it was bound to last (daemon/machine-binding.ts); empty or absent: nothing yet. */
  instance: 'appliance.instance',
  /** The backup it was restored from, until somebody has accepted that; empty or absent: none. */
  restored: 'appliance.restored',
  /** Version of the program that made the appliance. */
  createdBy: 'appliance.created-by',
} as const;

/** The name of a setting. */
export type SettingName = keyof typeof SETTINGS;

const READ = statement<{ key: string }>()((db, p) =>
  db.selectFrom('settings').select('value').where('key', '=', p.key),
);

const WRITE = statement<{ key: string; value: string }>()((db, p) =>
  db
    .insertInto('settings')
    .values({ key: p.key, value: p.value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: p.value })),
);

/** The value of a setting; undefined when it was never written. */
export function readSetting(reader: Reader, name: SettingName): string | undefined {
  return reader.get(READ, { key: SETTINGS[name] })?.value;
}

/** The value of a setting that `init` has written. @throws InvariantViolation when it is missing. */
export function requireSetting(reader: Reader, name: SettingName): string {
  const value = readSetting(reader, name);
  invariant(value !== undefined, `setting ${SETTINGS[name]} is written by init`);
  return value;
}

const ALL = statement()((db) => db.selectFrom('settings').select(['key', 'value']).orderBy('key'));

/** Every setting: together they are one row to the ledger, under the id of the appliance. */
export function settingColumns(reader: Reader): DecidingColumns {
  return Object.fromEntries(reader.all(ALL, {}).map(({ key, value }) => [key, value]));
}

/** Writes a setting. The unit records why, with {@link settingColumns} as `after`. */
export function writeSetting(tx: Tx, name: SettingName, value: string): void {
  tx.run(WRITE, { key: SETTINGS[name], value });
}

/** Whether keys in a token may sign without a copy elsewhere. */
export function keysWithoutCopy(reader: Reader): boolean {
  return readSetting(reader, 'keysWithoutCopy') === 'accepted';
}

/** True on a throw-away appliance. */
export function isDevAppliance(reader: Reader): boolean {
  return readSetting(reader, 'dev') === 'true';
}
