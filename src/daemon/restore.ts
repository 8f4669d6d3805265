import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config/index.ts';
import { credentialSecret, type Unsealing, writeCredential } from '../custody/index.ts';
import { Fault } from '../faults.ts';
import { append } from '../ledger/index.ts';
import { newId } from '../lib/ulid.ts';
import { openDataDirectory } from '../storage/data-directory.ts';
import { dataPaths } from '../storage/data-paths.ts';
import type { Authority } from '../storage/entry.ts';
import { demandEmpty } from '../storage/directory-checks.ts';
import { slotSecret } from '../custody/index.ts';
import { type BackupReport, unpackBackup } from './backup.ts';
import { beginBranch } from './branch.ts';
import { close } from './first-tenant.ts';
import { readBinding } from './machine-binding.ts';
import { openParts, type Parts, type Surroundings } from './parts.ts';
import { bindingText, type Restored, restoredText } from './standing.ts';
import { recordSlotUse } from './slot-entries.ts';

/** What is restored, and where to. */
export interface RestoreGiven {
  readonly path: string;
  /** Its data directory must be empty or not there yet. */
  readonly config: Config;
  readonly unsealing: Unsealing;
  /** Replaces the credential slot by a new one whose key is written to this file. */
  readonly credentialPath: string | undefined;
}

/** What was restored, and the branch that begins with it. */
export interface RestoreReport extends BackupReport {
  readonly branch: string;
}

/**
 * Restores a backup into an empty data directory and begins a new branch, so that no file number is given twice.
 * 1. Marked as unfinished: until 4 nothing serves the directory. 2. Unpacked and proven. Fail: it is emptied again.
 * 3. A new branch, with an entry that names the head it grew from. 4. The mark goes. Stop anywhere before: empty the
 * directory, and restore anew.
 * @throws Fault BACKUP_INVALID, SLOT_SECRET_WRONG, DEV_APPLIANCE; DATA_DIRECTORY_INVALID when the directory is not empty
 */
export async function restoreBackup(given: RestoreGiven, around: Surroundings): Promise<RestoreReport> {
  const root = given.config.data.directory;
  mkdirSync(root, { recursive: true, mode: 0o700 });
  demandEmpty(root);
  writeFileSync(dataPaths(root).restoring, '', { mode: 0o600, flush: true });
  try {
    return await restoreInto(root, given, around);
  } catch (error) {
    // What is in it, not the directory: it may be a mount point, or have been made with rights of its own.
    for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true, force: true });
    throw error;
  }
}

async function restoreInto(root: string, given: RestoreGiven, around: Surroundings): Promise<RestoreReport> {
  const { path, unsealing, config } = given;
  const { about, files } = await unpackBackup(path, slotSecret(unsealing, root), root);
  if (about['dev'] === true) throw new Fault('DEV_APPLIANCE', 'the backup is of a development appliance');
  rmSync(join(root, 'config.json'), { force: true });
  const directory = await openDataDirectory(root, { dev: false, restoring: true });
  try {
    const parts = await openParts({ config, directory, unsealing }, around);
    const branch = await makeWhole(parts, given.credentialPath, {
      madeAt: String(about['madeAt']),
      entries: Number(about['entries']),
    });
    rmSync(directory.paths.restoring);
    await syncDirectory(root);
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    return { path, about, files: files.length, bytes, branch };
  } finally {
    directory.close();
  }
}

/** Closes the parts in any case: one left open would write to a database that is gone. @returns the new branch */
async function makeWhole(
  parts: Parts,
  credentialPath: string | undefined,
  restored: Restored,
): Promise<string> {
  const { identity, directory } = parts;
  const instance = bindingText(readBinding(identity.applianceId, directory.paths.root));
  const settings = { instance, restored: restoredText(restored) };
  try {
    const branch = await beginBranch(parts, restorer(parts), { action: 'restore.completed', settings });
    await recordSlotUse(parts, restorer(parts));
    if (credentialPath !== undefined) await replaceCredential(parts, credentialPath);
    return branch;
  } finally {
    await close(parts);
  }
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}

/** Whoever runs the restore, as the ledger names him. */
function restorer({ time, random }: Parts): Authority {
  const actor = { kind: 'operator', id: 'local', via: 'restore' } as const;
  return { actor, requestId: newId('request', time.now(), random), realm: null };
}

/** The old credential belongs to the machine that is gone. */
async function replaceCredential(parts: Parts, path: string): Promise<void> {
  const { custody, random, clock, directory, work } = parts;
  const replaced = custody.listSlots().some(({ name }) => name === 'credential');
  // First the entry: a crash in between leaves one of something that did not come to be, never the other way round.
  await work.run(restorer(parts), (tx) => {
    append(tx, {
      action: replaced ? 'slot.replaced' : 'slot.added',
      target: { kind: 'slot', id: 'credential' },
      facts: { kind: 'credential' },
    });
  });
  if (replaced) custody.removeSlot('credential');
  const secret = credentialSecret(writeCredential(path, directory.paths.root, random));
  await custody.addSlot({ name: 'credential', secret, now: clock.wall() });
}
