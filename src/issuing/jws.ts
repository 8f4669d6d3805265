import { assertRawSignature, type SigningKeyRef } from './signature-algorithm.ts';

/** A JWS that lacks nothing but its signature. */
export interface PreparedJws {
  /** ASCII(BASE64URL(header) "." BASE64URL(payload)) (RFC 7515 §5.1). */
  readonly signingInput: Buffer;
  /** The compact serialisation (RFC 7515 §7.1) from the raw 64 signature bytes. */
  finish(signature: Uint8Array): string;
}

/** One payload that two keys sign, as a root rotation needs it. */
export interface PreparedDualJws {
  /** What the first and what the second key signs; they differ in the protected header. */
  readonly signingInputs: readonly [Buffer, Buffer];
  /** The general JSON serialisation (RFC 7515 §7.2.1), signatures in the same order. */
  finish(signatures: readonly [Uint8Array, Uint8Array]): string;
}

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

const encodeJson = (value: unknown): string => base64url(Buffer.from(JSON.stringify(value), 'utf8'));

/** The protected header is exactly these three members, so that `typ` can tell purposes apart by its first bytes. */
const encodeHeader = (key: SigningKeyRef, typ: string): string =>
  encodeJson({ alg: key.algorithm, kid: key.kid, typ });

/** Lays out a compact JWS with the protected header `{ alg, kid, typ }`. Pure. */
export function prepareJws(key: SigningKeyRef, typ: string, payload: unknown): PreparedJws {
  const input = `${encodeHeader(key, typ)}.${encodeJson(payload)}`;
  return {
    signingInput: Buffer.from(input, 'ascii'),
    finish(signature) {
      assertRawSignature(signature);
      return `${input}.${base64url(signature)}`;
    },
  };
}

/** Lays out a JWS in JSON form with two signatures over one payload. Pure. */
export function prepareDualJws(
  keys: readonly [SigningKeyRef, SigningKeyRef],
  typ: string,
  payload: unknown,
): PreparedDualJws {
  const body = encodeJson(payload);
  const headers = [encodeHeader(keys[0], typ), encodeHeader(keys[1], typ)] as const;
  const signed = (header: string, signature: Uint8Array): object => {
    assertRawSignature(signature);
    return { protected: header, signature: base64url(signature) };
  };
  return {
    signingInputs: [Buffer.from(`${headers[0]}.${body}`), Buffer.from(`${headers[1]}.${body}`)],
    finish(signatures) {
      const both = [signed(headers[0], signatures[0]), signed(headers[1], signatures[1])];
      return JSON.stringify({ payload: body, signatures: both });
    },
  };
}
