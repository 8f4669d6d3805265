import { invariant } from '../lib/invariant.ts';

/** What every format needs to know of a signing key: the name it goes by and how it signs (JOSE names, RFC 7518, RFC 8037). */
export interface SigningKeyRef {
  readonly kid: string;
  readonly algorithm: SignatureAlgorithm;
}

interface AlgorithmRow {
  /** The part after `+` in the `alg` member of a certificate; the ecosystem's names. */
  readonly certificateSuffix: string;
  /** The value of `attributes.scheme`; the ecosystem's names. */
  readonly scheme: string;
  /** Turns the custodian's raw 64 bytes into what a certificate carries. */
  readonly certificateSignature: (raw: Uint8Array) => Buffer;
}

/** All that is known of an algorithm, in one row. A JWS carries the raw 64 bytes in both cases (RFC 7515, RFC 8037 §3.1). */
export const SIGNATURE_ALGORITHMS = {
  EdDSA: {
    certificateSuffix: 'ed25519',
    scheme: 'ED25519_SIGN',
    certificateSignature: (raw) => Buffer.from(raw),
  },
  ES256: {
    certificateSuffix: 'ecdsa-secp256r1',
    scheme: 'ECDSA_P256_SIGN',
    certificateSignature: derSignature,
  },
} as const satisfies Record<string, AlgorithmRow>;

/** Ed25519 (RFC 8032) or ECDSA P-256 with SHA-256. */
export type SignatureAlgorithm = keyof typeof SIGNATURE_ALGORITHMS;

/** Bytes of a raw signature: R ‖ S for Ed25519, r ‖ s for P-256. */
export const RAW_SIGNATURE_BYTES = 64;

/** Refuses what cannot be a signature before it is written into a file. */
export function assertRawSignature(raw: Uint8Array): void {
  invariant(raw.length === RAW_SIGNATURE_BYTES, 'a custodian returns raw signatures of 64 bytes');
}

/** ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } in DER (RFC 3279 §2.2.3) from r ‖ s. */
function derSignature(raw: Uint8Array): Buffer {
  const half = RAW_SIGNATURE_BYTES / 2;
  const body = Buffer.concat([derInteger(raw.subarray(0, half)), derInteger(raw.subarray(half))]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

function derInteger(magnitude: Uint8Array): Buffer {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++;
  const digits = magnitude.subarray(start);
  // A set top bit would read as a negative number.
  const sign = (digits[0] ?? 0) >= 0x80 ? [0] : [];
  return Buffer.concat([Buffer.from([0x02, digits.length + sign.length, ...sign]), digits]);
}
