import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { PlantedTree } from './planted-tree.ts';

/** What a planted src/main.ts says about the process it finds itself in. */
const Said = z.object({
  argv: z.array(z.string()),
  flags: z.array(z.string()),
  version: z.string(),
  cwd: z.string(),
});

const MAIN = `
interface Said { argv: string[]; flags: string[]; version: string; cwd: string }
const said: Said = { argv: process.argv.slice(2), flags: process.execArgv, version: process.version, cwd: process.cwd() };
console.log(JSON.stringify(said));
process.exitCode = 3;
`;

let tree: PlantedTree;

/** An installation at `app/` with our launcher, our Node and a main that tells what it was given. */
beforeEach(() => {
  tree = new PlantedTree();
  onTestFinished(() => {
    tree[Symbol.dispose]();
  });
  tree.write('app/src/main.ts', MAIN);
  tree.write('app/package.json', '{ "type": "module" }');
  const launcher = place('app/scripts/mintmark');
  copyFileSync('scripts/mintmark', launcher);
  chmodSync(launcher, 0o755);
});

function place(path: string): string {
  const whole = join(tree.path, path);
  mkdirSync(dirname(whole), { recursive: true });
  return whole;
}

function link(path: string, target: string): string {
  const whole = place(path);
  symlinkSync(target, whole);
  return whole;
}

describe('scripts/mintmark', () => {
  it('runs main.ts with our Node and its hardening, whatever Node is in PATH, and keeps exit code and arguments', () => {
    link('app/node_modules/.bin/node', process.execPath);
    const run = spawnSync(join(tree.path, 'app/scripts/mintmark'), ['verify', 'a b.lic', '--json'], {
      encoding: 'utf8',
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
    });
    expect([run.status, run.stderr]).toEqual([3, '']);
    expect(Said.parse(JSON.parse(run.stdout))).toEqual({
      argv: ['verify', 'a b.lic', '--json'],
      flags: [
        '--disable-proto=throw',
        '--secure-heap=1048576',
        '--expose-gc',
        '--disable-warning=ExperimentalWarning',
      ],
      version: process.version,
      cwd: '/',
    });
  });

  it('finds its tree through a chain of links, relative and absolute', () => {
    link('app/node_modules/.bin/node', process.execPath);
    link('bin/first', '../app/scripts/mintmark');
    const second = link('elsewhere/second', join(tree.path, 'bin/first'));
    const run = spawnSync(second, ['status'], { encoding: 'utf8' });
    expect(Said.parse(JSON.parse(run.stdout)).argv).toEqual(['status']);
  });

  it('says what to do when its packages are not installed', () => {
    const run = spawnSync(join(tree.path, 'app/scripts/mintmark'), [], { encoding: 'utf8' });
    expect(run.status).toBe(70);
    expect(run.stderr).toContain(`packages are not installed. Run \`npm ci\` in ${tree.path}/app.`);
    expect(run.stdout).toBe('');
  });

  it('gives up on links that go round in circles', () => {
    const launcher = resolve('scripts/mintmark');
    link('a', 'b');
    const circle = link('b', 'a');
    // The kernel refuses to run such a link; a shell that was told to read it must not turn forever.
    const run = spawnSync('/bin/sh', ['-c', `. ${launcher}`, circle], { encoding: 'utf8' });
    expect(run.status).toBe(70);
    expect(run.stderr).toContain('too many symbolic links');
  });
});
