import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonOf, mintmark } from '../cli/run-cli.ts';
import { initFlags, type ServedAppliance, serveAppliance } from '../support/appliance-process.ts';
import { type Answered, dataOf, temporaryDirectory } from '../support/daemon.ts';
import { hasCompiler, Pkcs11Shim } from '../support/pkcs11-shim.ts';
import { missingForTokens, NO_BACKUP, SoftHsm, tokenSets } from '../support/softhsm.ts';
import { type Stock, stockUp } from '../support/stock.ts';

const missing = missingForTokens() ?? (hasCompiler() ? null : 'there is no C compiler');
const FINGERPRINT = 'machine-of-the-first-customer';
const title = 'an appliance whose token is broken';
const AWAY = [503, 'SIGNER_UNAVAILABLE'];

describe.skipIf(missing !== null)(missing === null ? title : `${title}: NOT TRIED, ${missing}`, () => {
  const directory = temporaryDirectory();
  const appliance = { data: join(directory.path, 'data'), credential: join(directory.path, 'kek') };
  let hsm: SoftHsm;
  let shim: Pkcs11Shim;
  let daemon: ServedAppliance;
  let stock: Stock;
  let license: { readonly id: string };

  const checkout = (): Promise<Answered> =>
    stock.post(`/licenses/${license.id}/checkout`, { fingerprint: FINGERPRINT });
  const told = ({ status, body }: Answered): unknown[] => [status, body['code']];

  beforeAll(async () => {
    hsm = new SoftHsm();
    shim = new Pkcs11Shim();
    shim.order('');
    const sets = tokenSets(shim.inFrontOf(hsm));
    const flags = [...initFlags(directory.path), ...NO_BACKUP, ...sets.flatMap((one) => ['--set', one])];
    const made = await mintmark(flags);
    expect(made.code, made.stderr).toBe(0);
    daemon = await serveAppliance(appliance, sets);
    const key = readFileSync(join(directory.path, 'secret.txt'), 'utf8').trim();
    stock = await stockUp({ url: daemon.url, key }, 'editor');
    license = await stock.license();
    await dataOf(stock.post(`/licenses/${license.id}/machines`, { fingerprint: FINGERPRINT }));
  });

  afterAll(async () => {
    expect(await daemon.stop()).toBe(0);
    shim[Symbol.dispose]();
    hsm[Symbol.dispose]();
    directory[Symbol.dispose]();
  });

  it.each([
    { what: 'hangs', order: 'hang', seen: AWAY },
    { what: 'signs wrong', order: 'wrong', seen: AWAY },
    { what: 'forbids the mechanism', order: 'fail 104', seen: [500, 'SIGNER_REFUSED'] },
  ])(
    'that $what: callers see $seen, reads and validation go on, and it mends without a restart',
    async (broken) => {
      expect((await checkout()).status).toBe(200);
      shim.order(broken.order);
      const refused = await checkout();
      expect(told(refused)).toEqual(broken.seen);
      expect(JSON.stringify(refused.body)).not.toMatch(/CKR_|softhsm|shim|agent/i);
      expect((await stock.post(`/licenses/${license.id}/validate`)).status).toBe(200);
      expect((await stock.get(`/licenses/${license.id}`)).status).toBe(200);
      shim.order('');
      while ((await checkout()).status !== 200) await sleep(200);
      const status = jsonOf(await mintmark(['status', '--json', '--data-dir', appliance.data]))['data'];
      expect(status).toMatchObject({ state: 'ready' });
    },
  );

  it('whose PIN was changed and written into its file is logged in to by the next agent', async () => {
    hsm.pkcs11Tool(['--change-pin', '--new-pin', '87654321']);
    hsm.writePin('87654321');
    shim.order('crash');
    expect(told(await checkout())).toEqual(AWAY);
    shim.order('');
    while ((await checkout()).status !== 200) await sleep(200);
  });

  it('that lost a key misses that one alone', async () => {
    const keys = jsonOf(await mintmark(['keys', 'list', '--json', '--data-dir', appliance.data]))[
      'data'
    ] as Record<string, string>[];
    const live = keys.find((key) => key['purpose'] === 'license' && key['environment'] === 'live');
    const objects = hsm.pkcs11Tool(['--list-objects', '--type', 'privkey'], '87654321');
    const ids = Array.from(objects.matchAll(/mintmark\/license\/([0-9a-f]{32})/g), ([, id = '']) => id);
    expect(ids).toHaveLength(2);
    for (const id of ids) hsm.pkcs11Tool(['--delete-object', '--type', 'privkey', '--id', id], '87654321');
    expect(told(await checkout())).toEqual(AWAY);
    expect((await stock.post(`/licenses/${license.id}/validate`)).status).toBe(200);
    const checkpoints = jsonOf(await mintmark(['status', '--json', '--data-dir', appliance.data]))['data'];
    expect(checkpoints).toMatchObject({
      state: 'ready',
      custodians: expect.arrayContaining([
        expect.objectContaining({
          custodian: 'pkcs11',
          state: 'degraded',
          detail: expect.stringContaining(live?.['kid'] ?? '-') as string,
        }),
      ]) as unknown[],
    });
  });
});
