import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { afterAll, describe, expect, it } from 'vitest';
import { exampleConfig, loadConfig, SETTING_ROWS } from '../../src/config/index.ts';
import { Fault } from '../../src/faults.ts';

const directory = mkdtempSync(join(tmpdir(), 'mintmark-config-'));
let files = 0;

function fileWith(text: string): string {
  const file = join(directory, `mintmark-${files++}.toml`);
  writeFileSync(file, text);
  return file;
}

afterAll(() => {
  rmSync(directory, { recursive: true });
});

function problemsOf(load: () => unknown): Fault {
  try {
    load();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('configuration', () => {
  it('lets a flag win over the environment, the environment over the file, the file over the default', () => {
    const file = fileWith('[http]\nport = 1111\nhost = "127.0.0.2"\nmaxConnections = 99\n');
    const { config } = loadConfig({
      file,
      environment: { MINTMARK_HTTP_PORT: '2222', MINTMARK_HTTP_HOST: '127.0.0.3' },
      flags: { 'http.port': 3333 },
    });
    expect(config.http).toMatchObject({ port: 3333, host: '127.0.0.3', maxConnections: 99 });
    expect(config.clock.settleHours).toBe(24);
  });

  it('means the same directory wherever a command is typed, and what is typed where it is typed', () => {
    const root = join(import.meta.dirname, '..', '..');
    const byDefault = loadConfig({ file: fileWith(''), environment: {}, flags: {} });
    expect(byDefault.config.data.directory).toBe(join(root, 'var/mintmark'));
    expect(byDefault.changed).toEqual([]);
    const file = fileWith('[data]\ndirectory = "./var/mintmark"\n[backup]\ndirectory = "copies"\n');
    const written = loadConfig({ file, environment: {}, flags: {} });
    expect(written.config.data.directory).toBe(byDefault.config.data.directory);
    expect(written.config.backup.directory).toBe(join(root, 'copies'));
    expect(written.changed).toEqual(['backup.directory']);
    const typed = loadConfig({
      file,
      environment: { MINTMARK_CUSTODY_CREDENTIAL: 'kek', MINTMARK_HTTP_SOCKET: '' },
      flags: { 'data.directory': 'here' },
    });
    expect(typed.config.data.directory).toBe(join(process.cwd(), 'here'));
    expect(typed.config.custody.credential).toBe(join(process.cwd(), 'kek'));
    expect(typed.config.http.socket).toBeNull();
  });

  it('says what a setting must be, and what a misspelt variable was meant to be', () => {
    const file = fileWith('[http]\nport = 70000\n[log]\nlevel = "loud"\n');
    const fault = problemsOf(() => loadConfig({ file, environment: { MINTMARK_HTTP_PROT: '1' }, flags: {} }));
    expect(fault.errors.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      'MINTMARK_HTTP_PROT: no setting has this variable; did you mean MINTMARK_HTTP_PORT?',
      'http.port: must be a whole number from 0 to 65535',
      'log.level: must be one of debug, info, warn, error',
    ]);
  });

  it('lists every problem at once and says what was meant', () => {
    const file = fileWith('[http]\nprot = 1\n[https]\nport = 1\n[clock]\nsettleHours = -1\n');
    const fault = problemsOf(() => loadConfig({ file, environment: { MINTMARK_NO_SUCH: 'x' }, flags: {} }));
    expect(fault.code).toBe('CONFIG_INVALID');
    expect(fault.errors.map(({ path, code }) => `${path} ${code}`).sort()).toEqual([
      'MINTMARK_NO_SUCH UNKNOWN_SETTING',
      'clock.settleHours INVALID_SETTING',
      'http.prot UNKNOWN_SETTING',
      'https.port UNKNOWN_SETTING',
    ]);
    expect(fault.message).toContain('did you mean http.port?');
  });

  it('names only the settings that differ from their defaults', () => {
    const file = fileWith('[http]\nport = 7420\nallowPlain = ["10.0.0.0/8"]\n');
    expect(loadConfig({ file, environment: {}, flags: {} }).changed).toEqual(['http.allowPlain']);
  });

  it('refuses a named file that is not there', () => {
    const fault = problemsOf(() =>
      loadConfig({ file: '/nonexistent/mintmark.toml', environment: {}, flags: {} }),
    );
    expect(fault.message).toContain('cannot be read');
  });

  it('refuses an address range that is none', () => {
    const file = fileWith('[http]\nallowPlain = ["10.0.0.0/33", "example"]\n');
    expect(problemsOf(() => loadConfig({ file, environment: {}, flags: {} })).message).toContain(
      'http.allowPlain',
    );
  });
});

describe('config/mintmark.toml', () => {
  const committed = readFileSync(new URL('../../config/mintmark.toml', import.meta.url), 'utf8');

  it('is what the table of settings makes', () => {
    expect(committed).toBe(exampleConfig());
  });

  it('names every setting, and each commented default is the real one', () => {
    const uncommented = committed.replace(/^# (\w+ = .*)$/gm, '$1');
    const values = parse(uncommented) as Record<string, Record<string, unknown>>;
    for (const row of SETTING_ROWS) {
      const written = values[row.section]?.[row.key];
      if (row.setting.default === null) expect(row.setting.accepts.safeParse(written).success).toBe(true);
      else expect(written, row.name).toEqual(row.setting.default);
    }
  });

  it('parses as it stands, changing nothing', () => {
    const file = fileWith(committed);
    expect(loadConfig({ file, environment: {}, flags: {} }).changed).toEqual([]);
  });
});
