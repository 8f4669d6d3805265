import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { listTree, readTree } from '../../scripts/tree.ts';
import { STATES } from '../../src/states.ts';

const page = readFileSync('docs/operations.md', 'utf8');
const source = readTree(listTree().filter((path) => path.startsWith('src/') && path.endsWith('.ts')))
  .map(({ text }) => text)
  .join('\n');

/** The first text in parentheses behind something that is called. */
const said = (call: RegExp): string[] =>
  [...source.matchAll(new RegExp(`${call.source}\\(\\s*'([^']+)'`, 'g'))].map(([, text = '']) => text);

describe('docs/operations.md', () => {
  it('explains every message of the log', () => {
    const messages = new Set(said(/\blog\.(?:debug|info|warn|error)/));
    expect(messages.size).toBeGreaterThan(10);
    expect([...messages].filter((message) => !page.includes(`\`${message}\``))).toEqual([]);
  });

  it('explains every metric, and none that there is not', () => {
    const metrics = new Set(said(/\.(?:counter|gauge|histogram)/));
    const rows = [...page.matchAll(/^\| `(mintmark_[a-z_]+)` \|/gm)].map(([, name = '']) => name);
    expect(metrics.size).toBeGreaterThan(10);
    expect(rows.toSorted()).toEqual([...metrics].toSorted());
  });

  it('says of every state what to do', () => {
    expect(Object.keys(STATES).filter((state) => !page.includes(`| \`${state}\` |`))).toEqual([]);
  });
});
