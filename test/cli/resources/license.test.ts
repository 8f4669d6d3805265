import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/cli/exit-code.ts';
import { jsonOf, mintmark } from '../run-cli.ts';
import type { Story } from '../story.ts';
import { openResourceDesk, type ResourceDesk } from './desk.ts';

/** The licence that the stories are about; each goes on where the one before it ended. */
const made = { license: '' };
let desk: ResourceDesk;
let story: Story;

beforeAll(async () => {
  desk = await openResourceDesk();
  story = desk.story;
});

afterAll(async () => {
  await desk.close();
});

describe('mintmark license', () => {
  it('creates with the key in full, and shows it masked from then on', async () => {
    const license = await desk.createLicense('--name', 'Jane Doe', '--user-email', 'jane@example.com');
    made.license = String(license['id']);
    writeFileSync(desk.at('license-key.txt'), `${String(license['key'])}\n`);
    expect(license['key']).toMatch(/^EDIT(?:-[0-9A-HJKMNP-TV-Z]{4}){4}$/);
    const shown = await story.text(['license', 'show', made.license]);
    expect(shown).toMatch(/^key +EDIT-••••-••••-••••-[0-9A-Z]{4}$/m);
    expect(shown).not.toContain(String(license['key']));
  });

  it('creates a batch into a new file', async () => {
    const ids = ['--product-id', desk.stock.product, '--policy-id', desk.stock.policy];
    const out = ['--out', desk.at('batch.jsonl')];
    const batch = await story.data(['license', 'batch', ...ids, '--count', '3', ...out]);
    expect(batch).toEqual({ count: 3, file: desk.at('batch.jsonl') });
    const [first] = readFileSync(desk.at('batch.jsonl'), 'utf8').split('\n');
    const { id } = JSON.parse(first ?? '') as { id: string };
    for (const line of readFileSync(desk.at('batch.jsonl'), 'utf8').trimEnd().split('\n')) {
      const license = JSON.parse(line) as { id: string; key: string };
      expect(license.key).toMatch(/^EDIT(?:-[0-9A-HJKMNP-TV-Z]{4}){4}$/);
      expect(await story.text(['license', 'delete', license.id])).toBe('done\n');
    }
    await story.refused(['license', 'show', id], 'NOT_FOUND');
  });

  it('leaves no empty file behind a batch that was refused', async () => {
    const ids = ['--product-id', desk.stock.product, '--policy-id', 'pol_01J00000000000000000000000'];
    const batch = ['license', 'batch', ...ids, '--count', '3', '--out', desk.at('none.jsonl')];
    await story.refused(batch, 'NOT_FOUND');
    expect(existsSync(desk.at('none.jsonl'))).toBe(false);
  });

  it('takes `policy` for the limit of the policy, and refuses `none`', async () => {
    const id = String((await desk.createLicense('--max-machines', '7'))['id']);
    const update = (limit: string) => story.run(['license', 'update', id, '--max-machines', limit]);
    const none = await update('none');
    expect([none.code, none.stderr]).toEqual([EXIT.usage, expect.stringContaining('Write policy for')]);
    expect(await story.data(['license', 'show', id])).toMatchObject({ maxMachinesOverride: 7 });
    expect((await update('policy')).code).toBe(EXIT.ok);
    expect(await story.data(['license', 'show', id])).toMatchObject({ maxMachinesOverride: null });
  });

  it('restores what was deleted, and finds by metadata that the product declares indexed', async () => {
    const [gone] = await story.rows(['license', 'list', '--deleted', '--product-id', desk.stock.product]);
    const id = String(gone?.['id']);
    expect(await story.data(['license', 'restore', id, '--machines', 'false'])).toMatchObject({ id });
    await story.refused(['license', 'restore', id], 'NOT_FOUND');
    const where = ['license', 'list', '--where', 'plan=pro', '--product-id', desk.stock.product];
    await story.refused(where, 'VALIDATION_FAILED');
    await story.data(['product', 'update', desk.stock.product, '--indexed-metadata', 'plan,region']);
    await story.data(['license', 'update', id, '--metadata', '{"plan":"pro"}']);
    const indexing = async () =>
      (await story.data(['product', 'show', desk.stock.product]))['metadataIndexing'];
    while (String(await indexing()) !== '');
    expect(await story.rows([...where, '--where', 'region=eu'])).toEqual([]);
    expect((await story.rows(where)).map((row) => row['id'])).toEqual([id]);
    expect(await story.text(['license', 'delete', id])).toBe('done\n');
  });

  it('finds a licence by its key, without the key on the command line', async () => {
    const found = await story.data(['license', 'lookup', '--license-key-file', desk.at('license-key.txt')]);
    expect(found).toMatchObject({ id: made.license });
    const place = ['--data-dir', join(desk.daemon.dir, 'data')];
    const input = readFileSync(desk.at('license-key.txt'), 'utf8');
    const piped = await mintmark(['license', 'lookup', '--license-key-file', '-', ...place], { input });
    expect(piped.stdout).toContain(made.license);
    const none = await mintmark(['license', 'lookup', ...place]);
    expect([none.code, none.stderr]).toEqual([
      EXIT.usage,
      expect.stringContaining('no licence key was given'),
    ]);
  });

  it('shows and explains a licence that is named by its key', async () => {
    const byKey = ['--license-key-file', desk.at('license-key.txt')];
    expect(await story.data(['license', 'show', ...byKey])).toMatchObject({ id: made.license });
    const explained = await story.run(['license', 'explain', ...byKey, '--json']);
    expect(explained.code).toBe(EXIT.invalid);
    expect(jsonOf(explained)['data']).toMatchObject({ valid: false, code: 'FINGERPRINT_REQUIRED' });
  });

  it('reveals the key into a new file only, where there is no terminal', async () => {
    const leak = await story.run(['license', 'reveal', made.license]);
    expect([leak.code, leak.stdout]).toEqual([EXIT.usage, '']);
    const piped = await story.text(['license', 'reveal', made.license, '--print-secret']);
    expect(piped).toContain(readFileSync(desk.at('license-key.txt'), 'utf8').trim());
    const out = await story.text([
      'license',
      'reveal',
      made.license,
      '--secret-out',
      desk.at('revealed.txt'),
    ]);
    expect(readFileSync(desk.at('revealed.txt'), 'utf8')).toBe(
      readFileSync(desk.at('license-key.txt'), 'utf8'),
    );
    expect(out).toMatch(/^userEmail: +jane@example\.com$/m);
    expect(out).toMatch(/^key: +written to /m);
  });

  it('changes fields, limits and entitlements', async () => {
    const update = ['license', 'update', made.license];
    expect(await story.data([...update, '--max-machines', '5'])).toMatchObject({ maxMachinesOverride: 5 });
    expect(await story.data([...update, '--max-machines', 'policy'])).toMatchObject({
      maxMachinesOverride: null,
    });
    await story.text(['license', 'entitle', made.license, desk.stock.entitlement]);
    expect(await story.data(['license', 'show', made.license])).toMatchObject({
      entitlements: ['export-pdf'],
    });
    await story.text(['license', 'disentitle', made.license, desk.stock.entitlement]);
    expect(await story.data(['license', 'show', made.license])).toMatchObject({ entitlements: [] });
  });

  it('goes through the states, and refuses what a state does not allow', async () => {
    const suspended = await story.data(['license', 'suspend', made.license, '--reason', 'invoice open']);
    expect(suspended).toMatchObject({ status: 'suspended' });
    await story.refused(['license', 'suspend', made.license], 'CONFLICT');
    expect(await story.data(['license', 'reinstate', made.license])).toMatchObject({ status: 'active' });
    const other = await story.data([
      ...['policy', 'create', '--product-id', desk.stock.product, '--name', 'Term'],
      ...['--template', 'desktop_app', '--duration-days', '30'],
    ]);
    const transfer = ['license', 'transfer', made.license, '--policy-id', String(other['id'])];
    const moved = await story.data([...transfer, '--keep-expiry', 'false']);
    expect(moved).toMatchObject({ policyId: other['id'] });
    const { expiresAt } = await story.data(['license', 'show', made.license]);
    const renewed = await story.data(['license', 'renew', made.license, '--days', '365']);
    expect(Date.parse(String(renewed['expiresAt'])) - Date.parse(String(expiresAt))).toBe(365 * 86_400_000);
    const back = ['license', 'transfer', made.license, '--policy-id', desk.stock.policy];
    expect(await story.data(back)).toMatchObject({
      policyId: desk.stock.policy,
      expiresAt: renewed['expiresAt'],
    });
  });

  it('ends licences for good, and lists by state', async () => {
    const [revoked, banned, deleted] = [
      await desk.createLicense(),
      await desk.createLicense(),
      await desk.createLicense(),
    ];
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
    await desk.createLicense('--name', '\u001b[2Jmintmark: all is well');
    const table = await story.text(['license', 'list']);
    expect(table).toContain(String.raw`\u001b[2Jmintmark: all is well`);
    expect(table).not.toContain('\u001b');
  });
});

describe('the stories', () => {
  it('have used every command', () => {
    desk.expectAllTold('license');
  });
});
