import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addApplianceCommands } from '../../src/cli/appliance.ts';
import { EXAMPLES } from '../../src/cli/examples.ts';
import { buildProgram } from '../../src/cli/program.ts';

interface Named {
  readonly path: string;
  readonly command: Command;
}

function walk(command: Command, path: string): Named[] {
  const below = command.commands.flatMap((child) => walk(child, `${path} ${child.name()}`));
  return [{ path, command }, ...below];
}

const all = walk(buildProgram(addApplianceCommands), 'mintmark');
const leaves = all.filter(({ command }) => command.commands.length === 0);
const page = readFileSync('docs/cli.md', 'utf8');

describe('the help', () => {
  it('covers the whole program', () => {
    const names = leaves.map(({ path }) => path);
    const resources = ['product', 'policy', 'entitlement', 'license', 'machine', 'api-key', 'tenant'];
    for (const name of resources.flatMap((one) => [`${one} create`, `${one} list`, `${one} show`])) {
      expect(names).toContain(`mintmark ${name}`);
    }
    for (const name of ['init', 'serve', 'dev', 'status', 'verify', 'fingerprint', 'config check']) {
      expect(names).toContain(`mintmark ${name}`);
    }
  });

  it.each(all)('of $path says what it does, and what each argument and option is', ({ command }) => {
    expect(command.description()).not.toBe('');
    const silent = command.options.filter(({ description }) => description === '');
    expect(silent.map(({ flags }) => flags)).toEqual([]);
    const unnamed = command.registeredArguments.filter(({ description }) => description === '');
    expect(unnamed.map((argument) => argument.name())).toEqual([]);
    expect(command.helpInformation()).toContain('Usage:');
  });

  it('of no command has an option of the whole program again: the command would never see it', () => {
    const [whole, ...others] = all;
    const known = new Set(whole?.command.options.map(({ long }) => long));
    const again = others.flatMap(({ path, command }) =>
      command.options.filter(({ long }) => known.has(long)).map(({ flags }) => `${path} ${flags}`),
    );
    expect(known.size).toBeGreaterThan(5);
    expect(again).toEqual([]);
  });

  it('shows commands that are there, in every example', () => {
    const known = new Set(leaves.map(({ path }) => path));
    const named = Object.keys(EXAMPLES);
    expect(named.filter((name) => !known.has(`mintmark ${name}`))).toEqual([]);
    for (const [name, example] of Object.entries(EXAMPLES)) {
      expect(example).toMatch(new RegExp(`^mintmark ${name} `));
      const { command } = leaves.find(({ path }) => path === `mintmark ${name}`) ?? {};
      const options = [...example.matchAll(/ (--[a-z-]+)/g)].map(([, option]) => option);
      const there = command?.options.map(({ long }) => long) ?? [];
      expect(options.filter((option) => !there.includes(option))).toEqual([]);
    }
  });

  it('says how to begin, the exit codes, and where to read on', () => {
    const texts: string[] = [];
    const program = buildProgram(addApplianceCommands).configureOutput({
      writeOut: (text) => texts.push(text),
    });
    program.outputHelp();
    const text = texts.join('');
    for (const part of ['mintmark init', 'mintmark dev', 'Exit codes: 0 done', 'docs/cli.md']) {
      expect(text).toContain(part);
    }
  });
});

describe('docs/cli.md', () => {
  it.each(leaves)('shows $path in use', ({ path }) => {
    const examples = [...page.matchAll(/^```sh\n([^]*?)^```/gm)].map(([, code = '']) => code).join('\n');
    expect(examples.replaceAll('\\\n', '')).toMatch(new RegExp(`^${path}(?: |$)`, 'm'));
  });

  it('names every option of the whole program', () => {
    const options = (all[0]?.command.options ?? []).map(({ long }) => `\`${String(long)}`);
    expect(options.filter((option) => !page.includes(option))).toEqual([]);
  });
});
