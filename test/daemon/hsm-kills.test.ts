import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { API_KEY_SCOPES } from '../../src/access/index.ts';
import { pinPublicKeys, verifyLicenseFile } from '../../src/verify/index.ts';
import { jsonOf, mintmark } from '../cli/run-cli.ts';
import { initFlags, serveAppliance } from '../support/appliance-process.ts';
import { dataOf, temporaryDirectory } from '../support/daemon.ts';
import { sendAsOperator } from '../support/operator-socket.ts';
import { missingForTokens, NO_BACKUP, SoftHsm, tokenSets } from '../support/softhsm.ts';
import { type Stock, stockUp } from '../support/stock.ts';

/** `npm run test:hsm-kills` sets more. */
const CHECKOUTS = Number(process.env['CAMPAIGN_CHECKOUTS'] ?? '80');
const KILLS = Number(process.env['CAMPAIGN_KILLS'] ?? '2');
const CLIENTS = 8;
/** Two agents that are killed in a row open the circuit for two seconds. */
const RETRY_MS = 100;

const missing = missingForTokens();
const title = `${String(CHECKOUTS)} checkouts through ${String(KILLS)} killed signer agents`;

interface File {
  readonly fileId: string;
  readonly certificate: string;
}

describe.skipIf(missing !== null)(missing === null ? title : `${title}: NOT TRIED, ${missing}`, () => {
  it('lose no file that was answered, issue none that was not, and release no wrong signature', async () => {
    using directory = temporaryDirectory();
    using hsm = new SoftHsm();
    const appliance = { data: join(directory.path, 'data'), credential: join(directory.path, 'kek') };
    const sets = tokenSets(hsm.settings);
    const flags = [...initFlags(directory.path), ...NO_BACKUP, ...sets.flatMap((one) => ['--set', one])];
    const made = await mintmark(flags);
    expect(made.code, made.stderr).toBe(0);
    const daemon = await serveAppliance(appliance, sets);
    const stock = await stockUp({ url: daemon.url, key: await unlimitedKey(appliance.data) }, 'editor', {
      requireFingerprint: false,
    });
    const { id } = await stock.license();
    const { files, killed, refused } = await underKills(stock, id, daemon.child.pid ?? 0);
    console.info(
      `${String(files.length)} files, ${String(killed)} agents killed, ${String(refused)} times 503`,
    );
    expect(files).toHaveLength(CHECKOUTS);
    expect(killed).toBeGreaterThanOrEqual(KILLS);
    const keys = jsonOf(await mintmark(['keys', 'list', '--json', '--data-dir', appliance.data]));
    const hex = await licenseKeyOf(keys['data'] as Record<string, string>[], appliance.data);
    const trust = pinPublicKeys({ license: [hex] });
    for (const { certificate } of files) {
      expect(verifyLicenseFile(certificate, { trust, product: 'editor', now: Date.now() })).toMatchObject({
        valid: true,
      });
    }
    const ledger = join(directory.path, 'ledger');
    const exported = await mintmark(['audit', 'export', ledger, '--data-dir', appliance.data]);
    expect(exported.code, exported.stderr).toBe(0);
    expect(issuedIn(ledger).sort()).toEqual(files.map(({ fileId }) => fileId).sort());
    expect(await daemon.stop()).toBe(0);
  });
});

/** Clients that ask until they have all, and somebody who kills the agent again and again meanwhile. */
async function underKills(stock: Stock, license: string, daemon: number) {
  const files: File[] = [];
  let [asked, killed, refused] = [0, 0, 0];
  const client = async (): Promise<void> => {
    while (asked < CHECKOUTS) {
      asked += 1;
      for (;;) {
        const { status, body } = await stock.post(`/licenses/${license}/checkout`, { encrypt: false });
        if (status === 200) {
          files.push(body['data'] as File); // the route's answer
          break;
        }
        expect([status, body['code']]).toEqual([503, 'SIGNER_UNAVAILABLE']);
        refused += 1;
        await sleep(RETRY_MS);
      }
    }
  };
  const killer = async (): Promise<void> => {
    while (files.length < CHECKOUTS) {
      const due = Math.floor((files.length / CHECKOUTS) * (KILLS + 1));
      const pid = killed < due ? agentOf(daemon) : undefined;
      if (pid !== undefined) {
        process.kill(pid, 'SIGKILL');
        killed += 1;
      }
      await sleep(5);
    }
  };
  await Promise.all([...Array.from({ length: CLIENTS }, client), killer()]);
  return { files, killed, refused };
}

/** The signer agent among the children of a daemon; undefined while there is none. */
function agentOf(daemon: number): number | undefined {
  const children = readFileSync(`/proc/${String(daemon)}/task/${String(daemon)}/children`, 'utf8')
    .trim()
    .split(' ');
  return children
    .filter(Boolean)
    .map(Number)
    .find((pid) => {
      try {
        return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').includes('pkcs11/agent.ts');
      } catch {
        return false;
      }
    });
}

async function unlimitedKey(data: string): Promise<string> {
  const { body } = await sendAsOperator(data, { method: 'GET', path: '/tenants' });
  const [tenant] = body['data'] as { id: string; code: string }[]; // the route's answer
  const tier = 'unlimited';
  const path = `/tenants/${tenant?.id ?? ''}`;
  await dataOf(sendAsOperator(data, { method: 'PATCH', path, body: { tier } }));
  const headers = { 'x-mintmark-tenant': tenant?.code ?? '', 'x-mintmark-environment': 'live' };
  const key = { name: 'Campaign', scopes: API_KEY_SCOPES, tier, issueLimitPerDay: null };
  return String(
    (await dataOf(sendAsOperator(data, { method: 'POST', path: '/api-keys', body: key, headers })))['key'],
  );
}

async function licenseKeyOf(keys: readonly Record<string, string>[], data: string): Promise<string> {
  const found = keys.find(({ purpose, environment }) => purpose === 'license' && environment === 'live');
  return (await mintmark(['keys', 'export-public', found?.['kid'] ?? '', '--data-dir', data])).stdout.trim();
}

/** Ids of the files that a ledger says were issued. */
function issuedIn(ledger: string): string[] {
  const named = readdirSync(ledger, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const text = named.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')).join('\n');
  const lines = text
    .split('\n')
    .filter((line) => line.includes('"license.file_issued"') && line.includes('"done"'));
  return lines.map((line) => /"id":"(fil[a-z]*_[0-9A-Z]+)"/i.exec(line)?.[1] ?? line);
}
