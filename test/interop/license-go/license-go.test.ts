import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  FINGERPRINT,
  KEYS,
  LICENSE_KEY,
  PROTECTION,
  sampleLicenseFile,
  sampleMachineFile,
  type SampleChange,
} from '../../../scripts/vectors/samples.ts';
import { publicKeyHex } from '../../../scripts/vectors/signers.ts';

const hasGo = spawnSync('go', ['version']).status === 0;
const TITLE = 'a typed reader in Go, written from the format page';
const MISSING = ' (skipped: install the Debian package golang-go)';

const scratch = mkdtempSync(join(tmpdir(), 'mintmark-license-go-'));
const program = join(scratch, 'reader');

afterAll(() => {
  // Go leaves its cache read-only in places.
  rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
});

/** What the reader says: id and entitlements, or its reason. */
function read(file: string, secrets: { licenseKey?: string; fingerprint?: string } = {}): string {
  const path = join(scratch, 'file.lic');
  writeFileSync(path, file);
  const { licenseKey = LICENSE_KEY, fingerprint = FINGERPRINT } = secrets;
  const key = publicKeyHex(KEYS.license);
  return spawnSync(program, [path, key, licenseKey, fingerprint], { encoding: 'utf8' }).stdout.trim();
}

const plain: SampleChange = { protection: PROTECTION.plain };
const bare: SampleChange = {
  license: { name: null, expiresAt: Date.parse('2030-01-01T00:00:00.000Z'), maxMachines: null, metadata: {} },
  machine: { name: null, platform: null, hostname: null, cores: null },
};

describe.skipIf(!hasGo)(hasGo ? TITLE : TITLE + MISSING, () => {
  beforeAll(() => {
    const env = { ...process.env, GO111MODULE: 'off', GOCACHE: join(scratch, 'cache'), GOFLAGS: '' };
    const build = spawnSync('go', ['build', '-o', program, join(import.meta.dirname, 'main.go')], {
      env,
      encoding: 'utf8',
    });
    if (build.status !== 0) throw new Error(build.stderr);
  });

  it.each([
    ['a licence file', sampleLicenseFile(), 'lic_01KJM000000000000000000001 export-pdf'],
    ['an unencrypted licence file', sampleLicenseFile(plain), 'lic_01KJM000000000000000000001 export-pdf'],
    [
      'a licence file with everything left open',
      sampleLicenseFile(bare),
      'lic_01KJM000000000000000000001 export-pdf',
    ],
    ['a machine file', sampleMachineFile(), 'mach_01KJM00000000000000000001 export-pdf'],
    ['an unencrypted machine file', sampleMachineFile(plain), 'mach_01KJM00000000000000000001 export-pdf'],
    [
      'a machine file with everything left open',
      sampleMachineFile(bare),
      'mach_01KJM00000000000000000001 export-pdf',
    ],
  ])('reads %s', (_what, file, summary) => {
    expect(read(file)).toBe(summary);
  });

  it('refuses the file of another issuer, another key and another machine', () => {
    expect(read(sampleLicenseFile({ signer: KEYS.stranger }))).toBe('refused: not genuine');
    expect(read(sampleLicenseFile(), { licenseKey: 'X' })).toMatch(/^refused: .*authentication/);
    expect(read(sampleMachineFile(), { fingerprint: 'X' })).toMatch(/^refused: .*authentication/);
  });
});
