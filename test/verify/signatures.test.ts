import { createDecipheriv, createCipheriv, createPublicKey, verify as verifyWithNode } from 'node:crypto';
import { gcm } from '@noble/ciphers/aes.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withLargerS } from '../../scripts/vectors/forge.ts';
import {
  LICENSE_KEY,
  NOW,
  PROTECTION,
  sampleLicenseFile,
  sampleSignedKey,
} from '../../scripts/vectors/samples.ts';
import { sampleBundle } from '../../scripts/vectors/sample-messages.ts';
import { fingerprintOf } from '../../scripts/vectors/sequence-cases.ts';
import { ed25519Signer, es256Signer, publicKeyHex } from '../../scripts/vectors/signers.ts';
import { SIGNATURE_ALGORITHMS } from '../../src/issuing/signature-algorithm.ts';
import {
  pinPublicKeys,
  verifyLicenseFile,
  verifySignedKey,
  verifyTrustBundle,
  type SignatureVerifier,
} from '../../src/verify/index.ts';
import { checkSignature, rawFromDer, type PublicKey } from '../../src/verify/signature.ts';

const nodeEs256: SignatureVerifier = (publicKey, message, signature) => {
  const [x, y] = [publicKey.subarray(1, 33), publicKey.subarray(33)].map((part) =>
    Buffer.from(part).toString('base64url'),
  );
  const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' }, format: 'jwk' });
  return verifyWithNode('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
};

const nodeEd25519: SignatureVerifier = (publicKey, message, signature) => {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') };
  return verifyWithNode(null, message, createPublicKey({ key: jwk, format: 'jwk' }), signature);
};

const signer = ed25519Signer('differential');
const publicKey: PublicKey = {
  kid: signer.ref.kid,
  algorithm: 'EdDSA',
  bytes: Buffer.from(publicKeyHex(signer), 'hex'),
};

function accepts(message: Uint8Array, signature: Uint8Array, ed25519?: SignatureVerifier): boolean {
  try {
    checkSignature(publicKey, { message, signature }, ed25519 === undefined ? {} : { ed25519 });
    return true;
  } catch {
    return false;
  }
}

describe('Ed25519 by noble and by node:crypto', () => {
  it('accepts the same signatures over random messages', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (message) => {
        const signature = signer.sign(message);
        expect(accepts(message, signature)).toBe(true);
        expect(accepts(message, signature, nodeEd25519)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('gives the same answer to damaged signatures', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), fc.nat(511), (message, bit) => {
        const signature = signer.sign(message);
        signature[bit >> 3] = (signature[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(accepts(message, signature)).toBe(false);
        expect(accepts(message, signature, nodeEd25519)).toBe(false);
      }),
      { numRuns: 100 },
    );
  });

  it('refuses an S beyond the group order in both', () => {
    const message = Buffer.from('message');
    const enlarged = withLargerS(signer.sign(message));
    expect(accepts(message, enlarged)).toBe(false);
    expect(accepts(message, enlarged, nodeEd25519)).toBe(false);
  });

  it('takes a verifier that throws for a no', () => {
    const broken: SignatureVerifier = () => {
      throw new Error('no such provider');
    };
    expect(accepts(Buffer.from('m'), signer.sign(Buffer.from('m')), broken)).toBe(false);
  });
});

describe('AES-256-GCM by noble and by node:crypto', () => {
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const iv = fc.uint8Array({ minLength: 12, maxLength: 12 });

  it('opens what the other sealed', () => {
    fc.assert(
      fc.property(key, iv, fc.uint8Array({ maxLength: 300 }), (k, nonce, text) => {
        const cipher = createCipheriv('aes-256-gcm', k, nonce, { authTagLength: 16 });
        const sealed = Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
        expect(Buffer.from(gcm(k, nonce).encrypt(text))).toEqual(sealed);
        expect(Buffer.from(gcm(k, nonce).decrypt(sealed))).toEqual(Buffer.from(text));
      }),
    );
  });

  it('refuses the same damage', () => {
    fc.assert(
      fc.property(
        fc.tuple(key, iv),
        fc.uint8Array({ maxLength: 60 }),
        fc.nat(),
        ([k, nonce], text, where) => {
          const sealed = Buffer.from(gcm(k, nonce).encrypt(text));
          const bit = where % (sealed.length * 8);
          sealed[bit >> 3] = (sealed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          expect(() => gcm(k, nonce).decrypt(sealed)).toThrow();
          const cipher = createDecipheriv('aes-256-gcm', k, nonce, { authTagLength: 16 });
          cipher.setAuthTag(sealed.subarray(-16)).update(sealed.subarray(0, -16));
          expect(() => cipher.final()).toThrow();
        },
      ),
    );
  });
});

describe('P-256', () => {
  const issuer = es256Signer('es256 issuer');
  const options = {
    trust: pinPublicKeys({ license: [publicKeyHex(issuer)] }),
    product: 'press-control',
    licenseKey: LICENSE_KEY,
    now: NOW,
  };
  const withNode = { ...options, verifiers: { es256: nodeEs256 } };

  it('is refused without a verifier from the host', () => {
    expect(verifyLicenseFile(sampleLicenseFile({ signer: issuer }), options).code).toBe('ALGORITHM_UNKNOWN');
    expect(verifySignedKey(sampleSignedKey({}, issuer), options).code).toBe('ALGORITHM_UNKNOWN');
  });

  it('verifies files, encrypted or not, and signed keys with one', () => {
    const plain = sampleLicenseFile({ signer: issuer, protection: PROTECTION.plain });
    expect(verifyLicenseFile(sampleLicenseFile({ signer: issuer }), withNode).code).toBe('VALID');
    expect(verifyLicenseFile(plain, withNode).code).toBe('VALID');
    expect(verifySignedKey(sampleSignedKey({}, issuer), withNode).code).toBe('VALID');
  });

  it('verifies a trust bundle signed by a P-256 root', () => {
    const roots = [{ kid: issuer.ref.kid, jwk: issuer.jwk, state: 'active' as const }];
    const answer = verifyTrustBundle(sampleBundle({ roots }, issuer), {
      roots: [fingerprintOf(issuer)],
      verifiers: { es256: nodeEs256 },
    });
    expect(answer.code).toBe('VALID');
  });

  it('never lets a file choose the algorithm: an Ed25519 file under a P-256 key is refused', () => {
    const file = sampleLicenseFile();
    expect(verifyLicenseFile(file, withNode).code).toBe('KEY_UNKNOWN');
  });
});

describe('a DER signature', () => {
  const encode = SIGNATURE_ALGORITHMS.ES256.certificateSignature;

  it('comes back from what the encoder makes of any r and s', () => {
    const number = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(number, number, (r, s) => {
        const raw = Buffer.concat([r, s]);
        expect(Buffer.from(rawFromDer(encode(raw)))).toEqual(raw);
      }),
    );
  });

  it('comes back with leading zeros, and with small numbers', () => {
    for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
      const raw = Buffer.alloc(64);
      raw[31] = value;
      raw[63] = 1;
      expect(Buffer.from(rawFromDer(encode(raw)))).toEqual(raw);
    }
  });

  it.each([
    ['nothing', ''],
    ['no sequence', '020101020101'],
    ['a wrong length', '3007020101020101'],
    ['trailing bytes', '300602010102010100'],
    ['trailing bytes inside', '30070201010201010000'],
    ['a superfluous zero', '30070202000102010100'.slice(0, 18)],
    ['a negative number', '3006020181020101'],
    ['an empty number', '30050200020101'],
    ['a number over 32 bytes', `3026022101${'00'.repeat(32)}020101`],
    ['a number cut off', '300602010102'],
    ['a long-form length', '308106020101020101'],
  ])('is refused with %s', (_what, hex) => {
    expect(() => rawFromDer(Buffer.from(hex, 'hex'))).toThrow(
      expect.objectContaining({ code: 'SIGNATURE_INVALID' }),
    );
  });
});
