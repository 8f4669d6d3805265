import { existsSync, readdirSync, readFileSync, statSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { mintmark, type Transcript } from './run-cli.ts';
import { serve, type Serving } from './serving.ts';
import { type Story, storyOn } from './story.ts';

const desk = temporaryDirectory();
const at = (name: string): string => join(desk.path, name);
const SETTINGS = {
  MINTMARK_DATA_DIRECTORY: at('data'),
  MINTMARK_CUSTODY_CREDENTIAL: at('kek'),
  MINTMARK_BACKUP_DIRECTORY: at('backups'),
  MINTMARK_HTTP_PORT: '0',
  MINTMARK_METRICS_PORT: '0',
};
const INIT = ['init', '--unattended', '--tenant-name', 'Acme Ltd', '--tenant-code', 'acme'];

const init = (...args: readonly string[]): Promise<Transcript> =>
  mintmark([...INIT, ...args], { env: SETTINGS });
const secretsIn = (key: string, code: string): string[] => [
  ...['--secret-out', at(key)],
  ...['--recovery-out', at(code)],
];

afterAll(() => {
  desk[Symbol.dispose]();
});

describe('mintmark init', () => {
  it('shows no secret where there is no terminal, and makes nothing then', async () => {
    const { code, stdout, stderr } = await init();
    expect({ code, stdout }).toEqual({ code: EXIT.usage, stdout: '' });
    expect(stderr).toContain('secrets are shown once and standard output is no terminal');
    expect(readdirSync(desk.path)).toEqual([]);
  });

  it('makes nothing when a secret could not be kept', async () => {
    const astray = await init('--secret-out', at('absent/first.key'), '--recovery-out', at('code.txt'));
    expect(astray.code).toBe(EXIT.usage);
    expect(astray.stderr).toContain('absent/first.key cannot be made');
    const one = await init('--secret-out', at('both.txt'), '--recovery-out', at('both.txt'));
    expect(one.code).toBe(EXIT.usage);
    expect(readdirSync(desk.path)).toEqual([]);
  });

  it('makes an appliance, and hands its secrets over in files of their own', async () => {
    const { code, stdout, stderr } = await init(...secretsIn('first.key', 'recovery.txt'));
    expect([code, stderr]).toEqual([EXIT.ok, expect.stringContaining('keep the two apart')]);
    expect(stdout).toMatch(/^tenant: +acme$/m);
    expect(stdout).toMatch(/^root fingerprint: +[0-9a-f]{64}$/m);
    const secrets = ['first.key', 'recovery.txt'].map((name) => readFileSync(at(name), 'utf8').trim());
    expect(secrets[1]).toMatch(/^[0-9A-Z]{5}(?:-[0-9A-Z]{5}){12}$/);
    for (const secret of secrets) expect(stdout + stderr).not.toContain(secret);
    for (const name of ['first.key', 'recovery.txt', 'kek'])
      expect(statSync(at(name)).mode & 0o777).toBe(0o600);
    expect(statSync(at('data')).mode & 0o777).toBe(0o700);
    writeFileSync(at('init.txt'), stdout);
  });

  it.each([
    ['over that of another', 'kek', 'exists already: it may open another appliance'],
    ['into the data directory', 'not-made/credentials/kek', 'is inside the data directory'],
  ])('is not begun where the credential would be written %s', async (_where, credential, words) => {
    const place = ['--data-dir', at('not-made'), '--credential', at(credential)];
    const secrets = ['--secret-out', at('x.key'), '--recovery-out', at('x.txt')];
    const refused = await mintmark(['init', '--unattended', ...place, ...secrets]);
    expect([refused.code, refused.stdout]).toEqual([EXIT.usage, '']);
    expect(refused.stderr).toContain(`${at(credential)} ${words}`);
    expect([at('not-made'), at('x.key')].filter((path) => existsSync(path))).toEqual([]);
  });

  it('says which directory it makes, and by which configuration', async () => {
    const taken = at('taken');
    mkdirSync(taken, { mode: 0o700 });
    const place = ['--data-dir', taken, '--credential', at('other-kek')];
    const made = await mintmark(['init', '--unattended', ...place, ...secretsIn('o.key', 'o.txt')]);
    expect([made.code, made.stderr]).toEqual([
      EXIT.ok,
      expect.stringContaining(`making an appliance in ${taken} (configuration /dev/null)`),
    ]);
    const start = `mintmark serve --data-dir ${taken} --set custody.credential=${at('other-kek')}`;
    expect(made.stdout).toContain(`Start it with: ${start}\n`);
  });

  it('never overwrites: neither an appliance nor a file with a secret', async () => {
    const again = await init(...secretsIn('second.key', 'second.txt'));
    expect(again.code).toBe(EXIT.refused);
    expect(again.stderr).toContain('DATA_DIRECTORY_INVALID: an appliance is in');
    expect(again.stderr).toContain('Run it with `mintmark serve`');
    expect(existsSync(at('second.key'))).toBe(false);
    const over = await init(...secretsIn('first.key', 'second.txt'));
    expect(over.code).toBe(EXIT.usage);
    expect(over.stderr).toContain('first.key exists already');
  });
});

describe('an appliance that serves', () => {
  let serving: Serving;
  let story: Story;

  beforeAll(async () => {
    serving = await serve([], SETTINGS);
    story = storyOn(at('data'));
  });

  afterAll(async () => {
    story[Symbol.dispose]();
    await serving.stop();
  });

  it('says in its log where it listens and which settings are not at their default', () => {
    expect(serving.serving).toMatchObject({ level: 'info', operator: at('data/run/operator.sock') });
    expect(serving.serving['api']).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(serving.serving['changed']).toContain('http.port');
  });

  it('takes the first API key over HTTP', async () => {
    const remote = ['--url', String(serving.serving['api']), '--api-key-file', at('first.key')];
    const product = await story.data([
      'product',
      'create',
      '--name',
      'Editor',
      '--code',
      'editor',
      ...remote,
    ]);
    expect(product).toMatchObject({ code: 'editor' });
  });

  it('shows its state in words', async () => {
    const text = await story.text(['status']);
    expect(text).toMatch(/^state: +ready$/m);
    expect(text).toContain(at('data'));
    expect(text).toMatch(/^ +free: +[\d.]+ [KMGT]iB$/m);
    expect(text).toMatch(/^ +unsigned: +for \d+ seconds?$/m);
    expect(await story.data(['status'])).toMatchObject({ state: 'ready', dev: false, reasons: [] });
  });

  it('is not served a second time, nor as a development appliance', async () => {
    const second = await mintmark(['serve'], { env: SETTINGS });
    expect(second.code).toBe(EXIT.refused);
    expect(second.stderr).toContain('DATA_DIRECTORY_IN_USE');
    const dev = await mintmark(['dev', '--dir', at('data'), '--json']);
    expect([dev.code, dev.stdout]).toEqual([EXIT.refused, '']);
    expect(dev.stderr).toContain('DATA_DIRECTORY_INVALID');
  });

  it('names every setting of a door that another process has', async () => {
    const other = ['--unattended', '--data-dir', at('beside'), '--credential', at('beside-kek')];
    expect((await mintmark(['init', ...other, ...secretsIn('b.key', 'b.txt')])).code).toBe(EXIT.ok);
    const [api = '', figures = ''] = [serving.serving['api'], serving.serving['metrics']].map(
      (url) => new URL(String(url)).port,
    );
    const env = {
      MINTMARK_DATA_DIRECTORY: at('beside'),
      MINTMARK_CUSTODY_CREDENTIAL: at('beside-kek'),
      MINTMARK_HTTP_PORT: api,
      MINTMARK_METRICS_PORT: figures,
    };
    const second = await mintmark(['serve'], { env });
    expect(second.code).toBe(EXIT.refused);
    for (const section of ['http', 'metrics'])
      expect(second.stderr).toContain(
        `${section}.host and ${section}.port: cannot listen: listen EADDRINUSE`,
      );
    expect(second.stderr).toContain(`:${api}; free it`);
    expect(second.stderr).toContain(`:${figures}; free it`);
  });

  it('waits sealed when its credential does not open, and is unsealed and sealed by hand', async () => {
    const sealed = await serve([], { ...SETTINGS, MINTMARK_DATA_DIRECTORY: at('beside') });
    const why = `the credential in ${at('kek')} does not open slot credential`;
    expect(sealed.log.find(({ message }) => message === 'sealed')).toMatchObject({
      level: 'warn',
      reason: why,
    });
    const place = ['--data-dir', at('beside')];
    const status = await mintmark(['status', ...place]);
    expect(status.stdout).toMatch(/^state: +sealed$/m);
    expect(status.stdout).toContain(`${why}\n    ends by: mintmark unseal\n`);
    const refused = await mintmark(['product', 'list', ...place]);
    expect([refused.code, refused.stderr]).toEqual([
      EXIT.refused,
      expect.stringContaining('`mintmark unseal`'),
    ]);
    const unsealed = await mintmark(['unseal', '--recovery-file', at('b.txt'), ...place]);
    expect([unsealed.code, unsealed.stdout]).toEqual([EXIT.ok, 'unsealed\n']);
    expect((await mintmark(['product', 'list', ...place])).code).toBe(EXIT.ok);
    expect((await mintmark(['seal', ...place])).stdout).toContain('sealed; `mintmark unseal` opens it again');
    expect(await sealed.stop()).toBe(EXIT.ok);
  });

  it('lists its signing keys, and exports the public half in every form', async () => {
    const keys = await story.rows(['keys', 'list']);
    const license = keys.find(({ purpose, environment }) => purpose === 'license' && environment === 'live');
    const kid = String(license?.['kid']);
    expect(await story.text(['keys', 'list'])).toContain(kid);
    expect(await story.text(['keys', 'export-public', kid])).toMatch(/^[0-9a-f]{64}\n$/);
    const pem = await story.text(['keys', 'export-public', kid, '--format', 'pem']);
    expect(pem).toMatch(/^-----BEGIN PUBLIC KEY-----\n[^]+\n-----END PUBLIC KEY-----\n$/);
    const jwk = JSON.parse(await story.text(['keys', 'export-public', kid, '--format', 'jwk'])) as object;
    expect(jwk).toMatchObject({ kty: 'OKP', crv: 'Ed25519' });
    expect((await story.run(['keys', 'export-public', kid, '--format', 'der'])).code).toBe(EXIT.usage);
    expect((await story.run(['keys', 'export-public', 'nobody'])).code).toBe(EXIT.refused);
  });

  it.each(['-eG4WiZLTl3UCpKp', '--G4WiZLTl3UCpKp', '-VG4WiZLTl3UCpKp'])(
    'takes the key id %s as it is typed, before and behind options',
    async (kid) => {
      const refused = {
        code: EXIT.refused,
        stdout: '',
        stderr: `mintmark: there is no signing key ${kid}\n  See \`mintmark keys list\`.\n`,
      };
      expect(await story.run(['keys', 'export-public', kid])).toEqual(refused);
      expect(await story.run(['keys', 'export-public', kid, '--format', 'pem', '--json'])).toEqual(refused);
      expect(await story.run(['keys', 'export-public', '--format', 'jwk', kid])).toEqual(refused);
    },
  );

  it('takes an imported licence key for what it is, though it begins like an option', async () => {
    const { stderr, ...ending } = await story.run(['license', 'show', '--license-key', '-V34-5678']);
    expect(ending).toEqual({ code: EXIT.refused, stdout: '' });
    expect(stderr).toContain('mintmark: NOT_FOUND: there is no licence with this key');
  });

  it('has the root that init named', async () => {
    const root = (await story.text(['trust', 'fingerprint'])).trim();
    expect(readFileSync(at('init.txt'), 'utf8')).toContain(root);
    expect(await story.text(['trust', 'export'])).toMatch(/^(?:[\w-]+\.[\w-]+\.[\w-]+|\{[^]*\})\n$/);
  });

  it('exports a ledger that is verified without it, and one changed byte is found', async () => {
    await story.text(['audit', 'export', at('audit')]);
    const intact = await mintmark(['audit', 'verify', at('audit')]);
    expect([intact.code, intact.stderr]).toEqual([EXIT.ok, '']);
    await story.refused(['audit', 'export', at('audit')], 'FILE_EXISTS');
    const file = join(at('audit'), readdirSync(at('audit')).find((name) => name.endsWith('.jsonl')) ?? '');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('"product.created"', '"product.deleted"'));
    const changed = await mintmark(['audit', 'verify', at('audit')]);
    expect(changed.code).toBe(EXIT.invalid);
    expect(changed.stdout).not.toBe('');
  });

  it('exports a ledger that the key shown by init proves, and a mistyped key blames nothing but itself', async () => {
    await story.text(['audit', 'export', at('audit-again')]);
    const [, key = ''] = /^ledger key: +(\S+)$/m.exec(readFileSync(at('init.txt'), 'utf8')) ?? [];
    expect((await story.data(['status']))['ledger']).toMatchObject({ firstKey: key });
    const verify = ['audit', 'verify', at('audit-again')];
    const unproven = await mintmark(verify);
    expect(unproven.stdout).toContain('compare it with the ledger key that `mintmark init` showed');
    const proven = await mintmark([...verify, '--first-key', key]);
    expect([proven.code, proven.stderr]).toEqual([EXIT.ok, '']);
    expect(proven.stdout).toMatch(/^VERIFIED: the first \d+ entries are what the appliance signed$/m);
    for (const wrong of ['abc', `${key.slice(0, -2)}A=`, key.replace('mintmark/', 'mintmark/0')]) {
      const typo = await mintmark([...verify, '--first-key', wrong]);
      expect([typo.code, typo.stdout]).toEqual([EXIT.usage, '']);
      expect(typo.stderr).toContain('--first-key is no ledger key');
    }
  });

  it('takes the wall clock as right when an operator says why', async () => {
    const missing = await story.run(['clock', 'set-trusted']);
    expect([missing.code, missing.stderr]).toEqual([EXIT.usage, expect.stringContaining('--reason')]);
    const told = await story.data(['clock', 'set-trusted', '--reason', 'compared with the radio clock']);
    expect(Object.keys(told)).toEqual(['before', 'after', 'suspect']);
  });

  it('makes a backup that the recovery code opens, and nothing else', async () => {
    const file = at('site.backup');
    const made = await story.text(['backup', 'create', file]);
    expect(made).toContain(file);
    expect(made).toMatch(/^madeAt: +\d{4}-/m);
    expect(made).not.toContain('{');
    expect((await story.data(['status']))['backup']).toMatchObject({ warning: null });
    const verify = ['backup', 'verify', file, '--recovery-file'];
    const whole = await mintmark([...verify, at('recovery.txt')]);
    expect([whole.code, whole.stdout.split('\n')[0]]).toEqual([EXIT.ok, 'whole']);
    writeFileSync(at('wrong.txt'), readFileSync(at('recovery.txt'), 'utf8').replace(/^...../, '00000'));
    expect((await mintmark([...verify, at('wrong.txt')])).code).toBe(EXIT.refused);
    const none = await mintmark(['backup', 'verify', file]);
    expect([none.code, none.stderr]).toEqual([
      EXIT.usage,
      expect.stringContaining('nothing opens the backup'),
    ]);
  });

  it('makes a backup of which a part says that it is not usable, and a mistyped name that it is no file', async () => {
    const whole = readFileSync(at('site.backup'));
    writeFileSync(at('cut.backup'), whole.subarray(0, whole.length - 100));
    const verify = (name: string): Promise<Transcript> =>
      mintmark(['backup', 'verify', at(name), '--recovery-file', at('recovery.txt')]);
    const cut = await verify('cut.backup');
    expect([cut.code, cut.stderr]).toEqual([EXIT.invalid, expect.stringContaining('Use another backup.')]);
    const absent = await verify('absent.backup');
    expect([absent.code, absent.stderr]).toEqual([EXIT.usage, expect.stringContaining('is no file')]);
  });

  it('stops in order, and says so', async () => {
    expect(await serving.stop()).toBe(EXIT.ok);
    expect(serving.log.map(({ message }) => message).slice(-2)).toEqual(['stopping', 'stopped']);
    const gone = await story.run(['status']);
    expect(gone.code).toBe(EXIT.unreachable);
  });
});

describe('mintmark backup restore', () => {
  const NEW = {
    ...SETTINGS,
    MINTMARK_DATA_DIRECTORY: at('restored'),
    MINTMARK_CUSTODY_CREDENTIAL: at('new-kek'),
  };

  it.each([
    ['over another', 'kek', 'exists already: it may open another appliance'],
    ['into the data directory', 'restored/kek', 'is inside the data directory'],
  ])('is not begun where the credential would be written %s', async (_where, credential, words) => {
    const open = ['--recovery-file', at('recovery.txt'), '--credential', at(credential)];
    const refused = await mintmark(['backup', 'restore', at('site.backup'), ...open], { env: NEW });
    expect([refused.code, refused.stderr]).toEqual([
      EXIT.usage,
      expect.stringContaining(`${at(credential)} ${words}`),
    ]);
    expect(refused.stderr).toContain('Name a new file');
    expect(existsSync(at('restored'))).toBe(false);
  });

  it('leaves nothing behind, and does not crash, where the credential cannot be written in the end', async () => {
    const open = ['--recovery-file', at('recovery.txt'), '--credential', join(at('recovery.txt'), 'kek')];
    const failed = await mintmark(['backup', 'restore', at('site.backup'), ...open], { env: NEW });
    expect([failed.code, failed.stderr]).toEqual([
      EXIT.refused,
      expect.stringContaining('recovery.txt: exists already (EEXIST)'),
    ]);
    expect(readdirSync(at('restored'))).toEqual([]);
  });

  it('makes an appliance of a backup and the recovery code, with a credential of its own', async () => {
    const open = ['--recovery-file', at('recovery.txt'), '--credential', at('new-kek')];
    const restored = await mintmark(['backup', 'restore', at('site.backup'), ...open], { env: NEW });
    expect([restored.code, restored.stdout.split('\n')[0]]).toEqual([EXIT.ok, 'restored']);
    expect(restored.stderr).toContain('unknown to the appliance');
    const other = ['--recovery-file', at('recovery.txt')];
    const again = await mintmark(['backup', 'restore', at('site.backup'), ...other], { env: NEW });
    expect([again.code, again.stderr]).toEqual([EXIT.refused, expect.stringContaining('is not empty')]);
  });

  it('gives back what was there when the backup was made', async () => {
    const serving = await serve([], NEW);
    using story = storyOn(at('restored'));
    expect((await story.rows(['product', 'list'])).map(({ code }) => code)).toEqual(['editor']);
    expect(await story.data(['status'])).toMatchObject({ state: 'rolled-back' });
    expect(await serving.stop()).toBe(EXIT.ok);
  });
});

describe('mintmark dev', () => {
  it('keeps a directory that was named, opens it again with the same keys, and is never served', async () => {
    const first = await startDaemon(at('dev'));
    expect(Object.keys(first.live)).toEqual(['secretKey', 'publishableKey', 'publicKey']);
    expect(await first.stop()).toBe(EXIT.ok);
    const second = await startDaemon(at('dev'));
    expect([second.live, second.test]).toEqual([first.live, first.test]);
    expect(await second.stop()).toBe(EXIT.ok);
    const served = await mintmark(['serve', '--data-dir', at('dev/data')], {
      env: { ...SETTINGS, MINTMARK_CUSTODY_CREDENTIAL: at('dev/kek') },
    });
    expect(served.code).toBe(EXIT.refused);
    expect(served.stderr).toContain('DEV_APPLIANCE');
  });

  it('removes a directory that was named when it is told to', async () => {
    const daemon = await startDaemon(at('short'), { args: ['--rm'] });
    await daemon.stop();
    expect(existsSync(at('short'))).toBe(false);
  });

  it('refuses a directory with something else in it, and a service manager', async () => {
    const occupied = await mintmark(['dev', '--dir', desk.path]);
    expect([occupied.code, occupied.stderr]).toEqual([EXIT.refused, expect.stringContaining('is not empty')]);
    const supervised = await mintmark(['dev', '--dir', at('never')], {
      env: { NOTIFY_SOCKET: '/run/notify' },
    });
    expect([supervised.code, existsSync(at('never'))]).toEqual([EXIT.usage, false]);
  });
});
