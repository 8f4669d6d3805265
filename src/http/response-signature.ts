import { createHash } from 'node:crypto';
import { Fault } from '../faults.ts';
import { type EpochMs, SECOND } from '../lib/clock.ts';
import { equalBytes } from '../lib/secret.ts';
import type { JsonValue } from '../lib/strict-json.ts';

/** How the answers of a route are signed when the body of a request asks for it with a `nonce`. */
export interface ResponseSigning<Caller> {
  /**
   * The kid of the key that speaks for the realm a request is about; null: none can be told, and the answer goes out as
   * it is. The body is JSON, and neither it nor the parameters of the path are yet what the route demands of them.
   * @throws Fault SIGNER_UNAVAILABLE when the realm has no key that signs
   */
  keyFor(caller: Caller, body: JsonValue, params: Readonly<Record<string, string>>): string | null;
  /** Signs a signature base: 64 raw bytes. @throws Fault SIGNER_UNAVAILABLE, SIGNER_BUSY, SEALED */
  sign(kid: string, base: Buffer): Promise<Buffer>;
  /** Trusted time. */
  now(): EpochMs;
}

/** A request whose answer is to be signed: everything of it that the signature covers. */
export interface SignedExchange {
  readonly method: string;
  /** As received, without the query. */
  readonly path: string;
  /** The request's `Content-Digest`, as received. */
  readonly digest: string;
  readonly nonce: string;
}

/** An answer as it is going to be sent. */
export interface AnswerToSign {
  readonly status: number;
  readonly contentType: string;
  readonly bytes: string | Buffer;
}

/** When and by whose key an answer is signed. */
export interface AnswerSigner {
  readonly kid: string;
  readonly now: EpochMs;
  readonly sign: (base: Buffer) => Promise<Buffer>;
}

/** A signed answer is good for this long: enough for a slow line, too short to be kept. */
const LIFE_SECONDS = 60;
/** Name of the one signature of an answer (RFC 9421 §4.1). */
const LABEL = 'mm';
const NONCE = /^[A-Za-z0-9_-]{16,64}$/;

/** What is covered, in this order: an answer cannot be moved to another request, nor its status changed. */
const COVERED =
  '"@status" "content-type" "content-digest" "@method";req "@path";req "content-digest";req' as const;

/** Digest algorithms (RFC 9530 §5) that are checked; others may stand beside `sha-256`. */
const DIGESTS: Readonly<Record<string, string>> = { 'sha-256': 'sha256', 'sha-512': 'sha512' };
/** `name=:base64:`, the one form a digest has in the dictionary of RFC 9530 §2. */
const DIGEST_MEMBER = /^([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]+={0,2}):$/;
const DIGEST_CHARACTERS = 512;

/** The nonce of a body that asks for a signed answer; a malformed one is left to the schema of the route. */
export function nonceIn(body: JsonValue): string | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
  const nonce = Object.hasOwn(body, 'nonce') ? (body as { readonly nonce?: JsonValue }).nonce : undefined; // an own member
  return typeof nonce === 'string' && NONCE.test(nonce) ? nonce : undefined;
}

/**
 * Checks `Content-Digest` (RFC 9530) against the bytes of the body: `sha-256` must be there, and every digest whose
 * algorithm is known must be right. What is signed later is this text, so nothing but its one strict form is taken.
 * @throws Fault MALFORMED
 */
export function requireDigest(header: string | undefined, body: Buffer): string {
  if (header === undefined) {
    throw wrongDigest('REQUIRED', 'a request with a nonce needs the header Content-Digest: sha-256=:…:');
  }
  const members = header.length > DIGEST_CHARACTERS ? [] : header.split(/[ \t]*,[ \t]*/);
  const digests = new Map(members.map((member) => readMember(member)));
  if (digests.size !== members.length || !digests.has('sha-256')) throw unreadableDigest();
  for (const [name, text] of digests) {
    const algorithm = Object.hasOwn(DIGESTS, name) ? DIGESTS[name] : undefined;
    if (algorithm === undefined) continue;
    const expected = createHash(algorithm).update(body).digest('base64');
    if (!equalBytes(Buffer.from(text), Buffer.from(expected))) {
      throw wrongDigest('MISMATCH', `the ${name} of Content-Digest is not that of the body as it arrived`);
    }
  }
  return header;
}

function readMember(member: string): readonly [name: string, text: string] {
  const [, name, text] = DIGEST_MEMBER.exec(member) ?? [];
  if (name === undefined || text === undefined) throw unreadableDigest();
  return [name, text];
}

function unreadableDigest(): Fault {
  return wrongDigest(
    'MALFORMED',
    'Content-Digest is not of the form sha-256=:<base64>:, each algorithm once',
  );
}

function wrongDigest(code: string, message: string): Fault {
  return new Fault('MALFORMED', message, { errors: [{ path: 'Content-Digest', code, message }] });
}

/**
 * The headers that sign an answer (RFC 9421): `Content-Digest`, `Signature-Input`, `Signature`
 * (docs/formats/response-signature.md).
 * @throws Fault SIGNER_UNAVAILABLE, SIGNER_BUSY, SEALED
 */
export async function signatureHeaders(
  exchange: SignedExchange,
  answer: AnswerToSign,
  signer: AnswerSigner,
): Promise<Record<string, string>> {
  const digest = `sha-256=:${createHash('sha256').update(answer.bytes).digest('base64')}:`;
  const parameters = parametersOf(exchange, signer);
  const base = signatureBase(exchange, { ...answer, digest, parameters });
  const signature = await signer.sign(Buffer.from(base, 'latin1'));
  return {
    'Content-Digest': digest,
    'Signature-Input': `${LABEL}=${parameters}`,
    Signature: `${LABEL}=:${signature.toString('base64')}:`,
  };
}

/** The value of `@signature-params` (RFC 9421 §2.3), its parameters in this order. */
function parametersOf({ nonce }: SignedExchange, { kid, now }: AnswerSigner): string {
  const created = Math.floor(now / SECOND);
  const times = `created=${created};expires=${created + LIFE_SECONDS}`;
  return `(${COVERED});${times};keyid="${kid}";nonce="${nonce}";tag="mm-validate"`;
}

/** The bytes that are signed (RFC 9421 §2.5): one line for each component, none after the last. */
function signatureBase(
  exchange: SignedExchange,
  answer: AnswerToSign & { readonly digest: string; readonly parameters: string },
): string {
  return [
    `"@status": ${answer.status}`,
    `"content-type": ${answer.contentType}`,
    `"content-digest": ${answer.digest}`,
    `"@method";req: ${exchange.method}`,
    `"@path";req: ${exchange.path}`,
    `"content-digest";req: ${exchange.digest}`,
    `"@signature-params": ${answer.parameters}`,
  ].join('\n');
}
