import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A file of the tree; `path` relative to the root, with `/`. */
export interface TreeFile {
  readonly path: string;
  readonly text: string;
}

/** What git ignores, for a tree that came as an archive and has no git. */
const NOT_OURS = new Set(['.git', 'node_modules', 'var', 'dist', 'coverage']);

/**
 * Every file that belongs to the project or is about to: tracked, or new and not ignored. Paths relative to `root`,
 * sorted.
 */
export function listTree(root = '.'): string[] {
  const git = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  const paths = git.status === 0 ? git.stdout.split('\0').filter((path) => path !== '') : walk(root, '');
  // A file deleted but not yet committed is still listed; a link to somewhere else is not ours to read.
  return paths.filter((path) => existsSync(join(root, path)) && lstatSync(join(root, path)).isFile()).sort();
}

function walk(root: string, below: string): string[] {
  return readdirSync(join(root, below), { withFileTypes: true })
    .filter((entry) => !NOT_OURS.has(entry.name))
    .flatMap((entry) => {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      return entry.isDirectory() ? walk(root, path) : [path];
    });
}

/** The text of these files; bytes that are no UTF-8 become replacement characters. */
export function readTree(paths: readonly string[], root = '.'): TreeFile[] {
  return paths.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}
