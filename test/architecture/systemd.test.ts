import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const UNIT = new URL('../../systemd/mintmark.service', import.meta.url).pathname;
/** Tenths of systemd's exposure level: a little above what the unit has, so that nothing is taken out unnoticed. */
const THRESHOLD = 15;

const analyze = (args: readonly string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });
const missing = analyze(['--version']).status !== 0;

describe.skipIf(missing)(`systemd/mintmark.service${missing ? ' (systemd-analyze is missing)' : ''}`, () => {
  it('stays below the exposure threshold', () => {
    const found = analyze(['security', '--offline=true', `--threshold=${String(THRESHOLD)}`, UNIT]);
    expect(found.stdout).toContain('Overall exposure level for mintmark.service');
    expect(found.status, found.stdout.split('\n').at(-2)).toBe(0);
  });

  it('has no key that systemd does not know', () => {
    // verify exits 0 with unknown keys: its words decide.
    const { stdout, stderr } = analyze(['verify', UNIT]);
    expect(`${stdout}${stderr}`).not.toMatch(/Unknown (key|section|lvalue)/i);
  });

  it('locks as much memory as the secure heap of the launcher takes', () => {
    const launcher = readFileSync(new URL('../../scripts/mintmark', import.meta.url), 'utf8');
    const heap = Number(/--secure-heap=(\d+)/.exec(launcher)?.[1]);
    const limit = Number(/^LimitMEMLOCK=(\d+)M$/m.exec(readFileSync(UNIT, 'utf8'))?.[1]) * 1024 * 1024;
    expect(heap).toBeGreaterThan(0);
    expect(limit).toBeGreaterThan(heap);
  });
});
