import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { WITHOUT_COPY } from '../../src/custody/index.ts';
import { jsonOf, mintmark, type Transcript } from '../cli/run-cli.ts';
import { initFlags, type ServedAppliance, serveAppliance } from '../support/appliance-process.ts';
import { type Answered, dataOf, temporaryDirectory } from '../support/daemon.ts';
import { missingForTokens, NO_BACKUP, SoftHsm, tokenSets } from '../support/softhsm.ts';
import { reach, type Stock, stockUp } from '../support/stock.ts';

const missing = missingForTokens();
const FINGERPRINT = 'machine-of-the-first-customer';
const SECOND = '00000000000000b2';
const title = 'an appliance with a second token';

interface KeyRow {
  readonly kid: string;
  readonly copy: string;
}

describe.skipIf(missing !== null)(missing === null ? title : `${title}: NOT TRIED, ${missing}`, () => {
  const directory = temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  const appliance = { data: at('data'), credential: at('kek') };
  let hsm: SoftHsm;
  let first: string;
  let sets: string[];
  let daemon: ServedAppliance;
  let stock: Stock;
  let license: { readonly id: string };

  const run = (args: readonly string[]): Promise<Transcript> => mintmark(args);
  const operate = (args: readonly string[]): Promise<Transcript> =>
    run([...args, '--data-dir', appliance.data]);
  const init = (flags: readonly string[], more: readonly string[] = []): Promise<Transcript> =>
    run([...initFlags(directory.path), ...[...sets, ...more].flatMap((one) => ['--set', one]), ...flags]);
  const checkout = (): Promise<Answered> =>
    stock.post(`/licenses/${license.id}/checkout`, { fingerprint: FINGERPRINT });
  const keys = async (): Promise<KeyRow[]> =>
    jsonOf(await operate(['keys', 'list', '--json']))['data'] as KeyRow[]; // the route's answer
  const status = async () =>
    jsonOf(await operate(['status', '--json']))['data'] as {
      readonly state: string;
      readonly warnings: string[];
      readonly ledger: { readonly entries: number; readonly signed: number };
    }; // the route's answer
  const privateKeys = (): number =>
    (hsm.pkcs11Tool(['--list-objects', '--type', 'privkey']).match(/label:/g) ?? []).length;

  beforeAll(() => {
    hsm = new SoftHsm();
    [first = ''] = hsm.serials();
    const [custodian = '', , ...rest] = tokenSets(hsm.settings);
    sets = [custodian, `pkcs11.token=pkcs11:token=mintmark;serial=${first}`, ...rest];
  });

  afterAll(async () => {
    expect(await daemon.stop()).toBe(0);
    hsm[Symbol.dispose]();
    directory[Symbol.dispose]();
  });

  const withCopy = (): string[] => [
    `pkcs11.copyToken=pkcs11:serial=${SECOND}`,
    `pkcs11.copyPinSource=${hsm.pinFile}`,
  ];

  it('is not made on one token alone, unless somebody types what follows from that', async () => {
    const refused = await init([]);
    expect([refused.code, refused.stderr]).toEqual([EXIT.refused, expect.stringContaining('--no-backup')]);
    const hasty = await init(['--no-backup', 'yes']);
    expect(hasty.code).toBe(EXIT.refused);
    expect(hasty.stderr).toContain(WITHOUT_COPY);
    expect(privateKeys()).toBe(0);
    expect(readdirSync(directory.path)).not.toContain('data');
  });

  it('is not made while the second token lacks the first key', async () => {
    const refused = await init([], withCopy());
    expect([refused.code, refused.stderr]).toEqual([
      EXIT.refused,
      expect.stringContaining('no second token holds'),
    ]);
    expect(privateKeys()).toBe(1);
    expect(readdirSync(appliance.data)).toEqual([]);
  });

  it('says of keys that are in one token alone that they are, for as long as they are', async () => {
    const made = await init(NO_BACKUP);
    expect(made.code, made.stderr).toBe(0);
    daemon = await serveAppliance(appliance, [...sets, ...withCopy()]);
    stock = await stockUp({ url: daemon.url, key: readFileSync(at('secret.txt'), 'utf8').trim() }, 'editor');
    license = await stock.license();
    await dataOf(stock.post(`/licenses/${license.id}/machines`, { fingerprint: FINGERPRINT }));
    expect(new Set((await keys()).map(({ copy }) => copy))).toEqual(new Set(['none']));
    expect((await status()).warnings.join()).toMatch(/9 signing keys are in one token and in no other/);
    const seen = await operate(['hsm', 'copies']);
    expect(seen.stdout).toContain('its copy on the second token did not sign');
    expect((await status()).warnings.join()).toMatch(/in no other/);
  });

  it('proves the copies with a signature each, and takes the warning back', async () => {
    hsm.cloneToken(first, SECOND);
    const seen = await operate(['hsm', 'copies']);
    expect(seen.code, seen.stderr).toBe(0);
    const on = `pkcs11:token=mintmark;serial=${SECOND}`;
    expect(new Set((await keys()).map(({ copy }) => copy))).toEqual(new Set([on]));
    expect((await status()).warnings.join()).not.toMatch(/in no other/);
  });

  it('goes on with the copies when the first token is dead: no restart, no new root, nothing lost', async () => {
    expect((await checkout()).status).toBe(200);
    const root = (await operate(['trust', 'fingerprint'])).stdout;
    const kids = (await keys()).map(({ kid }) => kid);
    hsm.loseToken(first);
    expect((await checkout()).body['code']).toBe('SIGNER_UNAVAILABLE');
    expect((await status()).state).toBe('signer-away');
    const replaced = await operate(['hsm', 'replace']);
    expect(replaced.code, replaced.stderr).toBe(0);
    expect((await checkout()).status).toBe(200);
    const { state, ledger, warnings } = await status();
    expect(state).toBe('ready');
    // The moves are under a checkpoint before anybody is told of them; the checkout came after.
    expect(ledger.entries - ledger.signed).toBeLessThanOrEqual(2);
    expect(warnings.join()).toMatch(/9 signing keys are in one token and in no other/);
    expect((await operate(['trust', 'fingerprint'])).stdout).toBe(root);
    expect((await keys()).map(({ kid }) => kid)).toEqual(kids);
    const again = await operate(['hsm', 'replace']);
    expect([again.code, again.stderr]).toEqual([
      EXIT.refused,
      expect.stringContaining('on the second token already'),
    ]);
  });

  it('starts with the second token as its first', async () => {
    expect(await daemon.stop()).toBe(0);
    const [custodian = '', , ...rest] = sets;
    daemon = await serveAppliance(appliance, [
      ...[custodian, `pkcs11.token=pkcs11:token=mintmark;serial=${SECOND}`, ...rest],
    ]);
    const key = readFileSync(at('secret.txt'), 'utf8').trim();
    stock = { ...stock, ...reach({ url: daemon.url, key }) };
    expect((await checkout()).status).toBe(200);
  });
});
