import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { GENERATED_PAGES } from '../../scripts/docs/documents.ts';
import { table } from '../../scripts/docs/markdown.ts';
import { Lockfile, Manifest } from '../../scripts/security/lockfile.ts';
import { listTree, readTree, type TreeFile } from '../../scripts/tree.ts';
import { FAULTS } from '../../src/faults.ts';
import {
  findBadDecisions,
  findBrokenLinks,
  findMissingPaths,
  findMissingScripts,
  type Ground,
} from './docs-rules.ts';

const paths = listTree();
const pages = readTree(paths.filter((path) => /^(?:docs\/.*|[^/]+)\.md$/.test(path)));
const manifest = z.object({ scripts: z.record(z.string(), z.string()) });
const { scripts } = manifest.parse(JSON.parse(readFileSync('package.json', 'utf8')));
const ground: Ground = { paths, scripts: Object.keys(scripts) };

const small: Ground = { paths: ['src/main.ts', 'docs/adr/0001-a.md', 'README.md'], scripts: ['check'] };
const sample = (text: string): TreeFile => ({ path: 'docs/page.md', text });

describe('the documents', () => {
  it('name only paths that exist', () => {
    expect(pages.flatMap((page) => findMissingPaths(page, ground))).toEqual([]);
    const text = [
      '`src/main.ts`, `src/*.ts`, `./src/main.ts`, `docs/adr/`, `/opt/mintmark/scripts/none`, `README.md`',
      '`src/gone.ts`, `GONE.md`, `docs/gone-*.md`',
      '```\n./scripts/gone --flag\n```',
    ].join('\n');
    expect(findMissingPaths(sample(text), small)).toEqual([
      'docs/page.md: `src/gone.ts` does not exist',
      'docs/page.md: `GONE.md` does not exist',
      'docs/page.md: `docs/gone-*.md` does not exist',
      'docs/page.md: `scripts/gone` does not exist',
    ]);
  });

  it('link only to files that exist', () => {
    expect(pages.flatMap((page) => findBrokenLinks(page, ground))).toEqual([]);
    const text = '[a](../src/main.ts#x) [b](adr/0001-a.md) [c](#here) [d](https://example.com) [e](gone.md)';
    expect(findBrokenLinks(sample(text), small)).toEqual(['docs/page.md: link to gone.md leads nowhere']);
  });

  it('name only npm scripts that exist', () => {
    expect(pages.flatMap((page) => findMissingScripts(page, ground))).toEqual([]);
    expect(findMissingScripts(sample('`npm run check`, `npm run --silent gone -- x`'), small)).toEqual([
      'docs/page.md: `npm run gone` does not exist',
    ]);
  });

  it('record each decision under a number of its own, in four sections', () => {
    expect(findBadDecisions(pages.filter(({ path }) => path.startsWith('docs/adr/')))).toEqual([]);
    const whole = '# A\n## Context\n\n## Decision\n\n## Consequences\n\n## Alternatives\n';
    const bad = [
      { path: 'docs/adr/0001-a.md', text: whole },
      { path: 'docs/adr/0001-b.md', text: whole },
      { path: 'docs/adr/later.md', text: whole.replace('## Alternatives\n', '') },
    ];
    expect(findBadDecisions(bad)).toEqual([
      'docs/adr/0001-b.md: the number is taken',
      'docs/adr/later.md: not a number and a title',
      'docs/adr/later.md: no section "Alternatives"',
    ]);
  });
});

describe('the list of dependencies', () => {
  const text = readFileSync('docs/dependencies.md', 'utf8');
  const { packages } = Lockfile.parse(JSON.parse(readFileSync('package-lock.json', 'utf8')));
  const own = Manifest.parse(JSON.parse(readFileSync('package.json', 'utf8')));
  const names = Object.keys({ ...own.dependencies, ...own.devDependencies, ...own.optionalDependencies });

  it.each(names)('has a line for %s, with its licence', (name) => {
    const line = text
      .split('\n')
      .find((one) => one.startsWith('|') && one.split('|')[1]?.includes(`\`${name}\``));
    expect(line ?? 'no line').toMatch(
      new RegExp(`\\| ${packages[`node_modules/${name}`]?.license ?? 'none'} \\|$`),
    );
  });

  it('has no line for what is not installed any more', () => {
    const listed = [...text.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = '']) => cell.split(', '));
    expect(listed.map((name) => name.replaceAll('`', '')).filter((name) => !names.includes(name))).toEqual(
      [],
    );
  });
});

describe('the generated documents', () => {
  it.each(GENERATED_PAGES)('$path is what `npm run docs:generate` writes', ({ path, render }) => {
    expect(existsSync(path) ? readFileSync(path, 'utf8') : 'absent').toBe(render());
  });

  it('name every fault code, with its remedy', () => {
    const page = readFileSync('docs/errors.md', 'utf8');
    const missing = Object.entries(FAULTS).filter(
      ([code, { remedy }]) => !page.includes(`| \`${code}\` |`) || !page.includes(remedy),
    );
    expect(missing).toEqual([]);
    expect(Object.keys(FAULTS).length).toBeGreaterThan(30);
  });

  it('keep a table a table whatever is in its cells', () => {
    expect(table(['a', 'b'], [['x|y', 'two\nlines']])).toBe(
      '| a | b |\n| --- | --- |\n| x\\|y | two lines |',
    );
  });
});
