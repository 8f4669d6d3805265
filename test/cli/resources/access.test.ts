import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/cli/exit-code.ts';
import { mintmark, type Transcript } from '../run-cli.ts';
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

describe('mintmark api-key', () => {
  it('creates into a new file, lists, shows, rotates and revokes', async () => {
    const create = ['api-key', 'create', '--name', 'shop', '--scopes', 'licenses:read, products:read'];
    const leak = await story.run(create);
    expect([leak.code, leak.stdout]).toEqual([EXIT.usage, '']);
    const out = await story.text([...create, '--secret-out', desk.at('shop.key')]);
    const id = /^id: +(key_\S+)$/m.exec(out)?.[1] ?? '';
    expect(statSync(desk.at('shop.key')).mode & 0o777).toBe(0o600);
    expect(out).not.toContain(readFileSync(desk.at('shop.key'), 'utf8').trim());
    expect(await story.data(['api-key', 'show', id])).toMatchObject({ name: 'shop' });
    expect((await story.rows(['api-key', 'list'])).map((key) => key['id'])).toContain(id);
    await story.text(['api-key', 'rotate', id, '--exposed', '--secret-out', desk.at('shop-new.key')]);
    const over = await story.run(['api-key', 'rotate', id, '--secret-out', desk.at('shop-new.key')]);
    expect(over.code).not.toBe(EXIT.ok);
    expect((await answerFor('shop.key')).code).toBe(EXIT.refused);
    expect((await answerFor('shop-new.key')).code).toBe(EXIT.ok);
    await story.text(['api-key', 'revoke', id]);
    expect((await answerFor('shop-new.key')).stderr).toContain('UNAUTHENTICATED');
  });

  it('is changed by the operator, and what was done with it is listed', async () => {
    const create = ['api-key', 'create', '--name', 'desk', '--scopes', 'products:read'];
    const out = await story.text([...create, '--secret-out', desk.at('desk.key')]);
    const id = /^id: +(key_\S+)$/m.exec(out)?.[1] ?? '';
    expect((await answerFor('desk.key')).stderr).toContain('INSUFFICIENT_SCOPE');
    const update = ['api-key', 'update', id, '--scopes', 'licenses:read', '--issue-limit-per-day', '5'];
    const changed = { name: 'desk', scopes: ['licenses:read'], issueLimitPerDay: 5 };
    expect(await story.data(update)).toMatchObject(changed);
    expect((await answerFor('desk.key')).code).toBe(EXIT.ok);
    const used = async () => (await story.rows(['api-key', 'usage', id])).map(({ route }) => String(route));
    // Written behind: it is there within a second or so.
    while (!(await used()).some((route) => route.endsWith('/licenses')));
  });

  it('may do over HTTP what its scopes say, and nothing else', async () => {
    const create = ['api-key', 'create', '--name', 'reader', '--scopes', 'products:read'];
    await story.text([...create, '--secret-out', desk.at('reader.key')]);
    const remote = ['--url', desk.daemon.url, '--api-key-file', desk.at('reader.key')];
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

/** Each tenant's own roots under `--tenant`; all of them only with their tenants beside them. */
async function expectRootsApart(codes: readonly string[]): Promise<void> {
  const command = ['trust', 'fingerprint'];
  const of = await Promise.all(codes.map((code) => story.text([...command, '--tenant', code])));
  expect(of.every((text) => /^[0-9a-f]{64}\n$/.test(text))).toBe(true);
  expect(new Set(of).size).toBe(codes.length);
  const all = await story.text(command);
  for (const [at, code] of codes.entries()) {
    expect(all).toMatch(new RegExp(`^${code} +active +${of[at]?.trim() ?? ''}$`, 'm'));
  }
  const rows = await story.rows([...command, '--tenant', codes[0] ?? '']);
  expect(rows).toMatchObject([{ tenant: codes[0], state: 'active', fingerprint: of[0]?.trim() }]);
}

describe('mintmark tenant', () => {
  it('creates, lists, shows and changes; then commands must say which one they mean', async () => {
    const tenant = await story.data(['tenant', 'create', '--name', 'Globex', '--code', 'globex']);
    const id = String(tenant['id']);
    await story.data(['tenant', 'update', id, '--name', 'Globex Corp']);
    expect(await story.data(['tenant', 'show', id])).toMatchObject({ name: 'Globex Corp', code: 'globex' });
    await story.data(['tenant', 'update', id, '--max-files-per-day', '40', '--max-records', '5000']);
    await story.data(['tenant', 'update', id, '--max-licenses', '3', '--max-records', 'none']);
    expect(await story.data(['tenant', 'show', id])).toMatchObject({
      ...{ maxLicenses: 3, maxMachines: null, maxFilesPerDay: 40, maxRecords: null },
      usage: { live: { licenses: 0, machines: 0, records: expect.any(Number) as number } },
    });
    expect((await story.rows(['tenant', 'list'])).map(({ code }) => code)).toContain('globex');
    const stderr = await story.refused(['product', 'list'], 'REALM_REQUIRED');
    expect(stderr).toContain('--tenant <code>');
    expect(await story.rows(['product', 'list', '--tenant', 'globex'])).toEqual([]);
    await expectRootsApart(['globex', desk.daemon.tenant]);
    const other = await story.rows([
      'product',
      'list',
      '--tenant',
      desk.daemon.tenant,
      '--environment',
      'test',
    ]);
    expect(other).toEqual([]);
    const first = await story.rows(['product', 'list', '--tenant', desk.daemon.tenant]);
    expect(first.map(({ id: product }) => product)).toContain(desk.stock.product);
    expect((await story.run(['tenant', 'erase', id, '--confirm', 'acme'])).code).toBe(EXIT.refused);
    await story.data(['tenant', 'erase', id, '--confirm', 'globex']);
    expect((await story.rows(['tenant', 'list'])).map(({ code }) => code)).not.toContain('globex');
  });
});

describe('the stories', () => {
  it('have used every command', () => {
    desk.expectAllTold('api-key', 'tenant');
  });
});

function answerFor(keyFile: string): Promise<Transcript> {
  return story.run(['license', 'list', '--url', desk.daemon.url, '--api-key-file', desk.at(keyFile)]);
}
