import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createPublicKey } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { membersOf } from '../../scripts/vectors/forge.ts';
import {
  FINGERPRINT,
  KEYS,
  LICENSE,
  LICENSE_KEY,
  MACHINE,
  PROTECTION,
  sampleLicenseFile,
  sampleMachineFile,
} from '../../scripts/vectors/samples.ts';
import { publicKeyHex } from '../../scripts/vectors/signers.ts';

const PYTHON = '/usr/bin/python3';
const SCRIPT = join(import.meta.dirname, 'verify_license_file.py');
const NOW = '2026-03-02T08:00:00.000Z';

const directory = mkdtempSync(join(tmpdir(), 'mintmark-interop-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const runs = (command: string, ...argv: readonly string[]): boolean => spawnSync(command, argv).status === 0;
const hasPython = runs(PYTHON, '-c', 'import cryptography');
const hasOpenssl = runs('openssl', 'version');

function written(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

/** What the Python verifier says of a file: the document, or its reason. */
function python(
  file: string,
  change: Readonly<Record<string, string>> = {},
): { status: number | null; out: string } {
  const options = {
    'public-key': publicKeyHex(KEYS.license),
    product: LICENSE.owners.productId,
    'license-key': LICENSE_KEY,
    fingerprint: FINGERPRINT,
    now: NOW,
    ...change,
  };
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const run = spawnSync(PYTHON, ['-W', 'ignore', SCRIPT, ...flags, written('file.lic', file)], {
    encoding: 'utf8',
  });
  expect(run.stderr).toBe('');
  return { status: run.status, out: run.stdout.trim() };
}

const plain = { protection: PROTECTION.plain };

const PYTHON_TITLE = 'a verifier in Python, written from the format page';
const PYTHON_MISSING = ' (skipped: install the Debian package python3-cryptography)';

describe.skipIf(!hasPython)(hasPython ? PYTHON_TITLE : PYTHON_TITLE + PYTHON_MISSING, () => {
  it.each([
    ['a licence file', sampleLicenseFile(), LICENSE.id],
    ['an unencrypted licence file', sampleLicenseFile(plain), LICENSE.id],
    ['a machine file', sampleMachineFile(), MACHINE.id],
    ['an unencrypted machine file', sampleMachineFile(plain), MACHINE.id],
  ])('accepts %s and reads the same document', (_what, file, id) => {
    const { status, out } = python(file);
    expect(status).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      data: { id },
      meta: { tenant: 'acme', product: 'press-control' },
    });
  });

  it.each([
    [
      'a byte changed',
      {
        file: sampleLicenseFile()
          .replace('ZXlK', 'ZXlL')
          .replace(/[a-z](?=\n)/, 'Q'),
        with: {},
      },
      /refused/,
    ],
    ['another key', { file: sampleLicenseFile({ signer: KEYS.stranger }), with: {} }, /signature/],
    ['another licence key', { file: sampleLicenseFile(), with: { 'license-key': 'X' } }, /does not open/],
    ['another machine', { file: sampleMachineFile(), with: { fingerprint: 'X' } }, /does not open/],
    [
      'another machine, unencrypted',
      { file: sampleMachineFile(plain), with: { fingerprint: 'X' } },
      /another machine/,
    ],
    ['another product', { file: sampleLicenseFile(), with: { product: 'prod_other' } }, /another product/],
    ['a test file', { file: sampleLicenseFile({ meta: { environment: 'test' } }), with: {} }, /for testing/],
    [
      'a file that has expired',
      { file: sampleLicenseFile(), with: { now: '2026-03-15T08:00:00.000Z' } },
      /expired/,
    ],
  ])('refuses %s', (_what, { file, with: change }, reason) => {
    const { status, out } = python(file, change);
    expect({ status, out }).toEqual({ status: 1, out: expect.stringMatching(reason) as string });
  });
});

describe.skipIf(!hasOpenssl)(hasOpenssl ? 'openssl' : 'openssl (skipped: install it)', () => {
  const pem = createPublicKey({ key: { ...KEYS.license.jwk }, format: 'jwk' }).export({
    format: 'pem',
    type: 'spki',
  });

  it.each([
    ['license', sampleLicenseFile()],
    ['machine', sampleMachineFile()],
  ])('verifies the signature of a %s file', (kind, file) => {
    expect(opensslVerifies(file, kind)).toBe(true);
    expect(opensslVerifies(file, 'other')).toBe(false);
  });

  function opensslVerifies(file: string, prefix: string): boolean {
    const { enc, sig } = membersOf(file);
    const paths = {
      key: written('key.pem', pem.toString()),
      message: written('message', `${prefix}/${enc}`),
      signature: written('signature', Buffer.from(sig, 'base64')),
    };
    const flags = [
      '-verify',
      '-pubin',
      '-inkey',
      paths.key,
      '-rawin',
      '-in',
      paths.message,
      '-sigfile',
      paths.signature,
    ];
    return runs('openssl', 'pkeyutl', ...flags);
  }
});
