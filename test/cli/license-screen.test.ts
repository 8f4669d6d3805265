import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { dataOf, type RunningDaemon, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { type Stock, stockUp } from '../support/stock.ts';
import { jsonOf } from './run-cli.ts';
import { type Story, storyOn } from './story.ts';

const desk = temporaryDirectory();
const at = (name: string): string => join(desk.path, name);
const PRINT = 'press-3:4d1f9a22';

let daemon: RunningDaemon;
let story: Story;
let stock: Stock;
let id: string;
let key: string;
let machineId: string;

beforeAll(async () => {
  daemon = await startDaemon(at('appliance'));
  story = storyOn(join(daemon.dir, 'data'));
  stock = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'screen', { maxUses: 5 });
  const expiresAt = new Date(Date.now() + 40 * 86_400_000).toISOString();
  const made = { name: '\u001b[2JJane Doe', userEmail: 'jane@example.com', expiresAt };
  ({ id, key } = await stock.license(made));
  const machine = await dataOf(
    stock.post(`/licenses/${id}/machines`, {
      fingerprint: PRINT,
      name: 'press 3',
      platform: 'linux',
      components: { board: 'b-1', disk: 'd-1' },
    }),
  );
  machineId = String(machine['id']);
  await dataOf(stock.post(`/machines/${machineId}/checkout`));
});

afterAll(async () => {
  story[Symbol.dispose]();
  await daemon.stop();
  desk[Symbol.dispose]();
});

describe('mintmark license show', () => {
  it('says on one screen what support needs, in at most 80 columns and 40 lines', async () => {
    const screen = await story.text(['license', 'show', id]);
    const lines = screen.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(40);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines[0]).toBe(String.raw`${id}  \u001b[2JJane Doe`);
    expect(screen).toMatch(
      /^state +active since \d{4}-\d\d-\d\d \d\d:\d\d \((just now|\d+ minutes? ago)\)$/m,
    );
    expect(screen).toMatch(/^validation valid, for what its policy asks of the machine$/m);
    expect(screen).toMatch(/^expires +\d{4}-\d\d-\d\d \d\d:\d\d \(in 39 days\)$/m);
    expect(screen).toMatch(/^seats +1 of 2 taken$/m);
    expect(screen).toMatch(/^uses +0 of 5$/m);
    expect(screen).toMatch(new RegExp(`^  ${machineId} alive seen .+ file until \\d{4}-\\d\\d-\\d\\d`, 'm'));
    expect(screen).toMatch(new RegExp(`^  file_\\w+ until .+ …${machineId.slice(-8)}$`, 'm'));
    expect(screen).toMatch(
      new RegExp(`^  \\S+ \\S+  machine\\.activated …${machineId.slice(-8)} +API key `, 'm'),
    );
    expect(screen).toMatch(/^ {2}\S+ \S+ {2}license\.created +API key /m);
    expect(screen).not.toContain(key);
  });

  it('says why a licence is not valid, since when, who did it, and what to type next', async () => {
    await story.text(['license', 'suspend', id, '--reason', 'an invoice that nobody else should read about']);
    const screen = await story.text(['license', 'show', id]);
    expect(screen).toMatch(/^validation NOT VALID: SUSPENDED$/m);
    expect(screen).toMatch(/^ +the licence is suspended since \d{4}-/m);
    expect(screen).toMatch(/^ {2}\S+ \S+ {2}license\.suspended +operator local \(socket\)$/m);
    expect(screen).toContain(`\n  mintmark license reinstate ${id}\n`);
    expect(screen).not.toContain('invoice');
    await story.text(['license', 'reinstate', id]);
    expect(await story.text(['license', 'show', id])).toMatch(/^state +active since/m);
  });

  it('gives programs everything it read', async () => {
    const data = await story.data(['license', 'show', id]);
    expect(data).toMatchObject({
      id,
      status: 'active',
      explanation: { limits: { maxMachines: 2, seats: 1, maxUses: 5, uses: 0 } },
      policy: { maxUses: 5 },
      product: { code: 'screen' },
      machines: { rows: [{ id: machineId }], more: false },
      files: { rows: [{ machineId }], more: false },
    });
    const { actions } = data as { actions: { rows: { action: string }[] } }; // as laid out above
    expect(actions.rows[0]?.action).toBe('license.reinstated');
  });

  it('says of a full licence what frees a seat, and which are held by files of machines that are gone', async () => {
    const full = await stock.license({ name: 'two seats' });
    const add = async (fingerprint: string): Promise<string> =>
      String((await dataOf(stock.post(`/licenses/${full.id}/machines`, { fingerprint })))['id']);
    const first = await add('press-4:4d1f9a22');
    const second = await add('press-5:4d1f9a22');
    await dataOf(stock.post(`/machines/${first}/checkout`));
    const shown = await story.text(['license', 'show', full.id]);
    expect(shown).toContain(`\n  mintmark machine delete ${second}\n`);
    expect(shown).not.toContain(`machine delete ${first}`);
    await dataOf(stock.post(`/machines/${second}/checkout`));
    const bound = await story.text(['license', 'show', full.id]);
    expect(bound).toMatch(
      new RegExp(`\\n  mintmark machine delete ${first}  \\(free at \\d{4}-.+: a file\\)\\n`),
    );
    await story.text(['machine', 'delete', first]);
    const held = await story.text(['license', 'show', full.id]);
    expect(held).toMatch(/^seats +2 of 2 taken$/m);
    expect(held).toMatch(
      new RegExp(`^  ${first} gone; a file holds its seat until \\d{4}-\\d\\d-\\d\\d$`, 'm'),
    );
    expect(held).toMatch(/^ {2}\(a seat is free at \d{4}-.+, when a file ends\)$/m);
    expect(held).not.toContain('machine delete');
    expect(held.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  it('shows what a credential may see, and names the scope of the rest', async () => {
    await story.data([
      'api-key',
      'create',
      '--name',
      'desk',
      '--scopes',
      'licenses:read',
      '--secret-out',
      at('desk.key'),
    ]);
    const asKey = ['--url', daemon.url, '--api-key-file', at('desk.key')];
    const { code, stdout } = await story.run(['license', 'show', id, ...asKey]);
    expect(code).toBe(EXIT.ok);
    expect(stdout).toMatch(
      /^machines\n {2}not shown: this needs a credential with the scope machines:read$/m,
    );
    expect(stdout).toMatch(
      /^last actions \(UTC\)\n {2}not shown: this needs a credential with the scope audit:read$/m,
    );
    expect(stdout).toMatch(/^seats +1 of 2 taken$/m);
  });

  it('takes a key from a file, and one typed as an argument with a warning, never into a path', async () => {
    writeFileSync(at('key.txt'), `${key}\n`);
    expect(await story.text(['license', 'show', '--license-key-file', at('key.txt')])).toContain(id);
    const typed = await story.run(['license', 'show', key]);
    expect([typed.code, typed.stderr]).toEqual([
      EXIT.ok,
      expect.stringContaining('a secret on the command line'),
    ]);
    expect(daemon.log()).not.toContain(key);
    const none = await story.run(['license', 'show']);
    expect([none.code, none.stderr]).toEqual([EXIT.usage, expect.stringContaining('no licence was named')]);
  });
});

describe('mintmark license explain', () => {
  it('says which rule decides, lists them all, and counts nothing', async () => {
    const { code, stdout } = await story.run(['license', 'explain', id]);
    expect(code).toBe(EXIT.invalid);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines.slice(0, 2)).toEqual([`${id} (screen)`, 'NOT VALID, decided by FINGERPRINT_REQUIRED']);
    const rules = lines.filter((line) => /^(?:ok|note|NO|-) +[A-Z_]+ /.test(line));
    expect(rules.length).toBe(10);
    expect(stdout).toContain(
      `What to do: send the fingerprint of the machine.\n  mintmark license explain ${id} --fin`,
    );
    expect(stdout).toContain('Nothing was counted.');
    expect(await story.data(['license', 'show', id])).toMatchObject({ usesCount: 0, lastValidatedAt: null });
  });

  it('takes the machine from what `fingerprint --json` printed on it', async () => {
    const components = { board: 'b-1', disk: 'd-1', mac: null };
    writeFileSync(at('machine.json'), JSON.stringify({ fingerprint: PRINT, components, missing: ['mac'] }));
    const { code, stdout } = await story.run(['license', 'explain', id, '--components', at('machine.json')]);
    expect([code, stdout.split('\n')[1]]).toEqual([EXIT.ok, 'VALID']);
    writeFileSync(at('other.json'), JSON.stringify({ board: 'b-2' }));
    const asked = ['--components', at('other.json'), '--fingerprint', PRINT];
    const other = await story.run(['license', 'explain', id, ...asked, '--json']);
    expect(jsonOf(other)['data']).toMatchObject({
      code: 'FINGERPRINT_NOT_FOUND',
      machine: { id: machineId, components: [{ name: 'board', matches: false }] },
    });
  });

  it.each([
    ['[1]', 'holds no JSON object'],
    ['{', 'cannot be read as JSON'],
  ])('refuses components that are %s', async (text, words) => {
    writeFileSync(at('bad.json'), text);
    const refused = await story.run(['license', 'explain', id, '--components', at('bad.json')]);
    expect([refused.code, refused.stderr]).toEqual([EXIT.usage, expect.stringContaining(words)]);
  });

  it('names what the licence lacks of what is asked for', async () => {
    const asked = ['--fingerprint', PRINT, '--entitlement', 'export-pdf', '--entitlement', 'zoom'];
    const { stdout } = await story.run(['license', 'explain', id, ...asked]);
    expect(stdout).toMatch(/^NO +ENTITLEMENTS_MISSING +the licence lacks export-pdf, zoom$/m);
  });
});

describe('mintmark license create', () => {
  it('creates nothing where its key would go into a pipe that was not named', async () => {
    const ids = ['--product-id', stock.productId, '--policy-id', stock.policyId];
    const before = await story.rows(['license', 'list']);
    for (const more of [[], ['--json']]) {
      const { code, stdout, stderr } = await story.run(['license', 'create', ...ids, ...more]);
      expect([code, stdout]).toEqual([EXIT.usage, '']);
      expect(stderr).toContain('--secret-out <file>, or say --print-secret');
    }
    expect(await story.rows(['license', 'list'])).toEqual(before);
    const filed = await story.data(['license', 'create', ...ids, '--secret-out', at('filed.txt')]);
    expect(filed['key']).toBe(`written to ${at('filed.txt')}`);
    expect(statSync(at('filed.txt')).mode & 0o777).toBe(0o600);
    expect(readFileSync(at('filed.txt'), 'utf8')).toMatch(/^LIC(?:-[0-9A-HJKMNP-TV-Z]{4}){4}\n$/);
    const said = await story.data(['license', 'create', ...ids, '--print-secret']);
    expect(said['key']).toMatch(/^LIC(?:-[0-9A-HJKMNP-TV-Z]{4}){4}$/);
  });
});
