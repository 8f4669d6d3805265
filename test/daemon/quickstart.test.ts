import { spawnSync } from 'node:child_process';
import { createHash, createDecipheriv } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/daemon.ts';

const SCRIPT = new URL('../../scripts/quickstart.ts', import.meta.url).pathname;
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

const directory = temporaryDirectory();
const place = join(directory.path, 'quickstart');
let said: string;

const read = (name: string): string => readFileSync(join(place, name), 'utf8');

beforeAll(() => {
  const run = spawnSync(process.execPath, [SCRIPT, '--dir', place], { encoding: 'utf8' });
  said = run.stdout;
  expect(run.status, `${run.stdout}${run.stderr}`).toBe(0);
});

afterAll(() => {
  directory[Symbol.dispose]();
});

/** CERT of a file, taken apart by hand. */
function certificateOf(name: string): { enc: string; sig: string; alg: string } {
  const body = read(name).split('\n').slice(1, -2).join('');
  return JSON.parse(Buffer.from(body, 'base64').toString('utf8')) as {
    enc: string;
    sig: string;
    alg: string;
  };
}

describe('quickstart', () => {
  it('leaves the files it names, all for their owner alone', () => {
    const files = ['license-key.txt', 'fingerprint.txt', 'license.lic', 'machine.lic', 'public-key.hex'];
    for (const name of [...files, 'root-public-key.hex', 'trust-bundle.json']) {
      expect(statSync(join(place, name)).mode & 0o077, name).toBe(0);
    }
    expect(statSync(place).mode & 0o777).toBe(0o700);
  });

  it('shows two valid files, a changed one refused, and says what must not go to production', () => {
    expect(said).toContain('license.lic: VALID');
    expect(said).toContain('machine.lic: VALID');
    expect(said).toContain('one byte changed: refused');
    expect(said).toContain('may go to production');
    expect(said).not.toContain(read('license-key.txt').trim());
  });

  it.each(['license', 'machine'])('makes a %s file that openssl verifies', (kind) => {
    const { enc, sig, alg } = certificateOf(`${kind}.lic`);
    expect(alg).toBe('aes-256-gcm+ed25519');
    const at = (name: string): string => join(directory.path, name);
    writeFileSync(at('message'), `${kind}/${enc}`);
    writeFileSync(at('signature'), Buffer.from(sig, 'base64'));
    writeFileSync(at('key'), Buffer.concat([SPKI_PREFIX, Buffer.from(read('public-key.hex').trim(), 'hex')]));
    const args = ['pkeyutl', '-verify', '-rawin', '-pubin', '-keyform', 'DER', '-inkey', at('key')];
    const run = spawnSync('openssl', [...args, '-in', at('message'), '-sigfile', at('signature')], {
      encoding: 'utf8',
    });
    expect(run.stdout).toContain('Signature Verified Successfully');
    writeFileSync(at('message'), `${kind}/${enc.slice(0, -1)}A`);
    expect(
      spawnSync('openssl', [...args, '-in', at('message'), '-sigfile', at('signature')]).status,
    ).not.toBe(0);
  });

  it('encrypts a machine file under licence key and fingerprint, and marks it as a development file', () => {
    const { enc } = certificateOf('machine.lic');
    const [ciphertext = '', iv = '', tag = ''] = enc.split('.').map((part) => Buffer.from(part, 'base64'));
    const secret = read('license-key.txt').trim() + read('fingerprint.txt').trim();
    const key = createHash('sha256').update(secret).digest();
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv), { authTagLength: 16 });
    decipher.setAuthTag(Buffer.from(tag));
    const text = Buffer.concat([decipher.update(Buffer.from(ciphertext)), decipher.final()]).toString('utf8');
    const dataset = JSON.parse(text) as { data: { type: string }; meta: Record<string, unknown> };
    expect(dataset.data.type).toBe('machines');
    expect(dataset.meta).toMatchObject({
      dev: true,
      iss: 'MINTMARK DEV',
      env: 'live',
      product: 'quickstart-editor',
    });
  });

  it('can be run again over what it left', () => {
    const before = read('license-key.txt');
    const run = spawnSync(process.execPath, [SCRIPT, '--dir', place], { encoding: 'utf8' });
    expect(run.status, run.stdout).toBe(0);
    expect(read('license-key.txt')).not.toBe(before);
    expect(existsSync(join(place, 'appliance', 'data', 'mintmark.db'))).toBe(true);
    expect(readdirSync(place)).not.toContain('appliance.pid');
  });
});
