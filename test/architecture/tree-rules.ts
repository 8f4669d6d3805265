import type { TreeFile } from '../../scripts/tree.ts';

const MAX_LINES = 400;

/** Words that say nothing about what is inside. */
const EMPTY_WORDS = new Set('util utils helper helpers manager managers common misc shared stuff'.split(' '));

/** The rooms of src/ and test/'s mirror of them: a new one is a decision, written down. */
const PARTS = new Set(
  (
    'access cli config console custody daemon daemon.ts delivery exchange faults.ts http issue-words.ts issuing jobs ledger lib ' +
    'licensing main.ts passes states.ts storage verify'
  ).split(' '),
);

/** lib/ is not a place for what has no other place. */
const LIB = new Set(
  ['clock', 'random', 'ulid', 'secret', 'strict-json', 'base32', 'bounded-queue', 'invariant'].map(
    (name) => `${name}.ts`,
  ),
);

/** The top level is the owner's; what begins with a dot belongs to a tool. */
const TOP_LEVEL = new Set(
  (
    'CHANGELOG.md LICENSE README.md bench config docs eslint.config.js package-lock.json package.json scripts src ' +
    'systemd test tsconfig.json vitest.config.ts'
  ).split(' '),
);

/** Words of the unfinished, put together here so that this file does not find itself. */
const UNFINISHED = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'HA' + 'CK', 'X' + 'XX'].join('|')})\\b`);

/** Files longer than anyone reads in one go. */
export function findLongFiles(files: readonly TreeFile[]): string[] {
  return files
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ path, lines }) => `${path}: ${lines} lines, at most ${MAX_LINES}; split it by idea`);
}

/** Notes of unfinished work: it is done, or it is an issue. */
export function findUnfinished(files: readonly TreeFile[]): string[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const word = UNFINISHED.exec(line)?.[0];
      return word === undefined ? [] : [`${path}:${index + 1}: ${word}`];
    }),
  );
}

/** Paths that are not in kebab case, or have a word that says nothing. */
export function findBadNames(paths: readonly string[]): string[] {
  return paths.flatMap((path) =>
    path.split('/').flatMap((segment) => {
      const stem = segment.replace(/(?:\.test|\.config|\.d)?\.ts$/, '');
      const kebab = /^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(stem)
        ? []
        : [`${path}: ${segment} is not in kebab case`];
      const empty = stem.split('-').filter((word) => EMPTY_WORDS.has(word));
      return [...kebab, ...empty.map((word) => `${path}: "${word}" says nothing about what is inside`)];
    }),
  );
}

/** Paths that are in no room of the house. */
export function findStrayPaths(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const [top = '', room = '', file = ''] = path.split('/');
    if (!top.startsWith('.') && !TOP_LEVEL.has(top)) return [`${path}: the top level is fixed`];
    if (top === 'src' && !PARTS.has(room)) return [`${path}: ${room} is no part of src`];
    if (top === 'src' && room === 'lib' && !LIB.has(file))
      return [`${path}: lib takes nothing new without an ADR`];
    return [];
  });
}

/** Tests that are switched off or on alone, and modules replaced under a test's feet. */
export function findTestTricks(file: TreeFile): string[] {
  const tricks = /\b(?:it|test|describe)\.(?:only|skip|todo)\b|\bvi\.(?:do)?[mM]ock\(/g;
  return [...file.text.matchAll(tricks)].map((match) => {
    const line = file.text.slice(0, match.index).split('\n').length;
    return `${file.path}:${line}: ${match[0]}`;
  });
}
