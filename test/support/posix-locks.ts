import { readFileSync, statSync } from 'node:fs';

/** POSIX locks that a process holds on a file, as Linux shows them in /proc/locks: `READ 128 128`. */
export function locksOn(path: string, pid: number): string[] {
  const inode = String(statSync(path).ino);
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1] === 'POSIX' && columns[4] === String(pid))
    .filter((columns) => columns[5]?.endsWith(`:${inode}`) === true)
    .map((columns) => [columns[3], columns[6], columns[7]].join(' '))
    .sort();
}
