import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { jsonOf, mintmark, type Transcript } from '../cli/run-cli.ts';
import { initFlags, type ServedAppliance, serveAppliance } from '../support/appliance-process.ts';
import { dataOf, temporaryDirectory } from '../support/daemon.ts';
import { hasCompiler, Pkcs11Shim } from '../support/pkcs11-shim.ts';
import { missingForTokens, NO_BACKUP, SoftHsm, tokenSets } from '../support/softhsm.ts';
import { stockUp } from '../support/stock.ts';

const missing = missingForTokens() ?? (hasCompiler() ? null : 'there is no C compiler');
const FINGERPRINT = 'machine-of-the-first-customer';
const title = 'an appliance whose token has no Ed25519';

describe.skipIf(missing !== null)(missing === null ? title : `${title}: NOT TRIED, ${missing}`, () => {
  const directory = temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  const appliance = { data: at('data'), credential: at('kek') };
  let hsm: SoftHsm;
  let shim: Pkcs11Shim;
  let sets: string[];
  let daemon: ServedAppliance;

  const run = (args: readonly string[]): Promise<Transcript> => mintmark(args);
  const init = (more: readonly string[] = []): Promise<Transcript> =>
    run([...initFlags(directory.path), ...NO_BACKUP, ...[...sets, ...more].flatMap((one) => ['--set', one])]);

  beforeAll(() => {
    hsm = new SoftHsm();
    shim = new Pkcs11Shim();
    const settings = shim.inFrontOf(hsm);
    sets = tokenSets({ ...settings, environment: { ...settings.environment, SHIM_NO_EDDSA: '1' } });
  });

  afterAll(async () => {
    expect(await daemon.stop()).toBe(0);
    shim[Symbol.dispose]();
    hsm[Symbol.dispose]();
    directory[Symbol.dispose]();
  });

  it('is not made with a ledger key that no note can carry, and says how it is', async () => {
    const refused = await init();
    expect(refused.code).toBe(EXIT.refused);
    expect(refused.stderr).toContain('custody.inFiles = ["ledger"]');
    expect(readdirSync(appliance.data)).toEqual([]);
    const made = await init(['custody.inFiles=ledger']);
    expect(made.code, made.stderr).toBe(0);
  });

  it('issues files of ECDSA P-256 that are verified offline, and keeps a software ledger key', async () => {
    daemon = await serveAppliance(appliance, [...sets, 'ledger.checkpointSeconds=1']);
    const operate = (args: readonly string[]): Promise<Transcript> =>
      run([...args, '--data-dir', appliance.data]);
    const keys = jsonOf(await operate(['keys', 'list', '--json']))['data'] as Record<string, string>[];
    const kinds = keys.map(
      ({ purpose, algorithm, custodian }) => `${purpose === 'ledger'} ${algorithm} ${custodian}`,
    );
    expect(new Set(kinds)).toEqual(new Set(['true EdDSA file', 'false ES256 pkcs11']));
    const stock = await stockUp(
      { url: daemon.url, key: readFileSync(at('secret.txt'), 'utf8').trim() },
      'editor',
    );
    const license = await stock.license();
    await dataOf(stock.post(`/licenses/${license.id}/machines`, { fingerprint: FINGERPRINT }));
    const file = await dataOf(stock.post(`/licenses/${license.id}/checkout`, { fingerprint: FINGERPRINT }));
    writeFileSync(at('machine.lic'), String(file['certificate']));
    writeFileSync(at('license-key.txt'), license.key);
    expect((await operate(['trust', 'export', '--out', at('trust.json')])).code).toBe(0);
    const root = (await operate(['trust', 'fingerprint'])).stdout.trim();
    const verdict = await run([
      ...['verify', at('machine.lic'), '--trust', at('trust.json'), '--json', '--root', root],
      ...['--license-key-file', at('license-key.txt'), '--product', 'editor', '--fingerprint', FINGERPRINT],
    ]);
    expect(verdict.code, verdict.stdout + verdict.stderr).toBe(EXIT.ok);
    expect(jsonOf(verdict)).toMatchObject({ valid: true });
  });

  it('goes on signing its ledger, whose key is in a file, while the token is away', async () => {
    hsm.unplug();
    const target = { url: daemon.url, key: readFileSync(at('secret.txt'), 'utf8').trim() };
    const stock = await stockUp(target, 'viewer');
    const license = await stock.license();
    await dataOf(stock.post(`/licenses/${license.id}/machines`, { fingerprint: FINGERPRINT }));
    const path = `/licenses/${license.id}/checkout`;
    expect((await stock.post(path, { fingerprint: FINGERPRINT })).body['code']).toBe('SIGNER_UNAVAILABLE');
    const statusOf = async (): Promise<{ state: string; ledger: { signed: number; entries: number } }> =>
      jsonOf(await run(['status', '--json', '--data-dir', appliance.data]))['data'] as never; // the route's answer
    const { state, ledger } = await statusOf();
    expect(state).toBe('signer-away');
    // Everything that was in the ledger a moment ago is under a checkpoint soon.
    while ((await statusOf()).ledger.signed < ledger.entries) await sleep(200);
    expect((await statusOf()).state).toBe('signer-away');
    hsm.plugIn();
  });
});
