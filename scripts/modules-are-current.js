/**
 * Exits with 0 when node_modules holds what package-lock.json names, else with 1 and the first difference.
 *
 * Plain JavaScript for any Node: it decides whether our own has to be installed first. npm writes
 * node_modules/.package-lock.json at the end of an installation, so one that was cut short counts as absent.
 */
import { existsSync, readFileSync } from 'node:fs';

const read = (path) => JSON.parse(readFileSync(path, 'utf8')).packages;

function difference() {
  if (!existsSync('node_modules/.package-lock.json')) return 'node_modules is absent or unfinished';
  if (!existsSync('node_modules/.bin/node')) return 'node_modules/.bin/node is absent';
  const locked = read('package-lock.json');
  const installed = read('node_modules/.package-lock.json');
  for (const [path, { integrity, optional }] of Object.entries(locked)) {
    // The root has no entry there; packages for other platforms are not installed.
    if (path === '' || (optional && installed[path] === undefined)) continue;
    if (installed[path]?.integrity !== integrity) return `${path} is absent or another version`;
  }
  return Object.keys(installed).find((path) => locked[path] === undefined);
}

const found = difference();
if (found !== undefined) {
  console.log(`packages are not those of the lockfile: ${found}`);
  process.exitCode = 1;
}
