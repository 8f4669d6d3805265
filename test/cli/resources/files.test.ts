import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/cli/exit-code.ts';
import { jsonOf, mintmark } from '../run-cli.ts';
import type { Story } from '../story.ts';
import { openResourceDesk, type ResourceDesk } from './desk.ts';

let desk: ResourceDesk;
let story: Story;

beforeAll(async () => {
  desk = await openResourceDesk();
  story = desk.story;
});

afterAll(async () => {
  await desk.close();
});

describe('files', () => {
  it('are checked out, written for their owner alone, and verified without the appliance', async () => {
    const { id, key } = await desk.createLicense();
    const license = String(id);
    writeFileSync(desk.at('license-key.txt'), `${String(key)}\n`);
    const activate = ['machine', 'create', license, '--fingerprint', 'press-3:4d1f9a22'];
    const machine = String((await story.data(activate))['id']);
    const checkout = ['license', 'checkout', license, '--fingerprint', 'press-3:4d1f9a22'];
    const text = await story.text([...checkout, '--out', desk.at('machine.lic')]);
    expect(text).toMatch(/machine\.lic: file_[0-9A-Z]+ signed by \S+, valid until 2/);
    expect(statSync(desk.at('machine.lic')).mode & 0o777).toBe(0o600);
    const token = await story.text([...checkout, '--format', 'jwt']);
    expect(token).toMatch(/^ey[\w-]+\.[\w-]+\.[\w-]+\s*$/);
    const again = await story.text(['machine', 'checkout', machine, '--ttl-seconds', '7200']);
    expect(again).toMatch(/^-----BEGIN MACHINE FILE-----\n[^]*-----END MACHINE FILE-----\n$/);
    const unbound = ['license', 'checkout', license, '--plain', '--out', desk.at('license.lic')];
    await story.refused(unbound, 'FINGERPRINT_REQUIRED');
    await story.data(['policy', 'update', desk.stock.policy, '--require-fingerprint', 'false']);
    await story.text(unbound);
    const line = await story.text(['license', 'signed-key', license, '--out', desk.at('signed-key.txt')]);
    expect(line).toMatch(/signed-key\.txt: file_[0-9A-Z]+ signed by/);
    await story.text(['trust', 'export', '--out', desk.at('trust-bundle.json')]);
    const root = (await story.text(['trust', 'fingerprint'])).trim();
    const files = await story.rows(['license', 'files', license]);
    const kinds = ['license', 'machine', 'machine', 'signed-key', 'token'];
    expect(files.map(({ kind }) => kind).toSorted()).toEqual(kinds);

    const trusted = ['--trust', desk.at('trust-bundle.json'), '--root', root, '--product', 'editor'];
    const keyed = ['--license-key-file', desk.at('license-key.txt'), '--fingerprint', 'press-3:4d1f9a22'];
    const verdict = await mintmark(['verify', desk.at('machine.lic'), ...trusted, ...keyed]);
    expect(verdict.stdout).toMatch(/^VALID\n/);
    expect(verdict.stdout).toContain('DEVELOPMENT appliance');
    const plain = jsonOf(await mintmark(['verify', '--json', desk.at('license.lic'), ...trusted]));
    expect(plain).toMatchObject({ valid: true, dev: true, license: { id: license } });
    const signedKey = jsonOf(await mintmark(['verify', '--json', desk.at('signed-key.txt'), ...trusted]));
    expect(signedKey).toMatchObject({ valid: true, dev: true, signedKey: { licenseId: license } });
    const astray = await mintmark(['verify', desk.at('machine.lic'), ...trusted, '--root', 'zz', ...keyed]);
    expect([astray.code, astray.stdout]).toEqual([EXIT.usage, '']);
    expect(astray.stderr).toContain('--root takes 64 hexadecimal digits; zz is something else');
    const release = await mintmark(['verify', desk.at('machine.lic'), ...trusted, ...keyed, '--refuse-dev']);
    expect(release.code).toBe(EXIT.invalid);
  });

  it('are never written over another file, and nothing is issued then', async () => {
    const license = String((await desk.createLicense())['id']);
    const machine = await story.data(['machine', 'create', license, '--fingerprint', 'press-8:4d1f9a22']);
    writeFileSync(desk.at('api.key'), 'kept');
    for (const command of [
      ['license', 'checkout', license, '--fingerprint', 'press-8:4d1f9a22'],
      ['license', 'signed-key', license],
      ['machine', 'checkout', String(machine['id'])],
      ['trust', 'export'],
    ]) {
      const { code, stderr } = await story.run([...command, '--out', desk.at('api.key')]);
      expect([code, stderr]).toEqual([EXIT.usage, expect.stringContaining('exists already')]);
    }
    expect(readFileSync(desk.at('api.key'), 'utf8')).toBe('kept');
    expect(await story.rows(['license', 'files', license])).toEqual([]);
  });

  it('are checked out for a person and with components, where the policy asks for them', async () => {
    const perUser = ['--machine-leasing', 'PER_USER', '--fingerprint-matching', 'MATCH_TWO'];
    const policy = await story.data(
      [
        'policy',
        'create',
        '--product-id',
        desk.stock.product,
        '--name',
        'Site',
        '--template',
        'desktop_app',
      ].concat(perUser),
    );
    const ids = ['--product-id', desk.stock.product, '--policy-id', String(policy['id'])];
    const license = String((await story.data(['license', 'create', ...ids, '--print-secret']))['id']);
    const components = { board: 'b-1', disk: 'd-1', mac: null };
    const printed = { fingerprint: 'press-9:4d1f9a22', components, missing: ['mac'] };
    writeFileSync(desk.at('machine.json'), JSON.stringify(printed));
    const checkout = ['license', 'checkout', license, '--components', desk.at('machine.json')];
    expect(await story.refused(checkout, 'VALIDATION_FAILED')).toContain('--user-email');
    await story.text([...checkout, '--user-email', 'jane@example.com', '--out', desk.at('site.lic')]);
    const [machine] = await story.rows(['machine', 'list', '--license-id', license]);
    expect(machine).toMatchObject({ fingerprint: 'press-9:4d1f9a22' });
  });
});

describe('files of licences', () => {
  it('are not imported into a development appliance, which says how to begin anew; they are exported', async () => {
    writeFileSync(desk.at('import.csv'), 'name\nA\n');
    const command = ['license', 'import', desk.at('import.csv'), '--tenant', desk.daemon.tenant];
    expect(await story.refused(command, 'DEV_APPLIANCE')).toContain('Begin anew with `mintmark init`');
    await story.refused([...command, '--dry-run'], 'DEV_APPLIANCE');
    expect(await story.text(['license', 'export', '--tenant', desk.daemon.tenant])).toMatch(
      /^id,key,product,/,
    );
    expect(await story.text(['machine', 'export', '--tenant', desk.daemon.tenant])).toContain(
      ',press-3:4d1f9a22,',
    );
  });
});

describe('the stories', () => {
  it('have used every command', () => {
    desk.expectAllTold('files');
  });
});
