import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mintmark } from '../cli/run-cli.ts';
import { initFlags, serveAppliance } from '../support/appliance-process.ts';
import { dataOf, temporaryDirectory } from '../support/daemon.ts';
import { missingForTokens, NO_BACKUP, SoftHsm, tokenSets } from '../support/softhsm.ts';
import { stockUp, reach } from '../support/stock.ts';
import { MACHINE } from './desk.ts';

const missing = missingForTokens();

/** operations.md, Drills: reads and validation go on; the data opens with a recovery slot. */
it.skipIf(missing !== null)(
  `HSM dead: reads and validation go on, and the data opens with the recovery code${missing === null ? '' : `: NOT TRIED, ${missing}`}`,
  async () => {
    using directory = temporaryDirectory();
    using hsm = new SoftHsm();
    const at = (name: string): string => join(directory.path, name);
    const conf = ['--set', `pkcs11.environment=SOFTHSM2_CONF=${hsm.environment['SOFTHSM2_CONF'] ?? ''}`];
    const token = [
      '--custodian',
      'pkcs11',
      '--module',
      hsm.settings.module,
      '--token',
      'mintmark',
      ...NO_BACKUP,
    ];
    const inFiles = ['--set', 'custody.inFiles=response'];
    const made = await mintmark([
      ...initFlags(directory.path),
      ...conf,
      ...inFiles,
      ...token,
      '--pin-source',
      hsm.pinFile,
    ]);
    expect(made.code, made.stderr).toBe(0);
    const appliance = { data: at('data'), credential: at('kek') };
    const sets = tokenSets(hsm.settings);
    const key = readFileSync(at('secret.txt'), 'utf8').trim();
    const first = await serveAppliance(appliance, sets);
    const stock = await stockUp({ url: first.url, key }, 'app');
    const license = await stock.license();
    await dataOf(stock.post(`/licenses/${license.id}/machines`, MACHINE));
    await first.stop();
    hsm.unplug();
    const daemon = await serveAppliance(appliance, sets, { flags: ['--recovery-file', at('recovery.txt')] });
    const to = reach({ url: daemon.url, key });
    const validated = await to.post('/licenses/validate-key', { key: license.key, ...MACHINE });
    expect(validated.body['data']).toMatchObject({ code: 'VALID' });
    expect((await to.get(`/licenses/${license.id}`)).status).toBe(200);
    const file = await to.post(`/licenses/${license.id}/checkout`, MACHINE);
    expect([file.status, file.body['code']]).toEqual([503, 'SIGNER_UNAVAILABLE']);
    const status = await mintmark(['status', '--data-dir', appliance.data]);
    expect(status.stdout).toMatch(/state: +signer-away/);
    await daemon.stop();
  },
);
