import { copyFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { openBackupKey, type SlotSecret } from '../custody/index.ts';
import { Fault } from '../faults.ts';
import { append } from '../ledger/index.ts';
import { isoTime } from '../lib/clock.ts';
import { Secret } from '../lib/secret.ts';
import { copyDatabase } from '../storage/backup.ts';
import { type BackupFile, type BackupManifest, openBackup, packBackup } from '../storage/backup-container.ts';
import { freeBytesOf } from '../storage/disk-guard.ts';
import type { Authority } from '../storage/entry.ts';
import { writeJobState } from '../storage/job-state-store.ts';
import { demandPlaceForBackup } from './backup-place.ts';
import { oneAtATime } from './one-at-a-time.ts';
import type { Parts } from './parts.ts';
import { VERSION } from './status.ts';

/** What a backup holds, and where it is. */
export interface BackupReport {
  readonly path: string;
  readonly about: BackupManifest['about'];
  readonly files: number;
  /** Size of everything in it, before sealing. */
  readonly bytes: number;
}

const OWNER_ONLY = 0o600;
const MIB = 1024 * 1024;

/**
 * Makes a sealed backup while requests are served, and counts it only when it was verified.
 * 1. A checkpoint over everything, and a copy of its anchor. Stop here: nothing happened.
 * 2. A copy of the database as it stands at one moment, in `run/`. Stop here: the copy is removed at the next backup.
 * 3. Packed and sealed beside its name, then renamed. Stop here: it is whole, and nobody counts it.
 * 4. Unpacked once more, in memory, with its key. 5. The ledger says that it was made.
 * @param path absolute, outside the data directory
 * @throws Fault CONFLICT while another is being made; FILE_EXISTS; VALIDATION_FAILED for a path in the data
 *   directory; BACKUP_INVALID, DISK_FULL
 */
export async function createBackup(parts: Parts, authority: Authority, path: string): Promise<BackupReport> {
  const { directory } = parts;
  if (resolve(path).startsWith(resolve(directory.paths.root) + sep)) {
    const message = `${path} lies in the data directory and would be lost with it; name a file in another directory`;
    throw new Fault('VALIDATION_FAILED', message, { errors: [{ path: 'path', code: 'PATH', message }] });
  }
  // Two at once would take each other's copy away half-written.
  return oneAtATime(parts, 'another backup is being made', () => makeBackup(parts, authority, path));
}

/** The copy must not bring the appliance below its reserve: writers would be refused for the sake of a backup. */
function demandRoomForCopy({ directory, config }: Parts): void {
  const { database, root } = directory.paths;
  const log = statSync(`${database}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  const needed = statSync(database).size + log + config.data.reserveMiB * MIB;
  const free = freeBytesOf(root);
  if (free >= needed) return;
  const mib = (bytes: number): string => `${String(Math.ceil(bytes / MIB))} MiB`;
  throw new Fault(
    'DISK_FULL',
    `a backup needs ${mib(needed)} free beside the database, there are ${mib(free)}`,
  );
}

async function makeBackup(parts: Parts, authority: Authority, path: string): Promise<BackupReport> {
  const { checkpointer, directory, custody, random, work } = parts;
  demandPlaceForBackup(path, parts.config.backup.directory);
  demandRoomForCopy(parts);
  await checkpointer.sign();
  const copy = join(directory.paths.run, 'backup.db');
  const settings = join(directory.paths.run, 'backup-config.json');
  const anchor = join(directory.paths.run, 'backup-anchor');
  rmSync(copy, { force: true });
  try {
    // Before the database: an anchor ahead of it would say, after a restore, that the database was put back.
    copyFileSync(directory.paths.anchor, anchor);
    await copyDatabase(directory.paths.database, copy);
    writeFileSync(settings, JSON.stringify(parts.config), { mode: OWNER_ONLY });
    const files = filesOf(parts, { copy, settings, anchor });
    const { key, header } = custody.newBackupKey();
    // The container wipes the key that it is given; this one opens what it wrote.
    const again = new Secret(Buffer.from(key.expose()));
    await packBackup({ files, about: aboutOf(parts) }, { key, header }, { target: path, random });
    const manifest = await (await openBackup(path)).unpack(again, null);
    await work.run(authority, (tx) => {
      writeJobState(tx, 'backup', String(tx.now));
      const target = { kind: 'appliance', id: parts.identity.applianceId };
      append(tx, {
        realm: null,
        action: 'backup.created',
        target,
        facts: { entries: parts.ledger.head().size },
      });
    });
    return reportOf(path, manifest);
  } finally {
    rmSync(copy, { force: true });
    rmSync(settings, { force: true });
    rmSync(anchor, { force: true });
  }
}

/**
 * Proves that a backup is whole and that a slot's secret opens it; needs no appliance.
 * @throws Fault BACKUP_INVALID, SLOT_SECRET_WRONG
 */
export async function verifyBackup(path: string, secret: SlotSecret): Promise<BackupReport> {
  return reportOf(path, await unpackBackup(path, secret, null));
}

/** Opens a backup with a slot's secret and unpacks it into an empty directory, or nowhere. */
export async function unpackBackup(
  path: string,
  secret: SlotSecret,
  into: string | null,
): Promise<BackupManifest> {
  const backup = await openBackup(path);
  const { key } = await openBackupKey(backup.header, secret);
  return backup.unpack(key, into);
}

function reportOf(path: string, { about, files }: BackupManifest): BackupReport {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  return { path, about, files: files.length, bytes };
}

/** Database, sealed key files, slots, anchor, configuration; no slot's secret. */
function filesOf(
  { directory }: Parts,
  made: { copy: string; settings: string; anchor: string },
): BackupFile[] {
  const { keys, slots } = directory.paths;
  const inside = (name: string, at: string): BackupFile[] =>
    readdirSync(at).map((file) => ({ name: `${name}/${file}`, path: join(at, file) }));
  return [
    { name: 'mintmark.db', path: made.copy },
    { name: 'config.json', path: made.settings },
    ...inside('keys', keys),
    ...inside('slots', slots),
    { name: 'anchor', path: made.anchor },
  ];
}

function aboutOf({ identity, ledger, time }: Parts): BackupManifest['about'] {
  return {
    appliance: identity.applianceId,
    branch: identity.branch,
    dev: identity.dev,
    entries: ledger.head().size,
    madeAt: isoTime(time.now()),
    version: VERSION,
  };
}
