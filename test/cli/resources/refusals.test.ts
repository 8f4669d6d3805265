import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiRefusal } from '../../../src/cli/api-client.ts';
import { FieldFlag, inCommandWords } from '../../../src/cli/command-words.ts';
import { EXIT } from '../../../src/cli/exit-code.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { mintmark } from '../run-cli.ts';
import { openResourceDesk, type ResourceDesk } from './desk.ts';

let desk: ResourceDesk;
let license: string;

beforeAll(async () => {
  desk = await openResourceDesk();
  license = String((await desk.createLicense())['id']);
});

afterAll(async () => {
  await desk.close();
});

/** A command line with the ids of the desk. */
const withIds = (text: string): string[] =>
  text
    .replaceAll('PRODUCT', desk.stock.product)
    .replaceAll('POLICY', desk.stock.policy)
    .replaceAll('LICENSE', license)
    .split(' ');

const ABSENT = '01J00000000000000000000000';

describe('a refusal', () => {
  it.each([
    [
      'license create --product-id PRODUCT --policy-id POLICY --expires-at soon --print-secret',
      '--expires-at is not valid: must be a time in ISO 8601',
    ],
    ['license update LICENSE --max-machines 0', '--max-machines is not valid: must be a whole number'],
    [
      'policy create --product-id PRODUCT --name X --max-machines none',
      'needs --allow-unlimited',
      'allowUnlimitedActivations',
    ],
    [
      'api-key create --name x --scopes licence:read --print-secret',
      '--scopes, item 1 is not valid',
      'scopes.0',
    ],
    [
      'api-key create --name x --scopes licenses:read --allowed-products editor --print-secret',
      '--allowed-products, item 1 is not valid: must be an id: prod_ and 26 letters and digits',
      'A-HJKMNP',
    ],
    [
      'policy update POLICY --overage-strategy ALLOW_2',
      '--overage-strategy is not valid: must be one of NO_OVERAGE, ALLOW_1_25X, ALLOW_1_5X, ALLOW_2X, ALWAYS_ALLOW; did you mean',
    ],
    ['license signed-key LICENSE', 'check out a file instead'],
    ['license checkout LICENSE', 'Give --fingerprint, as `mintmark fingerprint --plain` prints it'],
    ['product show editor', '`mintmark product list` shows the ids'],
    ['keys rotate --purpose response --environment test --now', "to the letter: --confirm '", '`confirm`'],
    [`product show prod_${ABSENT}`, '`mintmark product list --deleted` shows what can be restored'],
    [
      `license create --product-id PRODUCT --policy-id pol_${ABSENT} --print-secret`,
      '`mintmark policy list` shows the ids',
    ],
    ['sweep release foo', '`mintmark sweep list` shows those that are held'],
    ['license list --tenant nope', '--tenant names no tenant of this appliance', 'X-Mintmark'],
    ['license list --tenant nope', '`mintmark tenant list` shows ids and codes', 'X-Mintmark'],
  ])('of `%s` says: %s', async (command, words, never = 'expiresAt') => {
    const { code, stdout, stderr } = await desk.story.run(withIds(command));
    expect({ code, stdout }).toEqual({ code: EXIT.refused, stdout: '' });
    expect(stderr).toContain(words);
    expect(stderr).not.toContain(never);
  });

  it.each([
    ['license create --product PRODUCT', "unknown option '--product'"],
    ['license create', 'missing: --product-id <id>, --policy-id <id>'],
    ['license create --product-id PRODUCT', 'missing: --policy-id <id>'],
    ['license batch --count 3', 'missing: --product-id <id>, --policy-id <id>'],
    ['license update LICENSE', 'nothing to change was named'],
    ['product update PRODUCT', 'nothing to change was named'],
    ['license show PRODUCT', 'is no id of a licence: those begin with lic_'],
    ['license explain PRODUCT', 'is no id of a licence: those begin with lic_'],
  ])('of the command line `%s` comes before anything is sent: %s', async (command, words) => {
    const { code, stdout, stderr } = await desk.story.run(withIds(command));
    expect({ code, stdout }).toEqual({ code: EXIT.usage, stdout: '' });
    expect(stderr).toContain(words);
    expect(stderr).not.toContain('secret on the command line');
  });

  it('names every member of a request by the option that fills it', () => {
    const leaves = buildProgram(() => undefined).commands.flatMap((group) => group.commands);
    const flags = leaves.flatMap((leaf) =>
      leaf.options.filter((option) => option instanceof FieldFlag).map((option) => ({ leaf, option })),
    );
    expect(flags.length).toBeGreaterThan(100);
    for (const { leaf, option } of flags) {
      const { field, long } = option;
      const told = { status: 422, remedy: '', ownRemedy: false, retryAfterMs: null };
      const errors = [{ path: field, code: 'X', message: 'wrong' }];
      const refusal = new ApiRefusal('X', `VALIDATION_FAILED: ${field} is not valid: wrong`, {
        ...told,
        errors,
      });
      expect(inCommandWords(refusal, leaf).message).toBe(
        `VALIDATION_FAILED: ${String(long)} is not valid: wrong`,
      );
    }
  });

  it('says what to do where the socket may not be opened, or https is asked of http', async () => {
    const tls = desk.daemon.url.replace('http:', 'https:');
    const asked = await mintmark(['product', 'list', '--url', tls]);
    expect([asked.code, asked.stderr]).toEqual([
      EXIT.unreachable,
      expect.stringContaining('write --url http://…'),
    ]);
  });

  it('takes a day for the end of a licence: its last moment', async () => {
    const made = await desk.createLicense('--expires-at', '2033-01-31');
    expect(made).toMatchObject({ expiresAt: '2033-01-31T23:59:59.999Z' });
  });

  it('names --tenant where there are several tenants', async () => {
    await desk.story.data(['tenant', 'create', '--name', 'Globex', '--code', 'globex']);
    const place = ['--data-dir', join(desk.daemon.dir, 'data')];
    for (const command of [
      ['license', 'list'],
      ['trust', 'export'],
    ]) {
      const { code, stderr } = await mintmark([...command, ...place]);
      expect(code).toBe(EXIT.refused);
      expect(stderr).toContain('name one with --tenant <code>');
      expect(stderr).toContain('`mintmark tenant list` shows');
      expect(stderr).not.toMatch(/X-Mintmark|publishable|path/);
    }
  });
});
