import { posix } from 'node:path';
import type { TreeFile } from '../../scripts/tree.ts';

/** What a page may point at. */
export interface Ground {
  /** Every file of the tree, relative to the root. */
  readonly paths: readonly string[];
  /** The names of the npm scripts. */
  readonly scripts: readonly string[];
}

/** Code in a page: between backticks in a sentence, or in a fenced block. */
const CODE = /^(?:```|~~~)[^]*?^(?:```|~~~)|`[^`\n]+`/gm;

/** A path of ours in code: below one of our folders, and not the end of a longer path of somebody else's. */
const PATH =
  /(?<![\w./~$@{}<>-])(?:\.\/)?((?:src|test|docs|scripts|config|systemd|bench|\.ci)\/[\w./*-]*[\w*/])/g;

/** A file at the root, named alone: `package.json`, `README.md`. */
const ROOT_FILE = /^`(?:\.\/)?([\w.-]+\.(?:md|json|ts|js|toml))`$/;

/** Files that come into being while Mintmark runs or is built. */
const PRODUCED = new Set(['bench/results.json', 'bench/results-growth.json']);

const LINK = /\]\(([^()\s]+)\)/g;
const NPM_RUN = /\bnpm run (?:--?[\w-]+ )*([\w:-]+)/g;

/** Paths in backticks that do not exist; `*` stands for any name, and has to match one. */
export function findMissingPaths(page: TreeFile, ground: Ground): string[] {
  const named = [...page.text.matchAll(CODE)].flatMap(([code]) => [
    ...[...code.matchAll(PATH)].map(([, path = '']) => path),
    ...(ROOT_FILE.exec(code)?.slice(1) ?? []).filter((path) => /^[A-Z]/.test(path)),
  ]);
  return [...new Set(named)]
    .filter((path) => !PRODUCED.has(path) && !exists(path, ground.paths))
    .map((path) => `${page.path}: \`${path}\` does not exist`);
}

/** Links to files that do not exist. Addresses elsewhere are not looked at: we work where there is no network. */
export function findBrokenLinks(page: TreeFile, ground: Ground): string[] {
  return [...page.text.matchAll(LINK)]
    .map(([, target = '']) => target)
    .filter((target) => !/^(?:[a-z]+:|#)/.test(target))
    .filter((target) => !exists(resolve(page.path, target), ground.paths))
    .map((target) => `${page.path}: link to ${target} leads nowhere`);
}

/** `npm run` with a script that package.json does not have. */
export function findMissingScripts(page: TreeFile, ground: Ground): string[] {
  return [...page.text.matchAll(NPM_RUN)]
    .map(([, script = '']) => script)
    .filter((script) => !ground.scripts.includes(script))
    .map((script) => `${page.path}: \`npm run ${script}\` does not exist`);
}

/** ADRs whose name is not a number and a title, whose number is taken, or that are not four sections long. */
export function findBadDecisions(pages: readonly TreeFile[]): string[] {
  const numbers = pages.map(({ path }) => posix.basename(path).slice(0, 4));
  return pages.flatMap(({ path, text }, index) => [
    ...(/^\d{4}-[a-z0-9-]+\.md$/.test(posix.basename(path)) ? [] : [`${path}: not a number and a title`]),
    ...(numbers.indexOf(numbers[index] ?? '') === index ? [] : [`${path}: the number is taken`]),
    ...['Context', 'Decision', 'Consequences', 'Alternatives']
      .filter((section) => !text.includes(`\n## ${section}\n`))
      .map((section) => `${path}: no section "${section}"`),
  ]);
}

function exists(path: string, paths: readonly string[]): boolean {
  if (path.includes('*')) {
    const escaped = path.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll(/\*+/g, '[^/]*');
    return paths.some((one) => new RegExp(`^${escaped}(?:/|$)`).test(one));
  }
  const folder = path.endsWith('/') ? path : `${path}/`;
  return paths.some((one) => one === path || one.startsWith(folder));
}

function resolve(page: string, target: string): string {
  const file = target.split('#')[0] ?? '';
  return posix.normalize(posix.join(posix.dirname(page), file));
}
