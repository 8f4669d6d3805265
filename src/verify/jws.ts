import { decodeBase64url } from './base64.ts';
import { demand, demandForm } from './refusal.ts';
import { asObject, objectsAt, stringAt } from './shape.ts';
import { checkSignature, type PublicKey, type SignatureVerifiers } from './signature.ts';
import { readJson, type JsonObject } from './strict-json.ts';
import { utf8Bytes, utf8Text } from './text.ts';

/** One signature of a JWS, not yet checked. */
export interface JwsSignature {
  readonly kid: string;
  readonly algorithm: string;
  readonly signingInput: Uint8Array;
  readonly bytes: Uint8Array;
}

/** A JWS taken apart; nothing in it is trusted before {@link checkJws}. */
export interface Jws {
  readonly payload: JsonObject;
  /** The payload's bytes: what two messages with one number are compared by. */
  readonly payloadBytes: Uint8Array;
  readonly signatures: readonly JwsSignature[];
}

const HEADER_MEMBERS = 3;
/** A root rotation has two; nothing has more. */
const MAX_SIGNATURES = 2;

/**
 * Takes a JWS apart, compact or JSON form (RFC 7515 §7). Its protected header must be exactly `{ alg, kid, typ }`.
 * @throws Refusal MALFORMED
 */
export function readJws(text: string, typ: string): Jws {
  const { payload, parts } = text.startsWith('{') ? generalForm(text) : compactForm(text);
  const payloadBytes = decodeBase64url(payload);
  return {
    payload: asObject(readJson(utf8Text(payloadBytes)), 'payload'),
    payloadBytes,
    signatures: parts.map((part) => readSignature(part, payload, typ)),
  };
}

interface Part {
  readonly header: string;
  readonly signature: string;
}

interface Form {
  readonly payload: string;
  readonly parts: readonly Part[];
}

function compactForm(text: string): Form {
  const [header = '', payload = '', signature = '', ...more] = text.split('.');
  demandForm(more.length === 0 && signature !== '', 'the message is not a compact JWS');
  return { payload, parts: [{ header, signature }] };
}

function generalForm(text: string): Form {
  const form = asObject(readJson(text), 'message');
  const parts = objectsAt(form, 'signatures').map((item) => ({
    header: stringAt(item, 'protected'),
    signature: stringAt(item, 'signature'),
  }));
  const counted = parts.length >= 1 && parts.length <= MAX_SIGNATURES;
  demandForm(counted && Object.keys(form).length === 2, 'the message is not a JWS of one or two signatures');
  return { payload: stringAt(form, 'payload'), parts };
}

function readSignature(part: Part, payload: string, typ: string): JwsSignature {
  const header = asObject(readJson(utf8Text(decodeBase64url(part.header))), 'header');
  const exact = Object.keys(header).length === HEADER_MEMBERS && stringAt(header, 'typ') === typ;
  demandForm(exact, `the message is not a ${typ}`);
  return {
    kid: stringAt(header, 'kid'),
    algorithm: stringAt(header, 'alg'),
    signingInput: utf8Bytes(`${part.header}.${payload}`),
    bytes: decodeBase64url(part.signature),
  };
}

/**
 * Checks one signature of a JWS; the key decides the algorithm.
 * @throws Refusal ALGORITHM_UNKNOWN when the header names another, SIGNATURE_INVALID
 */
export function checkJws(signature: JwsSignature, key: PublicKey, verifiers: SignatureVerifiers): void {
  demand(
    signature.algorithm === key.algorithm,
    'ALGORITHM_UNKNOWN',
    'the message names an algorithm that is not its key’s',
  );
  checkSignature(key, { message: signature.signingInput, signature: signature.bytes }, verifiers);
}
