import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sampleBundle } from '../../scripts/vectors/sample-messages.ts';
import {
  FINGERPRINT,
  KEYS,
  LICENSE_KEY,
  type SampleChange,
  sampleLicenseFile,
  sampleMachineFile,
  sampleSignedKey,
} from '../../scripts/vectors/samples.ts';
import { sampleToken } from '../../scripts/vectors/sample-token.ts';
import { fingerprintOf } from '../../scripts/vectors/sequence-cases.ts';
import { publicKeyHex } from '../../scripts/vectors/signers.ts';
import { EXIT } from '../../src/cli/exit-code.ts';
import { DAY, HOUR, systemClock } from '../../src/lib/clock.ts';
import { temporaryDirectory } from '../support/daemon.ts';
import { type Around, jsonOf, mintmark, type Transcript } from './run-cli.ts';

const ROOT = fingerprintOf(KEYS.root);
/** The samples' tenant. */
const TENANT = 'acme';
const PUBLIC_KEY = publicKeyHex(KEYS.license);
/** The samples were issued at fixed times; a command looks at the clock of this machine. */
const NOW = systemClock.wall();
const META = { issuedAt: NOW - HOUR, expiresAt: NOW + DAY };

/** A directory with a licence file, a machine file, a trust bundle, licence key and fingerprint. */
function desk(change: SampleChange = {}): (args: readonly string[], around?: Around) => Promise<Transcript> {
  const directory = temporaryDirectory();
  onTestFinished(() => directory[Symbol.dispose]());
  const recent = { ...change, meta: { ...META, ...change.meta } };
  const files = {
    'license.lic': sampleLicenseFile(recent),
    'machine.lic': sampleMachineFile(recent),
    'signed-key.txt': `${sampleSignedKey({ createdAt: META.issuedAt })}\n`,
    'license.jwt': `${sampleToken()}\n`,
    'trust-bundle.json': sampleBundle({ issuedAt: NOW - DAY, nextUpdateAt: NOW + DAY }),
    'license-key.txt': `${LICENSE_KEY}\n`,
    'fingerprint.txt': `${FINGERPRINT}\n`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory.path, name), text);
  return (args, around = {}) => mintmark(['verify', ...args], { cwd: directory.path, ...around });
}

const TRUSTED = ['--trust', 'trust-bundle.json', '--root', ROOT];
const KEYED = [...TRUSTED, '--license-key-file', 'license-key.txt'];

describe('mintmark verify', () => {
  it('accepts a licence file, and says what it is and what was not checked', async () => {
    const { code, stdout, stderr } = await desk()(['license.lic', ...KEYED, '--product', 'press-control']);
    expect({ code, stderr }).toEqual({ code: EXIT.ok, stderr: '' });
    expect(stdout).toMatch(/^VALID\n/);
    expect(stdout).toMatch(/^licence: +lic_01KJM000000000000000000001$/m);
    expect(stdout).toMatch(/^entitlements: +export-pdf$/m);
    expect(stdout).toMatch(/^not checked: +revocations$/m);
  });

  it('accepts a signed key, and refuses it for another product', async () => {
    const args = ['signed-key.txt', ...TRUSTED, '--product'];
    const { code, stdout } = await desk()([...args, 'press-control']);
    expect(code).toBe(EXIT.ok);
    expect(stdout).toMatch(/^VALID\n/);
    expect(stdout).toMatch(/^licence: +lic_01KJM000000000000000000001$/m);
    const other = await desk()(['--json', ...args, 'another']);
    expect(other.code).toBe(EXIT.invalid);
    expect(jsonOf(other)).toMatchObject({
      valid: false,
      code: 'PRODUCT_MISMATCH',
      signedKey: { product: 'press-control' },
    });
  });

  it('sends whoever has a token to a JOSE library', async () => {
    const { code, stderr } = await desk()(['license.jwt', ...TRUSTED]);
    expect(code).toBe(EXIT.usage);
    expect(stderr).toContain('docs/formats/token.md');
  });

  it('says so when neither product nor root was checked', async () => {
    const args = ['license.lic', '--trust', 'trust-bundle.json', '--license-key-file', 'license-key.txt'];
    const verdict = jsonOf(await desk()(['--json', ...args]));
    expect(verdict).toMatchObject({ valid: true, code: 'VALID' });
    expect(verdict['unchecked']).toEqual(expect.arrayContaining(['product', 'root', 'revocations']));
  });

  it('accepts a machine file for the machine it names, the fingerprint from a file or an argument', async () => {
    const verify = desk();
    const fromFile = await verify(['machine.lic', ...KEYED, '--fingerprint-file', 'fingerprint.txt']);
    expect(fromFile.code).toBe(EXIT.ok);
    expect(fromFile.stdout).toMatch(/^machine: +mach_01KJM00000000000000000001$/m);
    expect((await verify(['machine.lic', ...KEYED, '--fingerprint', FINGERPRINT])).code).toBe(EXIT.ok);
  });

  it('refuses a machine file on another machine', async () => {
    const { code, stdout } = await desk()(['machine.lic', ...KEYED, '--fingerprint', 'another-machine']);
    expect(code).toBe(EXIT.invalid);
    expect(stdout).toMatch(/^NOT VALID: DECRYPTION_FAILED: /);
  });

  it('refuses a file, a signed key and a trust bundle of another tenant than --tenant', async () => {
    const pinned = ['--public-key', PUBLIC_KEY, '--license-key-file', 'license-key.txt', '--tenant'];
    const ours = await desk()(['license.lic', ...KEYED, '--tenant', TENANT]);
    expect([ours.code, ours.stderr]).toEqual([EXIT.ok, '']);
    expect((await desk()(['license.lic', ...pinned, TENANT])).code).toBe(EXIT.ok);
    const file = await desk()(['license.lic', ...pinned, 'globex']);
    expect([file.code, file.stdout]).toEqual([EXIT.invalid, expect.stringMatching(/: ISSUER_MISMATCH: /)]);
    for (const name of ['license.lic', 'signed-key.txt']) {
      const bundle = await desk()([name, ...KEYED, '--tenant', 'globex']);
      expect([bundle.code, bundle.stdout]).toEqual([EXIT.invalid, '']);
      expect(bundle.stderr).toContain('ISSUER_MISMATCH: the trust bundle is not accepted');
    }
    const fromEnvironment = { env: { MINTMARK_TENANT: 'globex' } };
    expect((await desk()(['license.lic', ...KEYED], fromEnvironment)).code).toBe(EXIT.invalid);
  });

  it('accepts the public key in place of a trust bundle', async () => {
    const args = ['license.lic', '--public-key', PUBLIC_KEY, '--license-key-file', 'license-key.txt'];
    const verdict = jsonOf(await desk()(['--json', ...args]));
    expect(verdict).toMatchObject({ valid: true });
    expect(verdict['unchecked']).toContain('root');
  });

  it('refuses every file of the vectors that nobody may accept, whatever the time', async () => {
    const cases = JSON.parse(readFileSync('test/vectors/cases.json', 'utf8')) as VectorCase[];
    const names = ['refuses a signature by another key', 'refuses content of the other kind'];
    const chosen = cases.filter(({ name }) => names.includes(name));
    expect(chosen).toHaveLength(names.length);
    for (const { input, code } of chosen) {
      const args = ['-', '--public-key', PUBLIC_KEY, '--license-key', LICENSE_KEY];
      const answer = await mintmark(['verify', '--json', ...args], { input });
      expect(answer.code).toBe(EXIT.invalid);
      expect(jsonOf(answer)).toMatchObject({ valid: false, code });
    }
  });

  it('refuses a file with one bit changed', async () => {
    const file = sampleLicenseFile({ meta: META });
    const at = file.indexOf('\n') + 40;
    const changed = `${file.slice(0, at)}${file[at] === 'A' ? 'B' : 'A'}${file.slice(at + 1)}`;
    const answer = await desk()(['-', ...KEYED], { input: changed });
    expect(answer.code).toBe(EXIT.invalid);
    expect(answer.stdout).toMatch(/^NOT VALID: /);
  });

  it('refuses an expired file, another product, another root', async () => {
    const expired = await desk({ meta: { expiresAt: NOW - 1 } })(['license.lic', ...KEYED]);
    expect([expired.code, expired.stdout]).toEqual([EXIT.invalid, expect.stringMatching(/: EXPIRED: /)]);
    const product = await desk()(['license.lic', ...KEYED, '--product', 'other']);
    expect([product.code, product.stdout]).toEqual([
      EXIT.invalid,
      expect.stringMatching(/: PRODUCT_MISMATCH: /),
    ]);
    const root = await desk()(['license.lic', '--trust', 'trust-bundle.json', '--root', '00'.repeat(32)]);
    expect(root.code).toBe(EXIT.invalid);
    expect(root.stderr).toContain('the trust bundle is not accepted');
  });

  it('accepts the file of a development appliance only where that is not refused, and says what it is', async () => {
    const verify = desk({ meta: { dev: true } });
    const accepted = await verify(['license.lic', ...KEYED]);
    expect(accepted.code).toBe(EXIT.ok);
    expect(accepted.stdout).toContain('DEVELOPMENT appliance');
    const refused = await verify(['license.lic', ...KEYED, '--refuse-dev']);
    expect([refused.code, refused.stdout]).toEqual([EXIT.invalid, expect.stringMatching(/: DEV_REFUSED: /)]);
  });

  it('accepts a file of the test environment only where that is asked for', async () => {
    const verify = desk({ meta: { environment: 'test' }, signer: KEYS.testLicense });
    const refused = await verify(['license.lic', ...KEYED]);
    expect([refused.code, refused.stdout]).toEqual([
      EXIT.invalid,
      expect.stringContaining('ENVIRONMENT_MISMATCH'),
    ]);
    expect((await verify(['license.lic', ...KEYED, '--environment', 'test'])).code).toBe(EXIT.ok);
  });

  it.each([
    [['license.lic'], 'nothing to check the signature with'],
    [['gone.lic', ...KEYED], 'gone.lic cannot be read'],
    [['machine.lic', ...KEYED], 'checked against the fingerprint of its machine'],
    [['license.lic', '--public-key', 'abc'], '--public-key takes 64 hexadecimal digits'],
    [['license.lic', '--trust', 'license.lic'], 'the trust bundle cannot be read'],
    [['license.lic', ...TRUSTED, '--environment', 'prod'], '--environment is live or test'],
  ])('says what is missing or wrong in %j', async (args, words) => {
    const { code, stderr } = await desk()(args);
    expect(code).toBe(EXIT.usage);
    expect(stderr).toContain(words);
  });
});

describe('a licence key', () => {
  it('is read from standard input', async () => {
    const args = ['license.lic', ...TRUSTED, '--license-key-file', '-'];
    const { code, stderr } = await desk()(args, { input: `${LICENSE_KEY}\n` });
    expect({ code, stderr }).toEqual({ code: EXIT.ok, stderr: '' });
  });

  it('is taken from the command line with a warning, which does not repeat it', async () => {
    const { code, stderr } = await desk()(['license.lic', ...TRUSTED, '--license-key', LICENSE_KEY]);
    expect(code).toBe(EXIT.ok);
    expect(stderr).toContain('can be read by every user of this machine');
    expect(stderr).not.toContain(LICENSE_KEY);
  });

  it('is asked for by nobody where there is no terminal: the verdict says that it is needed', async () => {
    const { code, stdout } = await desk()(['license.lic', ...TRUSTED]);
    expect(code).toBe(EXIT.invalid);
    expect(stdout).toContain('LICENSE_KEY_REQUIRED');
  });

  it.each([
    ['', 'is empty'],
    ['x'.repeat(17_000), 'too large'],
  ])('is refused when the file is %.3j…', async (text, words) => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'key.txt');
    writeFileSync(path, text);
    const { code, stderr } = await desk()(['license.lic', ...TRUSTED, '--license-key-file', path]);
    expect(code).toBe(EXIT.usage);
    expect(stderr).toContain(words);
  });
});

interface VectorCase {
  readonly name: string;
  readonly input: string;
  readonly code: string;
}
