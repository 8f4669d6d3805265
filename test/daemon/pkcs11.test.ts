import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { jsonOf, mintmark, type Transcript } from '../cli/run-cli.ts';
import { initFlags, type ServedAppliance, serveAppliance } from '../support/appliance-process.ts';
import { type Answered, dataOf, temporaryDirectory } from '../support/daemon.ts';
import { missingForTokens, NO_BACKUP, SOFTHSM_PIN, SoftHsm, tokenSets } from '../support/softhsm.ts';
import { reach, type Stock, stockUp } from '../support/stock.ts';

const missing = missingForTokens();
const FINGERPRINT = 'machine-of-the-first-customer';

describe.skipIf(missing !== null)(
  `an appliance with its keys in SoftHSM${missing === null ? '' : `: NOT TRIED, ${missing}`}`,
  () => {
    const directory = temporaryDirectory();
    const at = (name: string): string => join(directory.path, name);
    const appliance = { data: at('data'), credential: at('kek') };
    const printed: string[] = [];
    let hsm: SoftHsm;
    let sets: string[];
    let daemon: ServedAppliance;
    let stock: Stock;
    let license: { readonly id: string; readonly key: string };

    const run = async (args: readonly string[]): Promise<Transcript> => {
      const transcript = await mintmark(args);
      printed.push(transcript.stdout, transcript.stderr);
      return transcript;
    };
    const operate = (args: readonly string[]): Promise<Transcript> =>
      run([...args, '--data-dir', appliance.data]);
    const checkout = (): Promise<Answered> =>
      stock.post(`/licenses/${license.id}/checkout`, { fingerprint: FINGERPRINT });
    const validate = (): Promise<Answered> => stock.post(`/licenses/${license.id}/validate`);
    const init = (flags: readonly string[] = []): Promise<Transcript> => {
      const environment = [
        '--set',
        `pkcs11.environment=SOFTHSM2_CONF=${hsm.environment['SOFTHSM2_CONF'] ?? ''}`,
      ];
      const token = ['--custodian', 'pkcs11', '--module', hsm.settings.module, '--pin-source', hsm.pinFile];
      return run([
        ...initFlags(directory.path),
        ...environment,
        ...token,
        '--token',
        'mintmark',
        ...NO_BACKUP,
        ...flags,
      ]);
    };

    beforeAll(async () => {
      hsm = new SoftHsm();
      hsm.writePin('00000000');
      const refused = await init();
      expect(refused.code).toBe(EXIT.refused);
      expect(refused.stderr).toContain('CKR_PIN_INCORRECT');
      // Nothing stands in the way of the next try.
      expect([readdirSync(appliance.data), existsSync(appliance.credential)]).toEqual([[], false]);
      hsm.writePin(SOFTHSM_PIN);
      const made = await init();
      expect(made.code, made.stderr).toBe(0);
      expect(made.stdout).toMatch(/mintmark serve .*--set custody\.custodian=pkcs11 .*--set pkcs11\.module=/);
      sets = tokenSets(hsm.settings);
      daemon = await serveAppliance(appliance, sets);
      const key = readFileSync(at('secret.txt'), 'utf8').trim();
      stock = await stockUp({ url: daemon.url, key }, 'editor');
      license = await stock.license();
      await dataOf(stock.post(`/licenses/${license.id}/machines`, { fingerprint: FINGERPRINT }));
    });

    afterAll(async () => {
      expect(await daemon.stop()).toBe(0);
      hsm[Symbol.dispose]();
      directory[Symbol.dispose]();
    });

    it('has every signing key in the token, and no private key in a file', async () => {
      const keys = jsonOf(await operate(['keys', 'list', '--json']))['data'] as { custodian: string }[];
      expect(keys.length).toBeGreaterThan(8);
      expect(new Set(keys.map(({ custodian }) => custodian))).toEqual(new Set(['pkcs11']));
      expect(readdirSync(join(appliance.data, 'keys'))).toEqual([]);
      const objects = hsm.pkcs11Tool(['--list-objects', '--type', 'privkey']);
      expect(objects.match(/label: {6}mintmark\/[a-z]+\/[0-9a-f]{32}/g)).toHaveLength(keys.length);
      expect(objects.match(/Access: +sensitive, always sensitive, never extractable, local/gi)).toHaveLength(
        keys.length,
      );
    });

    it('issues files that are verified offline against the pinned root', async () => {
      const file = await dataOf(checkout());
      writeFileSync(at('machine.lic'), String(file['certificate']));
      writeFileSync(at('license-key.txt'), license.key);
      expect((await operate(['trust', 'export', '--out', at('trust.json')])).code).toBe(0);
      const root = (await operate(['trust', 'fingerprint'])).stdout.trim();
      const verdict = await run([
        ...['verify', at('machine.lic'), '--trust', at('trust.json'), '--json', '--root', root],
        ...['--license-key-file', at('license-key.txt'), '--product', 'editor', '--fingerprint', FINGERPRINT],
      ]);
      expect(verdict.code, verdict.stderr).toBe(EXIT.ok);
      expect(jsonOf(verdict)).toMatchObject({ valid: true });
    });

    it('rotates keys in the token, and has each of them prove itself', async () => {
      const sentence = 'verifiers without the newest trust bundle refuse what this key signs';
      const rotated = await operate([
        'keys',
        'rotate',
        '--purpose',
        'license',
        '--now',
        '--confirm',
        sentence,
      ]);
      expect(rotated.stdout, rotated.stderr).toMatch(/^license key \S{16} of \S+ live: active; replaces/);
      const lost = /replaces (\S{16})/.exec(rotated.stdout)?.[1] ?? '';
      const compromised = await operate(['keys', 'compromise', lost, '--since', '2026-01-01T00:00:00Z']);
      expect(compromised.stdout, compromised.stderr).toContain('1 products were moved');
      expect((await checkout()).status).toBe(200);
      const proofs = await operate(['keys', 'verify', '--json']);
      expect(proofs.code).toBe(EXIT.ok);
      const outcomes = (jsonOf(proofs)['data'] as { outcome: string }[]).map(({ outcome }) => outcome);
      expect(new Set(outcomes)).toEqual(new Set(['proven']));
    });

    it('goes on validating while the token is away, says so, and issues again when it is back', async () => {
      hsm.unplug();
      const refused = await checkout();
      expect([refused.status, refused.body['code']]).toEqual([503, 'SIGNER_UNAVAILABLE']);
      expect(JSON.stringify(refused.body)).not.toMatch(/softhsm|CKR_|token directory|\/tmp/i);
      expect((await validate()).status).toBe(200);
      const status = jsonOf(await operate(['status', '--json']))['data'] as Record<string, unknown>;
      expect(status['state']).toBe('signer-away');
      hsm.plugIn();
      while ((await checkout()).status === 503) await sleep(200);
      expect((await checkout()).status).toBe(200);
      expect(jsonOf(await operate(['status', '--json']))['data']).toMatchObject({ state: 'ready' });
    });

    it('tells by event and in its metrics that the token was away, and records which module it has loaded', async () => {
      const told = async (): Promise<unknown[]> =>
        (await stock.get('/events?type=system.signer_unavailable')).body['data'] as unknown[]; // the route's answer
      const before = (await told()).length;
      hsm.unplug();
      expect((await checkout()).status).toBe(503);
      while ((await told()).length === before) await sleep(200);
      const kids = (jsonOf(await operate(['keys', 'list', '--json']))['data'] as Record<string, string>[])
        .filter(
          (key) => key['purpose'] === 'license' && key['environment'] === 'live' && key['state'] === 'active',
        )
        .map(({ kid }) => kid);
      expect((await told())[0]).toMatchObject({ data: { kid: kids[0] } });
      const metricsAt = (): string => /"metrics":"([^"]+)"/.exec(daemon.stdout())?.[1] ?? '';
      const metrics = async (): Promise<string> => (await fetch(`${metricsAt()}/metrics`)).text();
      expect(await metrics()).toContain('mintmark_custodian_up{custodian="pkcs11"} 0');
      expect(await metrics()).toMatch(/^mintmark_signer_agents_started [1-9]/m);
      hsm.plugIn();
      while ((await checkout()).status === 503) await sleep(200);
      expect(await metrics()).toContain('mintmark_custodian_up{custodian="pkcs11"} 1');
      expect((await operate(['audit', 'export', at('ledger')])).code).toBe(0);
      const sha256 = createHash('sha256').update(readFileSync(hsm.settings.module)).digest('hex');
      const text = readdirSync(at('ledger'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
        .join('');
      const entry = text.split('\n').filter((line) => line.includes('module.changed'));
      expect(entry).toHaveLength(1);
      expect(entry[0]).toContain(sha256);
    });

    it('starts without its token, validates, and issues when it comes', async () => {
      expect(await daemon.stop()).toBe(0);
      hsm.unplug();
      daemon = await serveAppliance(appliance, sets);
      stock = { ...stock, ...reachOf(daemon.url) };
      expect((await validate()).status).toBe(200);
      expect((await checkout()).body['code']).toBe('SIGNER_UNAVAILABLE');
      hsm.plugIn();
      while ((await checkout()).status === 503) await sleep(200);
      expect((await checkout()).status).toBe(200);
    });

    it('says which keys it cannot find when it is given another token, and signs with none of its own', async () => {
      expect(await daemon.stop()).toBe(0);
      using other = new SoftHsm();
      daemon = await serveAppliance(appliance, tokenSets(other.settings));
      stock = { ...stock, ...reachOf(daemon.url) };
      expect((await validate()).status).toBe(200);
      expect((await checkout()).body['code']).toBe('SIGNER_UNAVAILABLE');
      const status = await operate(['status']);
      expect(status.stdout + status.stderr).toMatch(
        /signing key \S+ was not found: .*another one is configured/,
      );
    });

    it('refuses to serve when the configuration has no token', async () => {
      expect(await daemon.stop()).toBe(0);
      await expect(serveAppliance(appliance)).rejects.toThrow(/custodian pkcs11 .*not configured/);
      daemon = await serveAppliance(appliance, sets);
    });

    it('never prints the PIN, nor shows it among the processes', () => {
      const all = [...printed, daemon.stdout(), daemon.stderr()].join('\n');
      expect(all).not.toContain(SOFTHSM_PIN);
      const pid = String(daemon.child.pid);
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
      const shown = [pid, ...children].map((process) =>
        ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${process}/${file}`, 'latin1')).join(),
      );
      expect(shown.some((text) => text.includes('pkcs11/agent.ts'))).toBe(true);
      expect(shown.some((text) => text.includes(SOFTHSM_PIN))).toBe(false);
    });

    it('loads the module in the signer agent alone, which has no variable of ours', () => {
      const pid = String(daemon.child.pid);
      const [agent = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
      const maps = (process: string): string => readFileSync(`/proc/${process}/maps`, 'latin1');
      expect(maps(agent)).toContain('libsofthsm2.so');
      expect(maps(pid)).not.toMatch(/softhsm|pkcs11\.node/);
      const names = readFileSync(`/proc/${agent}/environ`, 'latin1').split('\0').filter(Boolean);
      expect(names.map((line) => line.split('=')[0])).toEqual(['SOFTHSM2_CONF']);
    });

    function reachOf(url: string) {
      return reach({ url, key: readFileSync(at('secret.txt'), 'utf8').trim() });
    }
  },
);
