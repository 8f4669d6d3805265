import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { SETTING_ROWS } from '../../src/config/index.ts';
import { temporaryDirectory } from '../support/daemon.ts';
import { jsonOf, mintmark } from './run-cli.ts';

/** A configuration file with this text, for one test. */
function configFile(text: string): { readonly path: string; [Symbol.dispose](): void } {
  const directory = temporaryDirectory();
  const path = join(directory.path, 'mintmark.toml');
  writeFileSync(path, text);
  return { path, [Symbol.dispose]: () => directory[Symbol.dispose]() };
}

describe('mintmark config check', () => {
  it('names the file and every setting that is not at its default', async () => {
    using file = configFile('[http]\nport = 8000\n\n[log]\nlevel = "info"\n');
    const { code, stdout } = await mintmark(['config', 'check', '--config', file.path]);
    expect({ code, stdout }).toEqual({
      code: EXIT.ok,
      stdout: `ok: ${file.path}; settings other than their default: http.port\n`,
    });
  });

  it('names every problem at once, with what was probably meant', async () => {
    using file = configFile('[http]\nprot = 1\nport = "x"\n\n[data]\nlevel = "info"\n');
    const { code, stdout, stderr } = await mintmark(['config', 'check', '--config', file.path]);
    expect({ code, stdout }).toEqual({ code: EXIT.refused, stdout: '' });
    expect(stderr).toMatch(
      /^mintmark: CONFIG_INVALID: Configuration is not valid\n {2}http\.prot: .+\n {2}data\.level: .+\n {2}http\.port: /,
    );
    for (const name of ['http.prot', 'http.port', 'did you mean log.level?']) expect(stderr).toContain(name);
  });

  it('refuses a file that is not there or is no TOML, with the line', async () => {
    using file = configFile('[http]\nport = \n');
    const absent = await mintmark(['config', 'check', '--config', `${file.path}.gone`]);
    expect(absent.code).toBe(EXIT.refused);
    expect(absent.stderr).toContain('cannot be read');
    const broken = await mintmark(['config', 'check', '--config', file.path]);
    expect(broken.code).toBe(EXIT.refused);
    expect(broken.stderr).toContain('is not valid TOML at line 2');
  });

  it.each(['http', 'metrics'])(
    'refuses, as serve does, a %s.host that would be served in clear',
    async (section) => {
      using file = configFile(`[${section}]\nhost = "0.0.0.0"\n`);
      const { code, stderr } = await mintmark(['config', 'check', '--config', file.path]);
      expect([code, stderr]).toEqual([
        EXIT.refused,
        expect.stringContaining(`${section}.host 0.0.0.0 is not loopback`),
      ]);
    },
  );

  it('refuses a variable that sets nothing', async () => {
    const { code, stderr } = await mintmark(['config', 'check'], { env: { MINTMARK_HTTP_PROT: '1' } });
    expect(code).toBe(EXIT.refused);
    expect(stderr).toContain('no setting has this variable');
  });
});

describe('mintmark config show', () => {
  const FROM_FILE = ['--config', 'FILE'];
  it.each([
    { what: 'the default', flags: [], env: {}, port: 7420 },
    { what: 'the file before the default', flags: FROM_FILE, env: {}, port: 7001 },
    {
      what: 'a variable before the file',
      flags: FROM_FILE,
      env: { MINTMARK_HTTP_PORT: '7002' },
      port: 7002,
    },
    {
      what: 'a flag before the variable',
      flags: [...FROM_FILE, '--set', 'http.port=7003'],
      env: { MINTMARK_HTTP_PORT: '7002' },
      port: 7003,
    },
  ])('takes $what', async ({ flags, env, port }) => {
    using file = configFile('[http]\nport = 7001\n');
    const args = flags.map((flag) => (flag === 'FILE' ? file.path : flag));
    const shown = jsonOf(await mintmark(['--json', 'config', 'show', ...args], { env: { ...env } }));
    expect(shown['http']).toMatchObject({ port });
  });

  it('lists every setting with its value and its variable', async () => {
    const { stdout } = await mintmark(['config', 'show', '--data-dir', '/srv/mintmark']);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^SETTING +VALUE +VARIABLE$/);
    expect(lines.slice(1).map((line) => line.split(/ +/)[0])).toEqual(SETTING_ROWS.map(({ name }) => name));
    expect(stdout).toMatch(/^data\.directory +\/srv\/mintmark +MINTMARK_DATA_DIRECTORY$/m);
  });
});

describe('mintmark config example', () => {
  it('prints the file that is in the tree', async () => {
    const { stdout } = await mintmark(['config', 'example']);
    expect(stdout).toBe(readFileSync('config/mintmark.toml', 'utf8'));
  });
});
