import { createDecipheriv, createHash, verify, createPublicKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { datasetOf, membersOf } from '../../scripts/vectors/forge.ts';
import {
  FINGERPRINT,
  KEYS,
  LICENSE,
  LICENSE_KEY,
  META,
  PROTECTION,
  sampleLicenseFile,
  sampleMachineFile,
  ENTITLEMENT,
} from '../../scripts/vectors/samples.ts';
import { es256Signer } from '../../scripts/vectors/signers.ts';
import { Fault } from '../../src/faults.ts';
import { prepareLicenseFile } from '../../src/issuing/license-file.ts';
import { InvariantViolation } from '../../src/lib/invariant.ts';

/** Opens `enc` as the format page says, with nothing but Node. */
function opened(file: string, secret: string): string {
  const [ciphertext, iv, tag] = membersOf(file)
    .enc.split('.')
    .map((part) => Buffer.from(part, 'base64'));
  if (ciphertext === undefined || iv === undefined || tag === undefined)
    throw new Error('enc has three parts');
  const key = createHash('sha256').update(secret, 'utf8').digest();
  const cipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 }).setAuthTag(tag);
  return Buffer.concat([cipher.update(ciphertext), cipher.final()]).toString('utf8');
}

interface Dataset {
  readonly data: {
    readonly type: string;
    readonly attributes: Readonly<Record<string, unknown>>;
    readonly relationships: object;
  };
  readonly included: readonly {
    readonly type: string;
    readonly attributes: Readonly<Record<string, unknown>>;
  }[];
  readonly meta: Readonly<Record<string, unknown>>;
}

const read = (text: string): Dataset => JSON.parse(text) as Dataset; // written by the encoder under test
const plain = { protection: PROTECTION.plain };

describe('a licence file', () => {
  const file = sampleLicenseFile();

  it('is armoured in lines of 60 with LF alone', () => {
    const lines = file.split('\n');
    expect(lines[0]).toBe('-----BEGIN LICENSE FILE-----');
    expect(lines.slice(-2)).toEqual(['-----END LICENSE FILE-----', '']);
    expect(lines.slice(1, -3).every((line) => line.length === 60)).toBe(true);
    expect(file).not.toContain('\r');
  });

  it('has a certificate of four members in their order', () => {
    expect(Object.keys(membersOf(file))).toEqual(['enc', 'sig', 'alg', 'kid']);
    expect(membersOf(file)).toMatchObject({ alg: 'aes-256-gcm+ed25519', kid: KEYS.license.ref.kid });
  });

  it('is signed over its prefix and enc', () => {
    const { enc, sig } = membersOf(file);
    const key = createPublicKey({ key: { ...KEYS.license.jwk }, format: 'jwk' });
    const signed = Buffer.from(`license/${enc}`);
    expect(verify(null, signed, key, Buffer.from(sig, 'base64'))).toBe(true);
  });

  it('is encrypted under the SHA-256 of the licence key and carries it in full', () => {
    expect(read(opened(file, LICENSE_KEY)).data.attributes['key']).toBe(LICENSE_KEY);
  });

  it('carries the masked key alone when it is not encrypted', () => {
    const text = datasetOf(sampleLicenseFile(plain));
    expect(read(text).data.attributes['key']).toBe('ACME-••••-••••-••••-H8K2');
    expect(text).not.toContain('7K3M');
    expect(membersOf(sampleLicenseFile(plain)).alg).toBe('base64+ed25519');
  });

  it('has the members of its document, attributes and meta in their order', () => {
    const { data, included, meta } = read(datasetOf(sampleLicenseFile(plain)));
    expect(Object.keys(read(datasetOf(sampleLicenseFile(plain))))).toEqual(['data', 'included', 'meta']);
    expect(Object.keys(data.attributes)).toEqual(
      'name key expiry status uses suspended scheme encrypted floating maxMachines metadata created updated'.split(
        ' ',
      ),
    );
    expect(Object.keys(data.relationships)).toEqual(['account', 'product', 'policy', 'entitlements']);
    expect(included.map(({ type }) => type)).toEqual(['entitlements']);
    expect(Object.keys(meta)).toEqual(
      'issued expiry ttl v kid jti branch seq anchor epoch tenant env iss product enforcement grace'.split(
        ' ',
      ),
    );
  });

  it('shortens the ledger root to 16 bytes and tells the seconds it lives', () => {
    const { meta } = read(datasetOf(sampleLicenseFile(plain)));
    expect(meta).toMatchObject({
      anchor: { size: 42, root: Buffer.alloc(16, 0xa5).toString('base64url') },
      issued: '2026-03-01T08:00:00.000Z',
      expiry: '2026-03-15T08:00:00.000Z',
      ttl: 14 * 86_400,
    });
  });

  it('names the age of revocation lists and a development appliance only when there is something to say', () => {
    const change = { meta: { crlMaxAgeDays: 30, dev: true }, ...plain };
    expect(read(datasetOf(sampleLicenseFile(change))).meta).toMatchObject({ crlMaxAgeDays: 30, dev: true });
    expect(read(datasetOf(sampleLicenseFile(plain))).meta).not.toHaveProperty('dev');
  });

  it('is the same, byte for byte, for the same input', () => {
    expect(sampleLicenseFile()).toBe(file);
  });

  it('tells the digest of its enc for ledger and revocation lists', () => {
    const prepared = prepare({});
    const { enc } = membersOf(prepared.finish(KEYS.license.sign(prepared.signingInput)));
    expect(prepared.encDigest).toEqual(createHash('sha256').update(enc).digest());
    expect(prepared.signingInput.toString()).toBe(`license/${enc}`);
  });

  it('is refused over 15 000 bytes of enc, and accepted at 15 000', () => {
    const least = prepare({}).signingInput.length - 'license/'.length;
    // Plain base64 grows by 4 for every 3 bytes: the largest that fits, and one byte more.
    const room = Math.floor((15_000 - least) / 4) * 3;
    expect(prepare({ pad: 'x'.repeat(room - 8) }).signingInput.length).toBeLessThanOrEqual(15_008);
    const tooLarge = (): unknown => prepare({ pad: 'x'.repeat(room) });
    expect(tooLarge).toThrow(Fault);
    expect(tooLarge).toThrow(expect.objectContaining({ code: 'FILE_TOO_LARGE' }));
  });

  it('is not finished with what cannot be a signature', () => {
    expect(() => prepare({}).finish(Buffer.alloc(63))).toThrow(InvariantViolation);
  });

  function prepare(metadata: Record<string, unknown>): ReturnType<typeof prepareLicenseFile> {
    return prepareLicenseFile({
      license: { ...LICENSE, metadata },
      entitlements: [ENTITLEMENT],
      meta: META,
      protection: PROTECTION.plain,
      signingKey: KEYS.license.ref,
    });
  }
});

describe('a machine file', () => {
  it('is encrypted under the SHA-256 of licence key and fingerprint', () => {
    const { data } = read(opened(sampleMachineFile(), LICENSE_KEY + FINGERPRINT));
    expect(data).toMatchObject({ type: 'machines', attributes: { fingerprint: FINGERPRINT } });
  });

  it('includes its licence first, then the entitlements, and says how it is bound', () => {
    const { data, included, meta } = read(datasetOf(sampleMachineFile(plain)));
    expect(included.map(({ type }) => type)).toEqual(['licenses', 'entitlements']);
    expect(Object.keys(data.relationships)).toEqual(['account', 'license', 'product', 'policy']);
    expect(meta['binding']).toEqual({ mode: 'exact' });
  });

  it('has what typed readers insist on: heartbeat, times and relationships', () => {
    const { data, included } = read(datasetOf(sampleMachineFile(plain)));
    expect(data.attributes).toMatchObject({
      requireHeartbeat: false,
      heartbeatStatus: 'NOT_STARTED',
      cores: 8,
    });
    expect(included[1]).toMatchObject({
      attributes: {
        code: 'export-pdf',
        created: '2026-02-01T08:00:00.000Z',
        updated: '2026-02-01T08:00:00.000Z',
      },
      relationships: {},
    });
  });

  it('is signed under its own prefix', () => {
    const { enc, sig } = membersOf(sampleMachineFile());
    const key = createPublicKey({ key: { ...KEYS.license.jwk }, format: 'jwk' });
    const signature = Buffer.from(sig, 'base64');
    expect(verify(null, Buffer.from(`machine/${enc}`), key, signature)).toBe(true);
    expect(verify(null, Buffer.from(`license/${enc}`), key, signature)).toBe(false);
  });
});

describe('a file signed with P-256', () => {
  const signer = es256Signer('es256 file');

  it('names the ecosystem’s algorithm and scheme, and carries a DER signature', () => {
    const file = sampleLicenseFile({ signer, ...plain });
    const { enc, sig, alg } = membersOf(file);
    expect(alg).toBe('base64+ecdsa-secp256r1');
    expect(read(datasetOf(file)).data.attributes['scheme']).toBe('ECDSA_P256_SIGN');
    const key = createPublicKey({ key: { ...signer.jwk }, format: 'jwk' });
    expect(verify('sha256', Buffer.from(`license/${enc}`), key, Buffer.from(sig, 'base64'))).toBe(true);
  });
});
