import { createHash, createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sampleBundle, sampleList, sampleRotation } from '../../scripts/vectors/sample-messages.ts';
import { sampleToken } from '../../scripts/vectors/sample-token.ts';
import { FINGERPRINT, KEYS, sampleSignedKey } from '../../scripts/vectors/samples.ts';
import { es256Signer, type Signer } from '../../scripts/vectors/signers.ts';
import { keyIdOf } from '../../src/issuing/jwk.ts';

const decoded = (part: string | undefined): Record<string, unknown> =>
  JSON.parse(Buffer.from(part ?? '', 'base64url').toString('utf8')) as Record<string, unknown>; // our own encoder

function isSignedBy(signer: Signer, message: string, signature: string): boolean {
  const key = createPublicKey({ key: { ...signer.jwk }, format: 'jwk' });
  const bytes = Buffer.from(signature, 'base64url');
  if (signer.ref.algorithm === 'EdDSA') return verify(null, Buffer.from(message), key, bytes);
  return verify('sha256', Buffer.from(message), { key, dsaEncoding: 'ieee-p1363' }, bytes);
}

/** Header, payload and whether the signature is that of the signer. */
function jws(
  text: string,
  signer: Signer,
): { header: object; payload: Record<string, unknown>; good: boolean } {
  const [header = '', payload = '', signature = ''] = text.split('.');
  const good = isSignedBy(signer, `${header}.${payload}`, signature);
  return { header: decoded(header), payload: decoded(payload), good };
}

describe('a key id', () => {
  it('is the beginning of the RFC 7638 thumbprint', () => {
    // RFC 8037, appendix A.3.
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' } as const;
    expect(keyIdOf(jwk)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'.slice(0, 16));
  });

  it('depends on both coordinates of a P-256 key', () => {
    const { jwk } = es256Signer('kid');
    if (jwk.kty !== 'EC') throw new Error('a P-256 key is an EC key');
    const text = `{"crv":"P-256","kty":"EC","x":"${jwk.x}","y":"${jwk.y}"}`;
    expect(keyIdOf(jwk)).toBe(createHash('sha256').update(text).digest('base64url').slice(0, 16));
  });
});

describe('a signed key', () => {
  it('is key/ with padded base64url, signed over everything before the point', () => {
    const [input = '', signature = ''] = sampleSignedKey().split('.');
    expect(input.startsWith('key/')).toBe(true);
    expect(input.slice(4).length % 4).toBe(0);
    expect(signature.endsWith('==')).toBe(true);
    expect(isSignedBy(KEYS.license, input, signature)).toBe(true);
  });

  it('says product, policy, licence, entitlements and ends in compact JSON', () => {
    const [input = ''] = sampleSignedKey().split('.');
    expect(Buffer.from(input.slice(4), 'base64url').toString('utf8')).toBe(
      '{"product":"press-control","policy":"desktop_app","license":"lic_01KJM000000000000000000001",' +
        '"entitlements":["export-pdf"],"created":"2026-03-01T08:00:00.000Z","expiry":null,' +
        `"kid":"${KEYS.license.ref.kid}"}`,
    );
  });
});

describe('a compact token', () => {
  const { header, payload, good } = jws(sampleToken(), KEYS.license);

  it('is a license+jwt by the licence key', () => {
    expect(header).toEqual({ alg: 'EdDSA', kid: KEYS.license.ref.kid, typ: 'license+jwt' });
    expect(good).toBe(true);
  });

  it('has the claims a JOSE library checks', () => {
    expect(payload).toMatchObject({
      iss: 'Mintmark/acme/live',
      aud: 'press-control',
      sub: 'lic_01KJM000000000000000000001',
      iat: 1772352000,
      exp: 1773561600,
      jti: 'file_01KJM00000000000000000001',
    });
  });

  it('is bound to a machine by the digest of its fingerprint, and never names the fingerprint', () => {
    const digest = createHash('sha256').update(FINGERPRINT).digest('base64url');
    expect(payload['cnf']).toEqual({ mm_fp: digest });
    expect(JSON.stringify(payload)).not.toContain(FINGERPRINT);
  });
});

describe('a trust bundle', () => {
  it('has a protected header of exactly alg, kid and typ', () => {
    const { header, good } = jws(sampleBundle(), KEYS.root);
    expect(header).toEqual({ alg: 'EdDSA', kid: KEYS.root.ref.kid, typ: 'mm-trust+jws' });
    expect(good).toBe(true);
  });

  it('says what the format page says, in its order', () => {
    const { payload } = jws(sampleBundle(), KEYS.root);
    expect(Object.keys(payload)).toEqual([
      'v',
      'tenant',
      'seq',
      'issuedAt',
      'nextUpdate',
      'roots',
      'keys',
      'revocation',
    ]);
    const [key] = payload['keys'] as readonly object[]; // an array in every bundle
    expect(Object.keys(key ?? {})).toEqual(
      'kid jwk alg purpose environment state notBefore notAfter'.split(' '),
    );
  });

  it('is signed by both roots at a rotation, over one payload', () => {
    const rotation = JSON.parse(sampleRotation()) as {
      readonly payload: string;
      readonly signatures: readonly { readonly protected: string; readonly signature: string }[];
    }; // our own encoder
    const good = rotation.signatures.map((item, at) =>
      isSignedBy(
        at === 0 ? KEYS.root : KEYS.standbyRoot,
        `${item.protected}.${rotation.payload}`,
        item.signature,
      ),
    );
    expect(good).toEqual([true, true]);
  });

  it('carries a raw signature with P-256', () => {
    const signer = es256Signer('root');
    expect(jws(sampleBundle({}, signer), signer).good).toBe(true);
  });
});

describe('a revocation list', () => {
  it('names nothing in clear: the first 16 bytes of a prefixed SHA-256, sorted', () => {
    const { payload, good, header } = jws(sampleList(), KEYS.revocation);
    const entry = (id: string): string =>
      createHash('sha256').update(`mm-crl/${id}`).digest().subarray(0, 16).toString('base64url');
    expect(header).toMatchObject({ typ: 'mm-crl+jws' });
    expect(payload['files']).toEqual([entry('file_revoked'), entry('file_revoked_too')].sort());
    expect(payload['licenses']).toEqual([entry('lic_revoked')]);
    expect(good).toBe(true);
  });

  it('names each thing once', () => {
    const { payload } = jws(sampleList({ fileIds: ['a', 'a'] }), KEYS.revocation);
    expect(payload['files']).toHaveLength(1);
  });

  it('affirms files by the first 16 bytes of the digest of their enc', () => {
    const digest = createHash('sha256').update('enc').digest();
    const { payload } = jws(
      sampleList({ keys: [{ kid: 'k', affirmedEncDigests: [digest] }] }),
      KEYS.revocation,
    );
    expect(payload['keys']).toEqual([{ kid: 'k', affirmed: [digest.subarray(0, 16).toString('base64url')] }]);
  });
});
