import { existsSync, lstatSync, readdirSync, type Stats, statfsSync, statSync } from 'node:fs';
import { Fault } from '../faults.ts';
import type { DataPaths } from './data-paths.ts';

const OTHERS = 0o077;
const PERMISSIONS = 0o777;

/**
 * File systems whose locks or fsync are those of another machine (`statfs` f_type, linux/magic.h): SQLite may lose data
 * on them, and their locks keep nobody out.
 */
const FOREIGN_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9P'],
  [0x65735546, 'FUSE'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x786f4256, 'VirtualBox shared folder'],
]);

/** Demands a usable data directory. @throws Fault DATA_DIRECTORY_INVALID unless the directory is there, ours alone, and holds an appliance. */
export function demandUsable(paths: DataPaths, options: { readonly restoring: boolean }): void {
  demandPrivate(paths.root);
  if (existsSync(paths.restoring) && !options.restoring) {
    // Its branch is still that of the backup: serving it would give file numbers a second time.
    throw invalid(`a restore did not finish in ${paths.root}; empty the directory and restore again`);
  }
  if (!existsSync(paths.database)) {
    throw invalid(`${paths.root} holds no appliance; make one there with \`mintmark init\``);
  }
  if (!lstatSync(paths.database).isFile()) throw invalid(`${paths.database} is not a regular file`);
}

/** Demands a directory of our own. @throws Fault DATA_DIRECTORY_INVALID unless `root` is an existing directory that nobody else may enter. */
export function demandPrivate(root: string): void {
  const stats = directoryAt(root);
  const mode = stats.mode & PERMISSIONS;
  if ((mode & OTHERS) !== 0) {
    throw invalid(`${root} is open to others (mode ${mode.toString(8)}); run: chmod 700 ${root}`);
  }
  const user = process.geteuid?.();
  if (user !== undefined && stats.uid !== user) {
    throw invalid(`${root} belongs to user ${String(stats.uid)}, this process runs as ${String(user)}`);
  }
}

/** Demands an empty directory. @throws Fault DATA_DIRECTORY_INVALID when there is anything in `root`: nothing is ever overwritten. */
export function demandEmpty(root: string): void {
  const [first] = readdirSync(root);
  if (first !== undefined) throw invalid(`${root} is not empty (it holds ${first}); nothing is overwritten`);
}

/** What an operator should know about where the data lies; empty when all is well. */
export function warningsFor(paths: DataPaths): string[] {
  const foreign = FOREIGN_FILE_SYSTEMS.get(statfsSync(paths.root).type);
  if (foreign === undefined) return [];
  return [
    `${paths.root} is on ${foreign}: locks and fsync are another machine's, acknowledged writes may be lost; use a local disk`,
  ];
}

/** True when the last process ended without closing: a clean stop leaves no log file behind. */
export function stoppedUncleanly(paths: DataPaths): boolean {
  const log = `${paths.database}-wal`;
  return existsSync(log) && statSync(log).size > 0;
}

function directoryAt(root: string): Stats {
  const stats = statSync(root, { throwIfNoEntry: false });
  if (stats === undefined)
    throw invalid(`${root} does not exist; make an appliance there with \`mintmark init\``);
  if (!stats.isDirectory()) throw invalid(`${root} is not a directory`);
  return stats;
}

function invalid(message: string): Fault {
  return new Fault('DATA_DIRECTORY_INVALID', message);
}
