import { describe, expect, it } from 'vitest';
import {
  EXPIRES_AT,
  FINGERPRINT,
  ISSUED_AT,
  KEYS,
  LICENSE_KEY,
  NOW,
  PROTECTION,
  sampleLicenseFile,
  sampleMachineFile,
} from '../../scripts/vectors/samples.ts';
import { framed } from '../../scripts/vectors/forge.ts';
import { sampleBundle, sampleList } from '../../scripts/vectors/sample-messages.ts';
import { fingerprintOf } from '../../scripts/vectors/sequence-cases.ts';
import { es256Signer, publicKeyHex } from '../../scripts/vectors/signers.ts';
import {
  EMPTY_STATE,
  RevocationList,
  pinPublicKeys,
  rootFingerprint,
  verifyLicenseFile,
  verifyMachineFile,
  verifyTrustBundle,
  type VerifyOptions,
} from '../../src/verify/index.ts';
import { publishedKeys, sampleTrust } from './run-vectors.ts';

const usual: VerifyOptions = {
  trust: sampleTrust(),
  product: 'press-control',
  licenseKey: LICENSE_KEY,
  now: NOW,
};

const judge = (file: string, change: Partial<VerifyOptions> = {}): ReturnType<typeof verifyLicenseFile> =>
  verifyLicenseFile(file, { ...usual, ...change });

describe('a verdict', () => {
  it('tells what was signed: licence, entitlements, ends and file id', () => {
    const verdict = judge(sampleLicenseFile({ license: { expiresAt: EXPIRES_AT + 1 } }));
    expect(verdict.license).toEqual({
      id: 'lic_01KJM000000000000000000001',
      name: 'Werk Süd – Linie 3',
      status: 'ACTIVE',
      expiresAtMs: EXPIRES_AT + 1,
      productId: 'prod_01KJM00000000000000000001',
      metadata: { site: 'Süd', seats: 2 },
    });
    expect(verdict.entitlements.map(({ code }) => code)).toEqual(['export-pdf']);
    expect(verdict.fileId).toBe('file_01KJM00000000000000000001');
    expect(verdict.expiresAtMs).toBe(EXPIRES_AT);
    expect(verdict.machine).toBeUndefined();
  });

  it('tells the machine of a machine file', () => {
    const verdict = verifyMachineFile(sampleMachineFile(), { ...usual, fingerprint: FINGERPRINT });
    expect(verdict.machine).toMatchObject({ id: 'mach_01KJM00000000000000000001', fingerprint: FINGERPRINT });
  });

  it.each([
    ['EXPIRED', { now: EXPIRES_AT }],
    ['PRODUCT_MISMATCH', { product: 'other' }],
    ['ISSUER_MISMATCH', { issuer: 'other' }],
    ['NOT_YET_VALID', { now: ISSUED_AT - 3_600_000 }],
    ['CLOCK_ROLLED_BACK', { state: { ...EMPTY_STATE, newestTimeMs: EXPIRES_AT } }],
  ] as const)('carries the signed enforcement with %s', (code, change) => {
    const verdict = judge(sampleLicenseFile({ meta: { enforcement: 'LOG_ONLY' } }), change);
    expect(verdict).toMatchObject({ valid: false, code, enforcement: 'LOG_ONLY' });
  });

  it('carries no enforcement and no content before the file is known to be genuine', () => {
    const forged = sampleLicenseFile({ signer: KEYS.stranger, meta: { enforcement: 'LOG_ONLY' } });
    const verdict = judge(forged);
    expect(verdict).toMatchObject({
      valid: false,
      enforcement: undefined,
      content: undefined,
      license: undefined,
    });
  });

  it('marks what a development appliance issued, whether it is refused or not', () => {
    const file = sampleLicenseFile({ meta: { dev: true } });
    expect(judge(file)).toMatchObject({ valid: true, dev: true });
    expect(judge(file, { refuseDev: true })).toMatchObject({ valid: false, code: 'DEV_REFUSED', dev: true });
    expect(judge(sampleLicenseFile())).toMatchObject({ dev: false });
  });

  it('says what was not looked at', () => {
    const pinned = pinPublicKeys({ license: [publicKeyHex(KEYS.license)] });
    expect(judge(sampleLicenseFile()).unchecked).toEqual(['revocations']);
    expect(judge(sampleLicenseFile(), { trust: pinned, product: 'any' }).unchecked).toEqual([
      'product',
      'root',
      'revocations',
    ]);
    const { list } = RevocationList.accept(sampleList(), { trust: sampleTrust() });
    expect(judge(sampleLicenseFile(), { revocations: list }).unchecked).toEqual([]);
  });

  it('does not use a revocation list of another environment', () => {
    const text = sampleList({ environment: 'test' });
    const { list } = RevocationList.accept(text, { trust: sampleTrust(), environment: 'test' });
    expect(list?.environment).toBe('test');
    expect(judge(sampleLicenseFile(), { revocations: list }).unchecked).toEqual(['revocations']);
  });

  it('says when the trust bundle is due for replacement', () => {
    expect(judge(sampleLicenseFile()).trustStale).toBe(false);
    const later = Date.parse('2027-03-27T08:00:00.001Z');
    const file = sampleLicenseFile({ meta: { expiresAt: later + 1 } });
    expect(judge(file, { now: later })).toMatchObject({ valid: true, trustStale: true });
  });

  it('counts the lateness of an old list in time the verifier has seen', () => {
    const { list } = RevocationList.accept(sampleList(), { trust: sampleTrust() });
    const file = sampleLicenseFile({ meta: { crlMaxAgeDays: 5 } });
    expect(judge(file, { revocations: list })).toMatchObject({ valid: true });
    const state = { ...EMPTY_STATE, newestTimeMs: NOW + 1 };
    expect(judge(file, { revocations: list, state })).toMatchObject({ valid: false, code: 'LIST_REQUIRED' });
  });
});

describe('an empty licence key', () => {
  it.each(['', '  '])('counts as none: %j', (licenseKey) => {
    expect(judge(sampleLicenseFile(), { licenseKey }).code).toBe('LICENSE_KEY_REQUIRED');
  });
});

describe('the state', () => {
  it('keeps the newest time seen', () => {
    const { state } = judge(sampleLicenseFile());
    expect(state.newestTimeMs).toBe(NOW);
    expect(judge(sampleLicenseFile(), { state, now: NOW - 3_600_000 })).toMatchObject({
      code: 'CLOCK_ROLLED_BACK',
      state,
    });
  });

  it('learns from a file that is valid by the slack of the clock', () => {
    const { state } = judge(sampleLicenseFile(), { now: ISSUED_AT - 60_000 });
    expect(state.newestTimeMs).toBe(ISSUED_AT);
  });

  it('learns nothing from a file that is not genuine', () => {
    const { state } = judge(sampleLicenseFile({ signer: KEYS.stranger }), { now: EXPIRES_AT });
    expect(state).toEqual(EMPTY_STATE);
  });

  it('survives JSON', () => {
    const { state } = judge(sampleLicenseFile());
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });
});

describe('misuse by the application', () => {
  it('is refused when the product is left out', () => {
    expect(() => judge(sampleLicenseFile(), { product: '' })).toThrow(/^product must be its code or id/);
  });

  it('is refused when the fingerprint is left out', () => {
    expect(() => verifyMachineFile(sampleMachineFile(), { ...usual, fingerprint: '' })).toThrow(
      /^fingerprint must be/,
    );
  });

  it.each([
    ['the identity point', '01'.padEnd(64, '0')],
    ['a point of order two', 'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'],
    ['a point of order four', '00'.repeat(32)],
    ['a point of order eight', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'],
    ['a non-canonical identity point', 'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'],
    ['a non-canonical sign of x = 0', '01'.padEnd(62, '0') + '80'],
    ['bytes that are no point', '02'.padEnd(64, '0')],
    ['31 bytes', '11'.repeat(31)],
    ['text', 'not hexadecimal'],
  ])('is refused when a pinned key is %s', (_what, hex) => {
    expect(() => pinPublicKeys({ license: [hex] })).toThrow(TypeError);
  });
});

describe('the size of a file', () => {
  it('is refused over 64 KB before anything is read', () => {
    const huge = framed('license', 'A'.repeat(65_536));
    expect(judge(huge)).toMatchObject({ code: 'MALFORMED', message: 'the file is too large' });
  });

  it('is as small as promised: an encrypted licence file under 3 KB', () => {
    expect(sampleLicenseFile({ protection: PROTECTION.encrypted }).length).toBeLessThan(3072);
  });
});

describe('a pinned root', () => {
  const pin = publishedKeys.keys['root']?.fingerprint ?? '';

  it.each([
    ['in lower case', pin],
    ['in upper case', pin.toUpperCase()],
    ['with colons', (pin.match(/../g) ?? []).join(':')],
  ])('is recognised %s', (_how, root) => {
    expect(verifyTrustBundle(sampleBundle(), { roots: [root] }).code).toBe('VALID');
  });

  it('has the fingerprint of its SubjectPublicKeyInfo', () => {
    expect(rootFingerprint({ ...KEYS.root.jwk })).toBe(fingerprintOf(KEYS.root));
    const p256 = es256Signer('fingerprint');
    expect(rootFingerprint({ ...p256.jwk })).toBe(fingerprintOf(p256));
  });
});
