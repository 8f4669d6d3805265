import type { KeyAlgorithm } from '../custodian.ts';
import { TokenError } from './cryptoki.ts';

/** A point as modules give it: bare, or in an ASN.1 string. The length decides; a bare key can begin with any bytes. */
interface PointRow {
  readonly bytes: number;
  /** Tag and length of an OCTET STRING and of a BIT STRING around that many bytes. */
  readonly wrappers: readonly string[];
  /** SubjectPublicKeyInfo up to the point: RFC 8410 §4, RFC 5480 §2. */
  readonly spkiHead: string;
}

const POINTS: Readonly<Record<KeyAlgorithm, PointRow>> = {
  ed25519: { bytes: 32, wrappers: ['0420', '032100'], spkiHead: '302a300506032b6570032100' },
  'ecdsa-p256': {
    bytes: 65,
    wrappers: ['0441', '034200'],
    spkiHead: '3059301306072a8648ce3d020106082a8648ce3d030107034200',
  },
};

/**
 * The SubjectPublicKeyInfo (DER) of a CKA_EC_POINT, which PKCS#11 3.0 wants wrapped and 3.1 bare.
 * @throws TokenError when it is neither
 */
export function spkiOfPoint(algorithm: KeyAlgorithm, point: Buffer): Buffer {
  const { bytes, wrappers, spkiHead } = POINTS[algorithm];
  const bare = [Buffer.alloc(0), ...wrappers.map((text) => Buffer.from(text, 'hex'))]
    .filter((head) => point.length === head.length + bytes && point.subarray(0, head.length).equals(head))
    .map((head) => point.subarray(head.length))[0];
  if (bare === undefined || (algorithm === 'ecdsa-p256' && bare[0] !== 0x04)) {
    throw new TokenError('policy', 'EC_POINT', `the token names a public key in ${point.length} bytes`);
  }
  return Buffer.concat([Buffer.from(spkiHead, 'hex'), bare]);
}

/** The algorithm whose points have this length; undefined when none has. */
export function algorithmOfPoint(point: Buffer): KeyAlgorithm | undefined {
  const names = Object.keys(POINTS) as KeyAlgorithm[]; // the keys of the table are the algorithms
  return names.find((name) => {
    const { bytes, wrappers } = POINTS[name];
    return [0, ...wrappers.map((text) => text.length / 2)].some((head) => point.length === head + bytes);
  });
}
