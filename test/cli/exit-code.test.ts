import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { describe, expect, it, vi } from 'vitest';
import { CliError, EXIT, type ExitCode } from '../../src/cli/exit-code.ts';
import { buildProgram, runProgram } from '../../src/cli/program.ts';
import { Fault, FAULTS } from '../../src/faults.ts';
import { temporaryDirectory } from '../support/daemon.ts';
import { mintmark, PROGRAM } from './run-cli.ts';

/** Runs a program with one command that ends with `error`, and gives its exit code and what it said. */
async function ending(error: unknown): Promise<{ code: ExitCode; said: string }> {
  const said: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said.push(String(text));
    return true;
  });
  const program = buildProgram((parent) => {
    parent.command('probe').action(() => {
      throw error;
    });
  });
  const code = await runProgram(program, ['probe']);
  return { code, said: said.join('') };
}

describe('the exit code', () => {
  it('is documented, each one', () => {
    const page = readFileSync('docs/cli.md', 'utf8');
    const rows = Object.values(EXIT).map((code) => `| ${String(code)} |`);
    expect(rows.filter((row) => !page.includes(row))).toEqual([]);
  });

  it.each([[['--version']], [['-V']], [['status', '--version']]])(
    'is 0 for %j, which prints the versions for a support case',
    async (args) => {
      const { code, stdout, stderr } = await mintmark(args);
      expect([code, stderr]).toEqual([EXIT.ok, '']);
      expect(stdout).toMatch(/^mintmark \d+\.\d+\.\d+, Node 24\.\d+\.\d+, SQLite 3\.\d+\.\d+\n$/);
    },
  );

  it.each([
    [['prodct', 'list'], 'Did you mean product?'],
    [['license', 'shw'], 'Did you mean show?'],
    [['product', 'list', '--limt', '3'], 'Did you mean --limit?'],
    [['status', '--set', 'http.prot=1'], 'Did you mean http.port?'],
  ])('is 2 for the typing mistake in %j, with what was meant', async (args, words) => {
    const { code, stderr } = await mintmark(args);
    expect([code, stderr]).toEqual([EXIT.usage, expect.stringContaining(words)]);
  });

  it('is 0 when help was asked for', async () => {
    const { code, stdout } = await mintmark(['license', '--help']);
    expect(code).toBe(EXIT.ok);
    expect(stdout).toContain('checkout');
  });

  it.each([
    [['nonsense'], "unknown command 'nonsense'"],
    [['product', 'create', '--name', 'Editor'], 'missing: --code <code>'],
    [['product', 'show'], "missing required argument 'id'"],
    [['license', 'renew', 'lic_1', '--days', 'many'], 'many is not a whole number'],
    [['product', 'create', '--name', 'a', '--code', 'a', '--metadata', '{'], 'that is not JSON'],
    [['--url', 'nonsense', 'product', 'list'], 'nonsense is not an address'],
    [['config', 'check', '--set', 'http.prot=1'], 'there is no such setting'],
    [['product', 'list', '--environment', 'prod'], 'there are live and test'],
    [
      ['license', 'transfer', 'lic_1', '--policy-id', 'pol_1', '--keep-expiry', 'maybe'],
      'neither true nor false',
    ],
    [['license', 'checkout', 'lic_1', '--out', '/dev/null/x.lic'], 'cannot be made'],
  ])('is 2 for the wrong command line %j, saying what is wrong', async (args, words) => {
    const { code, stdout, stderr } = await mintmark(args);
    expect({ code, stdout }).toEqual({ code: EXIT.usage, stdout: '' });
    expect(stderr).toContain(words);
  });

  it('is 0 when whoever reads has seen enough', async () => {
    const child = spawn('/bin/sh', ['-c', `{ "${PROGRAM}" --help; echo "ended with $?" >&2; } | true`]);
    const said = await text(child.stderr);
    expect(said).toBe('ended with 0\n');
  });

  it('is 4 when no appliance answers, with the place that was tried and the way out', async () => {
    using directory = temporaryDirectory();
    const { code, stdout, stderr } = await mintmark(['product', 'list', '--data-dir', directory.path]);
    expect({ code, stdout }).toEqual({ code: EXIT.unreachable, stdout: '' });
    expect(stderr).toContain(`${directory.path}/run/operator.sock, named by configuration /dev/null`);
    expect(stderr).toContain('mintmark serve');
  });

  it('is 1 for a refusal, which is shown with its code and its remedy', async () => {
    const { code, said } = await ending(new Fault('SEALED', 'the appliance is sealed'));
    expect(code).toBe(EXIT.refused);
    expect(said).toBe(`mintmark: SEALED: the appliance is sealed\n  ${FAULTS.SEALED.remedy}\n`);
  });

  it('is the one a command chose, and nothing is said where nothing is left to say', async () => {
    expect(await ending(new CliError(EXIT.invalid, ''))).toEqual({ code: EXIT.invalid, said: '' });
  });

  it('is 70 for a defect, which shows where it is', async () => {
    const { code, said } = await ending(new TypeError('a defect'));
    expect(code).toBe(EXIT.internal);
    expect(said).toContain('this is a defect: TypeError: a defect');
    expect(said).toContain('exit-code.test.ts');
  });

  it('comes with words that cannot move the cursor', async () => {
    const { said } = await ending(new Fault('NOT_FOUND', 'no licence \u001b[2Jlic_1\nmintmark: all is well'));
    expect(said).toContain(String.raw`\u001b[2Jlic_1`);
    expect(said).not.toContain('\u001b');
  });
});
