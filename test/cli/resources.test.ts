import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { type RunningDaemon, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { jsonOf, mintmark, type Transcript } from './run-cli.ts';
import { type Story, storyOn } from './story.ts';

const desk = temporaryDirectory();
const at = (name: string): string => join(desk.path, name);
const RESOURCES = ['product', 'policy', 'entitlement', 'license', 'machine', 'api-key', 'tenant'];

let daemon: RunningDaemon;
let story: Story;
/** What the stories have made so far; each goes on where the one before it ended. */
const made = { product: '', policy: '', entitlement: '', license: '', machine: '' };

beforeAll(async () => {
  daemon = await startDaemon(at('appliance'));
  story = storyOn(join(daemon.dir, 'data'));
});

afterAll(async () => {
  story[Symbol.dispose]();
  await daemon.stop();
  desk[Symbol.dispose]();
});

describe('mintmark product', () => {
  it('creates, lists, shows, changes and deletes', async () => {
    const create = ['product', 'create', '--name', 'Editor', '--code', 'editor', '--key-prefix', 'EDIT'];
    const product = await story.data([...create, '--metadata', '{"line":3}']);
    expect(product).toMatchObject({
      name: 'Editor',
      code: 'editor',
      keyPrefix: 'EDIT',
      metadata: { line: 3 },
    });
    made.product = String(product['id']);
    const table = await story.text(['product', 'list']);
    expect(table).toBe(
      `ID${' '.repeat(made.product.length)}CODE    NAME    PREFIX\n${made.product}  editor  Editor  EDIT\n`,
    );
    const changed = await story.data(['product', 'update', made.product, '--description', 'a text editor']);
    expect(changed).toMatchObject({ description: 'a text editor', name: 'Editor' });
    expect(await story.text(['product', 'show', made.product])).toMatch(/^description: +a text editor$/m);
    const spare = await story.data(['product', 'create', '--name', 'Spare', '--code', 'spare']);
    expect(await story.text(['product', 'delete', String(spare['id'])])).toBe('done\n');
    await story.refused(['product', 'show', String(spare['id'])], 'NOT_FOUND');
    expect((await story.rows(['product', 'list', '--deleted'])).map(({ code }) => code)).toEqual(['spare']);
    expect(await story.data(['product', 'restore', String(spare['id'])])).toMatchObject({ code: 'spare' });
    await story.text(['product', 'delete', String(spare['id'])]);
  });

  it('shows what the appliance refuses, with its remedy', async () => {
    const stderr = await story.refused(
      ['product', 'create', '--name', '', '--code', 'no code'],
      'VALIDATION_FAILED',
    );
    expect(stderr).toMatch(/^ {2}name: /m);
    expect(stderr).toMatch(/^ {2}code: must be 1 to 50 letters/m);
    expect(stderr).toMatch(/\[req_[0-9A-Z]+\]/);
  });

  it('goes through a list page by page', async () => {
    for (const code of ['page-a', 'page-b'])
      await story.data(['product', 'create', '--name', code, '--code', code]);
    const first = await story.text(['product', 'list', '--limit', '2']);
    const cursor = /^more: --cursor (\S+)$/m.exec(first)?.[1] ?? '';
    const second = await story.text(['product', 'list', '--limit', '2', '--cursor', cursor]);
    expect(first).toContain('page-b');
    expect(first).toContain('page-a');
    expect(second).toContain('editor');
    expect(second).not.toContain('more:');
  });
});

describe('mintmark entitlement', () => {
  it('creates, lists, shows, changes and deletes', async () => {
    const entitlement = await story.data(['entitlement', 'create', '--code', 'export-pdf', '--name', 'PDF']);
    made.entitlement = String(entitlement['id']);
    await story.data(['entitlement', 'update', made.entitlement, '--name', 'PDF export']);
    expect(await story.data(['entitlement', 'show', made.entitlement])).toMatchObject({ name: 'PDF export' });
    const spare = await story.data(['entitlement', 'create', '--code', 'spare', '--name', 'Spare']);
    await story.text(['entitlement', 'delete', String(spare['id'])]);
    for (const act of ['restore', 'delete']) await story.text(['entitlement', act, String(spare['id'])]);
    expect((await story.rows(['entitlement', 'list'])).map(({ code }) => code)).toEqual(['export-pdf']);
  });
});

describe('mintmark policy', () => {
  it('creates from a template, lists, shows, changes and deletes', async () => {
    const create = ['policy', 'create', '--product-id', made.product, '--name', 'Desktop'];
    const policy = await story.data([...create, '--template', 'desktop_app', '--floating', 'true']);
    expect(policy).toMatchObject({ maxMachines: 2, floating: true, offlineMaxDays: 14 });
    made.policy = String(policy['id']);
    const changed = await story.data(['policy', 'update', made.policy, '--offline-max-days', '30']);
    expect(changed).toMatchObject({ offlineMaxDays: 30 });
    expect(await story.data(['policy', 'show', made.policy])).toMatchObject({ offlineMaxDays: 30 });
    const unlimited = [...create, '--template', 'custom', '--max-machines', 'none'];
    await story.refused(unlimited, 'VALIDATION_FAILED');
    const site = await story.data([...unlimited, '--allow-unlimited']);
    expect(site).toMatchObject({ maxMachines: null });
    await story.text(['policy', 'delete', String(site['id'])]);
    for (const act of ['restore', 'delete']) await story.text(['policy', act, String(site['id'])]);
    const rows = await story.rows(['policy', 'list', '--product-id', made.product]);
    expect(rows.map(({ id }) => id)).toEqual([made.policy]);
  });

  it('gives an entitlement to all its licences, and takes it away', async () => {
    await story.text(['policy', 'entitle', made.policy, made.entitlement]);
    const license = await createLicense('--name', 'Entitled');
    expect(license['entitlements']).toEqual(['export-pdf']);
    await story.text(['policy', 'disentitle', made.policy, made.entitlement]);
    const shown = await story.data(['license', 'show', String(license['id'])]);
    expect(shown['entitlements']).toEqual([]);
  });
});

describe('mintmark license', () => {
  it('creates with the key in full, and shows it masked from then on', async () => {
    const license = await createLicense('--name', 'Jane Doe', '--user-email', 'jane@example.com');
    made.license = String(license['id']);
    writeFileSync(at('license-key.txt'), `${String(license['key'])}\n`);
    expect(license['key']).toMatch(/^EDIT(?:-[0-9A-HJKMNP-TV-Z]{4}){4}$/);
    const shown = await story.text(['license', 'show', made.license]);
    expect(shown).toMatch(/^key +EDIT-••••-••••-••••-[0-9A-Z]{4}$/m);
    expect(shown).not.toContain(String(license['key']));
  });

  it('creates a batch into a new file', async () => {
    const ids = ['--product-id', made.product, '--policy-id', made.policy];
    const out = ['--out', at('batch.jsonl')];
    const batch = await story.data(['license', 'batch', ...ids, '--count', '3', ...out]);
    expect(batch).toEqual({ count: 3, file: at('batch.jsonl') });
    const [first] = readFileSync(at('batch.jsonl'), 'utf8').split('\n');
    const { id } = JSON.parse(first ?? '') as { id: string };
    for (const line of readFileSync(at('batch.jsonl'), 'utf8').trimEnd().split('\n')) {
      const license = JSON.parse(line) as { id: string; key: string };
      expect(license.key).toMatch(/^EDIT(?:-[0-9A-HJKMNP-TV-Z]{4}){4}$/);
      expect(await story.text(['license', 'delete', license.id])).toBe('done\n');
    }
    await story.refused(['license', 'show', id], 'NOT_FOUND');
  });

  it('restores what was deleted, and finds by metadata that the product declares indexed', async () => {
    const [gone] = await story.rows(['license', 'list', '--deleted', '--product-id', made.product]);
    const id = String(gone?.['id']);
    expect(await story.data(['license', 'restore', id, '--machines', 'false'])).toMatchObject({ id });
    await story.refused(['license', 'restore', id], 'NOT_FOUND');
    const where = ['license', 'list', '--where', 'plan=pro', '--product-id', made.product];
    await story.refused(where, 'VALIDATION_FAILED');
    await story.data(['product', 'update', made.product, '--indexed-metadata', 'plan,region']);
    await story.data(['license', 'update', id, '--metadata', '{"plan":"pro"}']);
    const indexing = async () => (await story.data(['product', 'show', made.product]))['metadataIndexing'];
    while (String(await indexing()) !== '');
    expect(await story.rows([...where, '--where', 'region=eu'])).toEqual([]);
    expect((await story.rows(where)).map((row) => row['id'])).toEqual([id]);
    expect(await story.text(['license', 'delete', id])).toBe('done\n');
  });

  it('finds a licence by its key, without the key on the command line', async () => {
    const found = await story.data(['license', 'lookup', '--license-key-file', at('license-key.txt')]);
    expect(found).toMatchObject({ id: made.license });
    const place = ['--data-dir', join(daemon.dir, 'data')];
    const input = readFileSync(at('license-key.txt'), 'utf8');
    const piped = await mintmark(['license', 'lookup', '--license-key-file', '-', ...place], { input });
    expect(piped.stdout).toContain(made.license);
    const none = await mintmark(['license', 'lookup', ...place]);
    expect([none.code, none.stderr]).toEqual([
      EXIT.usage,
      expect.stringContaining('no licence key was given'),
    ]);
  });

  it('shows and explains a licence that is named by its key', async () => {
    const byKey = ['--license-key-file', at('license-key.txt')];
    expect(await story.data(['license', 'show', ...byKey])).toMatchObject({ id: made.license });
    const explained = await story.run(['license', 'explain', ...byKey, '--json']);
    expect(explained.code).toBe(EXIT.invalid);
    expect(jsonOf(explained)['data']).toMatchObject({ valid: false, code: 'FINGERPRINT_REQUIRED' });
  });

  it('reveals the key into a new file only, where there is no terminal', async () => {
    const leak = await story.run(['license', 'reveal', made.license]);
    expect([leak.code, leak.stdout]).toEqual([EXIT.usage, '']);
    const piped = await story.text(['license', 'reveal', made.license, '--print-secret']);
    expect(piped).toContain(readFileSync(at('license-key.txt'), 'utf8').trim());
    const out = await story.text(['license', 'reveal', made.license, '--secret-out', at('revealed.txt')]);
    expect(readFileSync(at('revealed.txt'), 'utf8')).toBe(readFileSync(at('license-key.txt'), 'utf8'));
    expect(out).toMatch(/^userEmail: +jane@example\.com$/m);
    expect(out).toMatch(/^key: +written to /m);
  });

  it('changes fields, limits and entitlements', async () => {
    const update = ['license', 'update', made.license];
    expect(await story.data([...update, '--max-machines', '5'])).toMatchObject({ maxMachinesOverride: 5 });
    expect(await story.data([...update, '--max-machines', 'none'])).toMatchObject({
      maxMachinesOverride: null,
    });
    await story.text(['license', 'entitle', made.license, made.entitlement]);
    expect(await story.data(['license', 'show', made.license])).toMatchObject({
      entitlements: ['export-pdf'],
    });
    await story.text(['license', 'disentitle', made.license, made.entitlement]);
    expect(await story.data(['license', 'show', made.license])).toMatchObject({ entitlements: [] });
  });

  it('goes through the states, and refuses what a state does not allow', async () => {
    const suspended = await story.data(['license', 'suspend', made.license, '--reason', 'invoice open']);
    expect(suspended).toMatchObject({ status: 'suspended' });
    await story.refused(['license', 'suspend', made.license], 'CONFLICT');
    expect(await story.data(['license', 'reinstate', made.license])).toMatchObject({ status: 'active' });
    const other = await story.data([
      ...['policy', 'create', '--product-id', made.product, '--name', 'Term'],
      ...['--template', 'desktop_app', '--duration-days', '30'],
    ]);
    const transfer = ['license', 'transfer', made.license, '--policy-id', String(other['id'])];
    const moved = await story.data([...transfer, '--keep-expiry', 'false']);
    expect(moved).toMatchObject({ policyId: other['id'] });
    const { expiresAt } = await story.data(['license', 'show', made.license]);
    const renewed = await story.data(['license', 'renew', made.license, '--days', '365']);
    expect(Date.parse(String(renewed['expiresAt'])) - Date.parse(String(expiresAt))).toBe(365 * 86_400_000);
    const back = ['license', 'transfer', made.license, '--policy-id', made.policy];
    expect(await story.data(back)).toMatchObject({ policyId: made.policy, expiresAt: renewed['expiresAt'] });
  });

  it('ends licences for good, and lists by state', async () => {
    const [revoked, banned, deleted] = [await createLicense(), await createLicense(), await createLicense()];
    const missing = await story.run(['license', 'revoke', String(revoked['id'])]);
    expect([missing.code, missing.stderr]).toEqual([EXIT.usage, expect.stringContaining('--reason')]);
    await story.data(['license', 'revoke', String(revoked['id']), '--reason', 'refunded']);
    await story.data(['license', 'ban', String(banned['id']), '--reason', 'key published']);
    await story.text(['license', 'delete', String(deleted['id'])]);
    const ids = async (status: string): Promise<unknown[]> =>
      (await story.rows(['license', 'list', '--status', status])).map(({ id }) => id);
    expect(await ids('revoked')).toEqual([revoked['id']]);
    expect(await ids('banned')).toEqual([banned['id']]);
    expect(await story.text(['license', 'list', '--status', 'suspended'])).toBe('(none)\n');
    await story.refused(['license', 'reinstate', String(banned['id'])], 'CONFLICT');
  });

  it('shows a name that means harm as text', async () => {
    await createLicense('--name', '\u001b[2Jmintmark: all is well');
    const table = await story.text(['license', 'list']);
    expect(table).toContain(String.raw`\u001b[2Jmintmark: all is well`);
    expect(table).not.toContain('\u001b');
  });
});

describe('mintmark machine', () => {
  it('activates, lists, shows, changes, sends a heartbeat and gives the seat back', async () => {
    const create = [
      'machine',
      'create',
      made.license,
      '--fingerprint',
      'press-3:4d1f9a22',
      '--platform',
      'linux',
    ];
    const machine = await story.data([...create, '--hostname', 'press-3', '--components', '{"cpu":"x"}']);
    made.machine = String(machine['id']);
    expect(machine).toMatchObject({ licenseId: made.license, platform: 'linux' });
    expect(await story.data(create)).toMatchObject({ id: made.machine });
    const rows = await story.rows(['machine', 'list', '--license-id', made.license]);
    expect(rows.map(({ id }) => id)).toEqual([made.machine]);
    await story.data(['machine', 'update', made.machine, '--name', 'press 3']);
    expect(await story.data(['machine', 'show', made.machine])).toMatchObject({ name: 'press 3' });
    const { code } = await story.run(['machine', 'heartbeat', made.machine]);
    expect(code).toBe(EXIT.ok);
    const second = await story.data(['machine', 'create', made.license, '--fingerprint', 'press-4:00000000']);
    await story.refused(
      ['machine', 'create', made.license, '--fingerprint', 'press-5:00000000'],
      'MACHINE_LIMIT_EXCEEDED',
    );
    expect(await story.text(['machine', 'delete', String(second['id'])])).toMatch(/^freesAt: +2/);
  });
});

describe('files', () => {
  it('are checked out, written for their owner alone, and verified without the appliance', async () => {
    const checkout = ['license', 'checkout', made.license, '--fingerprint', 'press-3:4d1f9a22'];
    const text = await story.text([...checkout, '--out', at('machine.lic')]);
    expect(text).toMatch(/machine\.lic: file_[0-9A-Z]+ signed by \S+, valid until 2/);
    expect(statSync(at('machine.lic')).mode & 0o777).toBe(0o600);
    const token = await story.text([...checkout, '--format', 'jwt']);
    expect(token).toMatch(/^ey[\w-]+\.[\w-]+\.[\w-]+\s*$/);
    const again = await story.text(['machine', 'checkout', made.machine, '--ttl-seconds', '7200']);
    expect(again).toMatch(/^-----BEGIN MACHINE FILE-----\n[^]*-----END MACHINE FILE-----\n$/);
    const unbound = ['license', 'checkout', made.license, '--plain', '--out', at('license.lic')];
    await story.refused(unbound, 'FINGERPRINT_REQUIRED');
    await story.data(['policy', 'update', made.policy, '--require-fingerprint', 'false']);
    await story.text(unbound);
    const line = await story.text(['license', 'signed-key', made.license, '--out', at('signed-key.txt')]);
    expect(line).toMatch(/signed-key\.txt: file_[0-9A-Z]+ signed by/);
    await story.text(['trust', 'export', '--out', at('trust-bundle.json')]);
    const root = (await story.text(['trust', 'fingerprint'])).trim();
    const files = await story.rows(['license', 'files', made.license]);
    const kinds = ['license', 'machine', 'machine', 'signed-key', 'token'];
    expect(files.map(({ kind }) => kind).toSorted()).toEqual(kinds);

    const trusted = ['--trust', at('trust-bundle.json'), '--root', root, '--product', 'editor'];
    const keyed = ['--license-key-file', at('license-key.txt'), '--fingerprint', 'press-3:4d1f9a22'];
    const verdict = await mintmark(['verify', at('machine.lic'), ...trusted, ...keyed]);
    expect(verdict.stdout).toMatch(/^VALID\n/);
    expect(verdict.stdout).toContain('DEVELOPMENT appliance');
    const plain = jsonOf(await mintmark(['verify', '--json', at('license.lic'), ...trusted]));
    expect(plain).toMatchObject({ valid: true, dev: true, license: { id: made.license } });
    const signedKey = jsonOf(await mintmark(['verify', '--json', at('signed-key.txt'), ...trusted]));
    expect(signedKey).toMatchObject({ valid: true, dev: true, signedKey: { licenseId: made.license } });
    const release = await mintmark(['verify', at('machine.lic'), ...trusted, ...keyed, '--refuse-dev']);
    expect(release.code).toBe(EXIT.invalid);
  });
});

describe('mintmark api-key', () => {
  it('creates into a new file, lists, shows, rotates and revokes', async () => {
    const create = ['api-key', 'create', '--name', 'shop', '--scopes', 'licenses:read, products:read'];
    const leak = await story.run(create);
    expect([leak.code, leak.stdout]).toEqual([EXIT.usage, '']);
    const out = await story.text([...create, '--secret-out', at('shop.key')]);
    const id = /^id: +(key_\S+)$/m.exec(out)?.[1] ?? '';
    expect(statSync(at('shop.key')).mode & 0o777).toBe(0o600);
    expect(out).not.toContain(readFileSync(at('shop.key'), 'utf8').trim());
    expect(await story.data(['api-key', 'show', id])).toMatchObject({ name: 'shop' });
    expect((await story.rows(['api-key', 'list'])).map((key) => key['id'])).toContain(id);
    await story.text(['api-key', 'rotate', id, '--exposed', '--secret-out', at('shop-new.key')]);
    const over = await story.run(['api-key', 'rotate', id, '--secret-out', at('shop-new.key')]);
    expect(over.code).not.toBe(EXIT.ok);
    expect((await answerFor('shop.key')).code).toBe(EXIT.refused);
    expect((await answerFor('shop-new.key')).code).toBe(EXIT.ok);
    await story.text(['api-key', 'revoke', id]);
    expect((await answerFor('shop-new.key')).stderr).toContain('UNAUTHENTICATED');
  });

  it('may do over HTTP what its scopes say, and nothing else', async () => {
    const create = ['api-key', 'create', '--name', 'reader', '--scopes', 'products:read'];
    await story.text([...create, '--secret-out', at('reader.key')]);
    const remote = ['--url', daemon.url, '--api-key-file', at('reader.key')];
    const listed = await story.run(['product', 'list', ...remote]);
    expect([listed.code, listed.stderr]).toEqual([EXIT.ok, '']);
    expect(listed.stdout).toContain('editor');
    const refused = await mintmark([...remote, 'license', 'list']);
    expect(refused.code).toBe(EXIT.refused);
    expect(refused.stderr).toContain(
      'INSUFFICIENT_SCOPE: this needs a credential with the scope licenses:read',
    );
    expect((await mintmark([...remote, 'tenant', 'list'])).code).toBe(EXIT.refused);
  });
});

describe('mintmark tenant', () => {
  it('creates, lists, shows and changes; then commands must say which one they mean', async () => {
    const tenant = await story.data(['tenant', 'create', '--name', 'Globex', '--code', 'globex']);
    const id = String(tenant['id']);
    await story.data(['tenant', 'update', id, '--name', 'Globex Corp']);
    expect(await story.data(['tenant', 'show', id])).toMatchObject({ name: 'Globex Corp', code: 'globex' });
    expect((await story.rows(['tenant', 'list'])).map(({ code }) => code)).toContain('globex');
    const stderr = await story.refused(['product', 'list'], 'REALM_REQUIRED');
    expect(stderr).toContain('X-Mintmark-Tenant');
    expect(await story.rows(['product', 'list', '--tenant', 'globex'])).toEqual([]);
    const other = await story.rows(['product', 'list', '--tenant', daemon.tenant, '--environment', 'test']);
    expect(other).toEqual([]);
    const first = await story.rows(['product', 'list', '--tenant', daemon.tenant]);
    expect(first.map(({ id: product }) => product)).toContain(made.product);
  });
});

describe('files of licences', () => {
  it('are not imported into a development appliance, which says how to begin anew; they are exported', async () => {
    writeFileSync(at('import.csv'), 'name\nA\n');
    const command = ['license', 'import', at('import.csv'), '--tenant', daemon.tenant];
    expect(await story.refused(command, 'DEV_APPLIANCE')).toContain('Begin anew with `mintmark init`');
    await story.refused([...command, '--dry-run'], 'DEV_APPLIANCE');
    expect(await story.text(['license', 'export', '--tenant', daemon.tenant])).toMatch(/^id,key,product,/);
    expect(await story.text(['machine', 'export', '--tenant', daemon.tenant])).toContain(
      ',press-3:4d1f9a22,',
    );
  });
});

describe('the stories', () => {
  it('have used every command of every resource', () => {
    const groups = buildProgram(() => undefined).commands.filter((group) => RESOURCES.includes(group.name()));
    const all = groups.flatMap((group) => group.commands.map((leaf) => `${group.name()} ${leaf.name()}`));
    expect(all.length).toBeGreaterThan(40);
    expect(all.filter((name) => !story.told.has(name))).toEqual([]);
  });
});

function createLicense(...options: readonly string[]): Promise<Record<string, unknown>> {
  const ids = ['--product-id', made.product, '--policy-id', made.policy];
  return story.data(['license', 'create', ...ids, ...options, '--print-secret']);
}

function answerFor(keyFile: string): Promise<Transcript> {
  return story.run(['license', 'list', '--url', daemon.url, '--api-key-file', at(keyFile)]);
}
