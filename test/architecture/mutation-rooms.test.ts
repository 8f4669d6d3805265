import { matchesGlob } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listTree } from '../../scripts/tree.ts';
import { MUTATION_ROOM_NAMES, MUTATION_ROOMS } from '../campaigns/mutation-rooms.ts';

const paths = listTree();

/** The single patterns that `{a,b}` stands for. */
function expand(pattern: string): string[] {
  const [whole, choices] = /\{([^{}]+)\}/.exec(pattern) ?? [];
  if (whole === undefined || choices === undefined) return [pattern];
  return choices.split(',').flatMap((choice) => expand(pattern.replace(whole, choice)));
}

const unknown = (folder: string, patterns: readonly string[]): string[] =>
  patterns
    .flatMap(expand)
    .map((pattern) => `${folder}/${pattern}`)
    .filter((pattern) => !paths.some((path) => matchesGlob(path, pattern)));

describe('the campaign that breaks the code', () => {
  it.each(MUTATION_ROOM_NAMES)(
    'breaks files of the room %s that exist, and judges them by tests that do',
    (name) => {
      const { mutate, tests } = MUTATION_ROOMS[name];
      expect(unknown('src', mutate)).toEqual([]);
      expect(unknown('test', tests)).toEqual([]);
      expect(unknown('src', [`${name}/gone.ts`, `${name}/*.ts`])).toEqual([`src/${name}/gone.ts`]);
    },
  );
});
