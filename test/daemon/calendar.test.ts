import { spawnSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { membersOf } from '../../scripts/vectors/forge.ts';
import { pinPublicKeys, verifyLicenseFile } from '../../src/verify/index.ts';
import { auditDatabase } from '../campaigns/audit-database.ts';
import { mintmark } from '../cli/run-cli.ts';
import { dataOf, type RunningDaemon, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { fakeTime, fakeTimeLibrary, stepTo } from '../support/fake-time.ts';
import { reach, type Stock, stockUp } from '../support/stock.ts';

const missing = fakeTimeLibrary() === undefined;
if (missing) console.warn('special days are not tested here: faketime is not installed');
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

/**
 * How long before the moment the clock begins. Trusted time goes on with the monotonic clock, whatever the wall clock
 * says: the moment has to be waited for. The second one is for a machine that takes its time to start.
 */
const LEADS_MS = [10_000, 60_000] as const;
const DAY_MS = 86_400_000;

const MOMENTS: readonly (readonly [string, string])[] = [
  ['the end of signed 32-bit seconds', '2038-01-19T03:14:08Z'],
  ['the beginning of a leap day', '2028-02-29T00:00:00Z'],
  ['the end of a leap day', '2028-03-01T00:00:00Z'],
];

interface Issued {
  readonly certificate: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** Checks out the file of a licence; its times as the API gives them. */
async function checkOut(stock: Stock, licenseId: string): Promise<Issued> {
  const data = await dataOf(stock.post(`/licenses/${licenseId}/checkout`, { encrypt: false }));
  const [issuedAt = NaN, expiresAt = NaN] = [data['issuedAt'], data['expiresAt']].map((at) =>
    Date.parse(String(at)),
  );
  return { certificate: String(data['certificate']), issuedAt, expiresAt };
}

/** Two readings that share nothing with the daemon: our library, and openssl. */
function expectGenuine(daemon: RunningDaemon, file: Issued, now: number): void {
  const { hex } = daemon.live.publicKey;
  const trust = pinPublicKeys({ license: [hex] });
  const verdict = verifyLicenseFile(file.certificate, { trust, product: 'any', now });
  expect(verdict).toMatchObject({ valid: true, expiresAtMs: file.expiresAt });
  const later = verifyLicenseFile(file.certificate, { trust, product: 'any', now: file.expiresAt + DAY_MS });
  expect(later.code).toBe('EXPIRED');
  if (hasOpenssl) expect(opensslVerifies(daemon.dir, file.certificate, hex)).toBe(true);
}

function opensslVerifies(directory: string, certificate: string, hex: string): boolean {
  const { enc, sig } = membersOf(certificate);
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(hex, 'hex').toString('base64url') };
  const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'pem', type: 'spki' });
  const written = (name: string, content: string | Buffer): string => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };
  const key = written('verify.pem', pem);
  const message = written('verify.message', `license/${enc}`);
  const signature = written('verify.signature', Buffer.from(sig, 'base64'));
  const flags = ['-verify', '-pubin', '-inkey', key, '-rawin', '-in', message, '-sigfile', signature];
  return spawnSync('openssl', ['pkeyutl', ...flags]).status === 0;
}

async function seat(
  stock: Stock,
  fingerprint: string,
): Promise<{ readonly id: string; readonly key: string }> {
  const license = await stock.license();
  await dataOf(stock.post(`/licenses/${license.id}/machines`, { fingerprint }));
  const asked = { key: license.key, fingerprint };
  expect(await dataOf(stock.post('/licenses/validate-key', asked))).toMatchObject({
    valid: true,
    code: 'VALID',
  });
  return license;
}

/** An appliance shortly before the moment, and the file that it has issued by then. */
async function startBefore(moment: number, place: Place) {
  for (const lead of LEADS_MS) {
    stepTo(place.clock, moment - lead);
    const root = join(place.directory, `appliance-${String(lead)}`);
    const daemon = await startDaemon(root, { env: fakeTime(place.clock) });
    const target = { url: daemon.url, key: daemon.live.secretKey };
    const stock = await stockUp(target, 'calendar', { requireFingerprint: false });
    const license = await seat(stock, 'machine-before');
    const before = await checkOut(stock, license.id);
    if (before.issuedAt < moment) return { root, daemon, stock, license, before };
    await daemon.stop();
  }
  throw new Error('the appliance took more than a minute to start');
}

interface Place {
  readonly directory: string;
  /** The file that its clock follows. */
  readonly clock: string;
}

/** Checks out again and again until the moment has passed. */
async function checkOutAfter(moment: number, stock: Stock, licenseId: string): Promise<Issued> {
  for (;;) {
    const file = await checkOut(stock, licenseId);
    if (file.issuedAt >= moment) return file;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

describe.skipIf(missing)('an appliance that lives through', () => {
  it.each(MOMENTS)(
    '%s (%s) issues, validates and verifies before, after, and over a restart',
    async (_, text) => {
      const moment = Date.parse(text);
      using directory = temporaryDirectory();
      const place = { directory: directory.path, clock: join(directory.path, 'clock') };
      const { root, daemon, stock, license, before } = await startBefore(moment, place);
      const after = await checkOutAfter(moment, stock, license.id);
      await seat(stock, 'machine-after');
      expect(after.expiresAt - after.issuedAt).toBe(before.expiresAt - before.issuedAt);
      for (const file of [before, after]) expectGenuine(daemon, file, after.issuedAt);
      expect(await daemon.stop()).toBe(0);

      const again = await startDaemon(root, { env: fakeTime(place.clock) });
      const reopened = { ...stock, ...reach({ url: again.url, key: again.live.secretKey }) };
      const third = await checkOut(reopened, license.id);
      expect(third.issuedAt).toBeGreaterThan(after.issuedAt);
      expectGenuine(again, third, third.issuedAt);
      const exported = join(directory.path, 'audit');
      const data = join(again.dir, 'data');
      const commands = [
        ['audit', 'export', exported, '--data-dir', data],
        ['audit', 'verify', exported],
      ];
      for (const command of commands)
        expect(await mintmark(command, { env: fakeTime(place.clock) })).toMatchObject({ code: 0 });
      expect((await fetch(`${again.url}/ready`)).status).toBe(200);
      expect(await again.stop()).toBe(0);
      expect(auditDatabase(join(data, 'mintmark.db')).problems).toEqual([]);
    },
  );
});
