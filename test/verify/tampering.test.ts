import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { FINGERPRINT, LICENSE_KEY, NOW, sampleSignedKey } from '../../scripts/vectors/samples.ts';
import {
  verifyLicenseFile,
  verifyMachineFile,
  verifySignedKey,
  verifyTrustBundle,
  type SignatureVerifiers,
} from '../../src/verify/index.ts';
import { publishedKeys, readVector, sampleTrust } from './run-vectors.ts';

// A byte of a file has eight bits, a file some 4000 bytes, and the portable check of a signature takes milliseconds:
// the native one goes through all flips, the portable one through a share of them.
const PORTABLE_SHARE = 41;

const nativeKeys = new Map<string, KeyObject>();

function nativeKey(publicKey: Uint8Array): KeyObject {
  const x = Buffer.from(publicKey).toString('base64url');
  const key = nativeKeys.get(x) ?? createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  nativeKeys.set(x, key);
  return key;
}

const native: SignatureVerifiers = {
  ed25519: (publicKey, message, signature) => verify(null, message, nativeKey(publicKey), signature),
};

const trust = sampleTrust();
const options = { trust, product: 'press-control', licenseKey: LICENSE_KEY, now: NOW };
const rootPin = publishedKeys.keys['root']?.fingerprint ?? '';

type Judge = (bytes: Uint8Array, verifiers?: SignatureVerifiers) => { readonly code: string };

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

const JUDGES: readonly (readonly [name: string, sample: string, judge: Judge])[] = [
  [
    'licence file',
    readVector('license.lic'),
    (bytes, verifiers) => verifyLicenseFile(bytes, { ...options, verifiers }),
  ],
  [
    'unencrypted licence file',
    readVector('license-plain.lic'),
    (bytes, verifiers) => verifyLicenseFile(bytes, { ...options, verifiers }),
  ],
  [
    'machine file',
    readVector('machine.lic'),
    (bytes, verifiers) => verifyMachineFile(bytes, { ...options, fingerprint: FINGERPRINT, verifiers }),
  ],
  [
    'signed key',
    sampleSignedKey(),
    (bytes, verifiers) => verifySignedKey(text(bytes), { ...options, verifiers }),
  ],
  [
    'trust bundle',
    readVector('trust-bundle.jws').trim(),
    (bytes, verifiers) => verifyTrustBundle(text(bytes), { roots: [rootPin], verifiers }),
  ],
];

/** Positions at which flipping one bit leaves the file accepted. */
function acceptedFlips(
  sample: string,
  judge: (bytes: Uint8Array) => { readonly code: string },
  step = 1,
): number[] {
  const bytes = Buffer.from(sample, 'latin1');
  const accepted: number[] = [];
  for (let bit = 0; bit < bytes.length * 8; bit += step) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    if (judge(flipped).code === 'VALID') accepted.push(bit);
  }
  return accepted;
}

describe.each(JUDGES)('a %s', (_name, sample, judge) => {
  it('is accepted as it is', () => {
    expect(judge(Buffer.from(sample, 'latin1')).code).toBe('VALID');
  });

  it('is refused with any single bit flipped', () => {
    expect(acceptedFlips(sample, (bytes) => judge(bytes, native))).toEqual([]);
  });

  it('is refused with a bit flipped by the portable check too', () => {
    expect(acceptedFlips(sample, judge, PORTABLE_SHARE)).toEqual([]);
  });

  it('is refused when cut short anywhere', () => {
    const bytes = Buffer.from(sample, 'latin1');
    const accepted = Array.from(bytes.keys()).filter((length) => {
      return judge(bytes.subarray(0, length), native).code === 'VALID';
    });
    expect(accepted).toEqual([]);
  });
});
