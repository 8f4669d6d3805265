import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PlantedTree } from './planted-tree.ts';

const LOCKED = JSON.stringify({ packages: { '': {}, 'node_modules/a': { integrity: 'sha512-A' } } });

/** A machine around the script: who runs it, what Debian has installed, and how npm behaves. */
interface Machine {
  readonly user: 'root' | 'somebody' | 'sudoer';
  readonly missing?: readonly string[];
  readonly modules?: 'current' | 'absent' | 'stale';
  /** What `npm run check` leaves as its last line, and its exit code; without a line it crashed. */
  readonly check?: { readonly line?: string; readonly exitCode: number };
  readonly npmCi?: number;
}

interface Run {
  readonly status: number | null;
  readonly lines: readonly string[];
  readonly lastLine: string | undefined;
  /** Every call of a program of the machine, in order. */
  readonly calls: readonly string[];
}

/** Runs scripts/test on such a machine; the programs of the machine only write down how they were called. */
function runOn(machine: Machine): Run {
  const tree = new PlantedTree();
  onTestFinished(() => {
    tree[Symbol.dispose]();
  });
  plantProject(tree, machine.modules ?? 'current');
  const log = join(tree.path, 'calls');
  for (const [name, body] of Object.entries(programsOf(machine))) {
    chmodSync(tree.write(`bin/${name}`, `#!/bin/sh\necho "${name} $*" >>"${log}"\n${body}\n`), 0o755);
  }
  const run = spawnSync(join(tree.path, 'app/scripts/test'), [], {
    encoding: 'utf8',
    cwd: '/',
    env: { PATH: `${tree.path}/bin:${dirname(process.execPath)}:/usr/bin:/bin` },
  });
  const lines = `${run.stdout}${run.stderr}`.split('\n');
  const calls = existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : [];
  return { status: run.status, lines, lastLine: run.stdout.trimEnd().split('\n').at(-1), calls };
}

function plantProject(tree: PlantedTree, modules: 'current' | 'absent' | 'stale'): void {
  mkdirSync(join(tree.path, 'app/scripts'), { recursive: true });
  for (const script of ['test', 'modules-are-current.js']) {
    copyFileSync(`scripts/${script}`, join(tree.path, 'app/scripts', script));
  }
  chmodSync(join(tree.path, 'app/scripts/test'), 0o755);
  tree.write('app/package.json', '{ "type": "module" }');
  tree.write('app/package-lock.json', LOCKED);
  if (modules === 'absent') return;
  tree.write('app/node_modules/.bin/node', '');
  const installed = modules === 'current' ? LOCKED : LOCKED.replace('sha512-A', 'sha512-B');
  tree.write('app/node_modules/.package-lock.json', installed);
}

function programsOf({ user, missing = [], check, npmCi = 0 }: Machine): Record<string, string> {
  const { line, exitCode } = check ?? { line: '9 passed, 0 failed', exitCode: 0 };
  const last = line === undefined ? '' : `echo '${line}' >"$6"; `;
  return {
    'dpkg-query': `case " ${missing.join(' ')} " in *" $4 "*) exit 1;; esac; printf installed`,
    'apt-get': '',
    env: 'exec /usr/bin/env "$@"',
    id: `echo ${user === 'root' ? 0 : 1000}`,
    sudo: user === 'sudoer' ? 'shift; exec "$@"' : 'exit 1',
    npm: `case $1 in ci) exit ${npmCi};; run) ${last}exit ${exitCode};; esac`,
  };
}

const named = (calls: readonly string[], name: string) => calls.filter((call) => call.startsWith(`${name} `));

describe('scripts/test', () => {
  it('ends with the tally of the check and its exit code', () => {
    const good = runOn({ user: 'root', check: { line: '9 passed, 0 failed, 2 skipped', exitCode: 0 } });
    expect([good.status, good.lastLine]).toEqual([0, '9 passed, 0 failed, 2 skipped']);
    const bad = runOn({ user: 'root', check: { line: '8 passed, 1 failed', exitCode: 1 } });
    expect([bad.status, bad.lastLine]).toEqual([1, '8 passed, 1 failed']);
  });

  it('counts a check that crashed before it had a result as a failure', () => {
    const run = runOn({ user: 'root', check: { exitCode: 134 } });
    expect([run.status, run.lastLine]).toEqual([1, '0 passed, 1 failed']);
  });

  it('leaves a machine alone that has everything', () => {
    const { calls } = runOn({ user: 'root' });
    expect(named(calls, 'apt-get')).toEqual([]);
    expect(named(calls, 'npm')).toHaveLength(1);
  });

  it('installs what is missing and nothing else, as root and through sudo', () => {
    const expected = ['apt-get update -q', 'apt-get install -y -q --no-install-recommends golang-go'];
    expect(named(runOn({ user: 'root', missing: ['golang-go'] }).calls, 'apt-get')).toEqual(expected);
    expect(named(runOn({ user: 'sudoer', missing: ['golang-go'] }).calls, 'apt-get')).toEqual(expected);
  });

  it('prints the one line to run when it may install nothing, and goes on', () => {
    const run = runOn({ user: 'somebody', missing: ['golang-go', 'openssl'] });
    expect(run.lines).toContain(
      '  apt-get update && apt-get install -y --no-install-recommends golang-go openssl',
    );
    expect(named(run.calls, 'apt-get')).toEqual([]);
    expect([run.status, run.lastLine]).toEqual([0, '9 passed, 0 failed']);
  });

  it('installs the npm packages when they are absent or not those of the lockfile', () => {
    const ci = (modules: Machine['modules']) =>
      named(runOn({ user: 'root', ...(modules && { modules }) }).calls, 'npm').filter((call) =>
        call.startsWith('npm ci'),
      );
    expect([ci('current'), ci('absent'), ci('stale')].map((calls) => calls.length)).toEqual([0, 1, 1]);
  });

  it('fails when they cannot be installed', () => {
    const run = runOn({ user: 'root', modules: 'absent', npmCi: 1 });
    expect([run.status, run.lastLine]).toEqual([1, '0 passed, 1 failed']);
    expect(named(run.calls, 'npm')).toHaveLength(1);
  });
});
