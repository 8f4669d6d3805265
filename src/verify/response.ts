import { sha256 } from '@noble/hashes/sha2.js';
import { decodeBase64, encodeBase64 } from './base64.ts';
import {
  demandEnvironment,
  demandGiven,
  demandText,
  demandTextOrBytes,
  demandTrust,
  memberOf,
} from './call.ts';
import { answering, demand, type VerdictCode, demandForm } from './refusal.ts';
import { asObject, booleanAt, flagAt, objectAt, optionalAt, stringAt } from './shape.ts';
import { checkSignature, type SignatureVerifiers } from './signature.ts';
import { readJson, type JsonObject } from './strict-json.ts';
import { utf8Bytes, utf8Text } from './text.ts';
import { demandInUse, findSoundKey, type Environment, type Trust } from './trust.ts';
import { clockOf, CLOCK_SLACK_MS, requireProduct, type Unchecked, uncheckedOf } from './verdict.ts';

/** The request as it was sent; it must have carried `Content-Digest: ` {@link contentDigest}`(body)`. */
export interface SignedRequest {
  /** Upper case, e.g. `POST`. */
  readonly method: string;
  /** As in the request line, without host and query, e.g. `/api/v1/licenses/validate-key`. */
  readonly path: string;
  /** The bytes that were sent, or their text. */
  readonly body: string | Uint8Array;
  /** The `nonce` in that body: 16–64 characters of base64url, new for every request. */
  readonly nonce: string;
}

/** The answer as it arrived. */
export interface SignedResponse {
  readonly status: number;
  /** Name and value of each, e.g. the `headers` of a `fetch` answer or `Object.entries` of an object. */
  readonly headers: Iterable<readonly [name: string, value: string]>;
  readonly body: string | Uint8Array;
}

/** How to judge an answer. */
export interface ResponseOptions {
  /** From `verifyTrustBundle` or `pinPublicKeys`. */
  readonly trust: Trust;
  /** Code of the product the application is; `'any'` must be written out. */
  readonly product: string;
  /** Default `live`. */
  readonly environment?: Environment | undefined;
  /** Tenant code to insist on; a trust bundle pins it by itself. */
  readonly tenant?: string | undefined;
  /** Milliseconds since the epoch; default: the clock of this machine. */
  readonly now?: number | undefined;
  readonly verifiers?: SignatureVerifiers | undefined;
}

/** What became of an answer. One that is not genuine is no answer: neither valid nor invalid. */
export interface ResponseVerdict {
  /** Whether the appliance gave this answer to this request. Says nothing about the licence. */
  readonly genuine: boolean;
  /** When genuine: VALID, or PRODUCT_MISMATCH when the licence is of another product. */
  readonly code: VerdictCode;
  /** For a log, in English. */
  readonly message: string;
  readonly unchecked: readonly Exclude<Unchecked, 'revocations'>[];
  /**
   * The rest is known when genuine. What a validation said of a licence of this product; undefined: nothing was said, for
   * the answer is not genuine or not a validation (429, 503 …).
   */
  readonly licenseValid: boolean | undefined;
  /** The clock of the appliance is in doubt. */
  readonly clockSuspect: boolean;
  readonly createdAtMs: number | undefined;
  /** The body: `{ data: { valid, code, … } }`, or a problem document when the status is not 200. */
  readonly answer: JsonObject | undefined;
}

type Finding = Omit<ResponseVerdict, 'unchecked'>;

const MAX_BYTES = 1024 * 1024;
const SECOND_MS = 1000;
const NONCE = '[A-Za-z0-9_-]{16,64}';
const COVERED = '("@status" "content-type" "content-digest" "@method";req "@path";req "content-digest";req)';
const SECONDS = '(0|[1-9]\\d{0,11})';
/** The one form of `Signature-Input` that there is (RFC 9421 §4.1): what two readers could read differently is refused. */
const INPUT = new RegExp(
  `^mm=(${COVERED.replace(/[()]/g, '\\$&')};created=${SECONDS};expires=${SECONDS}` +
    `;keyid="([A-Za-z0-9_-]{16})";nonce="(${NONCE})";tag="([a-z0-9-]{1,32})")$`,
);
const SIGNATURE = /^mm=:([A-Za-z0-9+/]{86}==):$/;

const NOT_GENUINE = {
  genuine: false,
  licenseValid: undefined,
  clockSuspect: false,
  createdAtMs: undefined,
  answer: undefined,
} as const;

/** The `Content-Digest` of a body (RFC 9530), as a request with a nonce must carry it. */
export function contentDigest(body: string | Uint8Array): string {
  return `sha-256=:${encodeBase64(sha256(bytesOf(body)))}:`;
}

/**
 * Judges whether an answer to a request with a nonce comes from the appliance (docs/formats/response-signature.md): signed
 * by a `response` key of the tenant, for this request, now.
 * @throws TypeError that names what is wrong with the call: when the nonce is missing or not of its form, without it an old
 *   answer could be played back; when the product is left out, forgetting it would let a licence of any product unlock this one
 */
export function verifyResponse(
  request: SignedRequest,
  response: SignedResponse,
  options: ResponseOptions,
): ResponseVerdict {
  demandMessages(request, response);
  demandTrust(options);
  requireProduct(options.product);
  const environment = options.environment ?? 'live';
  demandEnvironment(environment);
  const given = { ...options, environment, now: clockOf(options) };
  const unchecked = uncheckedOf(options);
  return answering({ ...NOT_GENUINE, unchecked }, () => ({ ...judge(request, response, given), unchecked }));
}

function demandMessages(request: SignedRequest, response: SignedResponse): void {
  for (const name of ['method', 'path', 'nonce']) demandText(memberOf(request, name), name);
  const fresh = new RegExp(`^${NONCE}$`).test(request.nonce);
  demandGiven(fresh, 'nonce', '16 to 64 characters of base64url, new for every request');
  for (const message of [request, response]) demandTextOrBytes(memberOf(message, 'body'), 'body');
  const { status, headers } = response;
  demandGiven(Number.isInteger(status), 'status', 'a number');
  const iterator = memberOf(headers, Symbol.iterator);
  demandGiven(typeof iterator === 'function', 'headers', 'pairs of name and value');
}

/** Options with every default filled in that is asked for here. */
type Given = ResponseOptions & { readonly environment: Environment; readonly now: number };

function judge(request: SignedRequest, response: SignedResponse, options: Given): Finding {
  const { trust, tenant, environment, product } = options;
  const body = bytesOf(response.body);
  demandForm(body.length <= MAX_BYTES, 'the answer is too large');
  const signed = readSigned(response);
  const key = findSoundKey(trust, { kid: signed.kid, purpose: 'response', environment });
  // An answer is dated in whole seconds.
  const begun = signed.createdAtMs + SECOND_MS > key.notBeforeMs;
  demandInUse(begun && key.state !== 'retired', key.kid);
  const ours = tenant === undefined || trust.tenant === undefined || trust.tenant === tenant;
  demand(ours, 'ISSUER_MISMATCH', 'the trust bundle belongs to another tenant');
  checkSignature(
    key,
    { message: baseOf(request, signed), signature: signed.signature },
    options.verifiers ?? {},
  );
  demand(signed.tag === 'mm-validate', 'TAG_MISMATCH', 'the answer was signed for another purpose');
  demand(signed.nonce === request.nonce, 'NONCE_MISMATCH', 'the answer belongs to another request');
  checkTime(signed, options.now);
  const intact = contentDigest(body) === signed.digest;
  demand(intact, 'DIGEST_MISMATCH', 'the body of the answer is not the one that was signed');
  const answer = asObject(readJson(utf8Text(body)), 'answer');
  const said = response.status === 200 ? readValidation(objectAt(answer, 'data'), product) : SILENT;
  return { genuine: true, ...said, createdAtMs: signed.createdAtMs, answer };
}

/** What of an answer is covered by its signature; nothing in it is trusted yet. */
interface Signed {
  readonly status: number;
  readonly contentType: string;
  readonly digest: string;
  /** The value of `@signature-params`, as received. */
  readonly parameters: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly kid: string;
  readonly nonce: string;
  readonly tag: string;
  readonly signature: Uint8Array;
}

function readSigned({ status, headers }: SignedResponse): Signed {
  const all = [...headers];
  const input = headerIn(all, 'signature-input');
  const signature = headerIn(all, 'signature');
  demand(input !== undefined || signature !== undefined, 'UNSIGNED', 'the answer is not signed');
  const [, parameters, created, expires, kid, nonce, tag] = INPUT.exec(input ?? '') ?? [];
  const [, raw] = SIGNATURE.exec(signature ?? '') ?? [];
  const [contentType, digest] = [headerIn(all, 'content-type'), headerIn(all, 'content-digest')];
  const complete = contentType !== undefined && digest !== undefined && raw !== undefined;
  // The groups of a pattern that matched are all there; asked one by one for the compiler.
  const read = parameters !== undefined && kid !== undefined && nonce !== undefined && tag !== undefined;
  demandForm(complete && read, 'the signature of the answer is not of its one form');
  const times = { createdAtMs: Number(created) * 1000, expiresAtMs: Number(expires) * 1000 };
  return { status, contentType, digest, parameters, kid, nonce, tag, ...times, signature: decodeBase64(raw) };
}

/** The value of a header that may be there once. */
function headerIn(all: readonly (readonly [string, string])[], name: string): string | undefined {
  const [found, ...more] = all.filter(([given]) => given.toLowerCase() === name);
  demandForm(more.length === 0, `the header ${name} is there twice`);
  return found?.[1];
}

/** The signature base (RFC 9421 §2.5): what we asked and what we got, so that neither can have been another. */
function baseOf(request: SignedRequest, signed: Signed): Uint8Array {
  return utf8Bytes(
    [
      `"@status": ${signed.status.toString()}`,
      `"content-type": ${signed.contentType}`,
      `"content-digest": ${signed.digest}`,
      `"@method";req: ${request.method}`,
      `"@path";req: ${request.path}`,
      `"content-digest";req: ${contentDigest(request.body)}`,
      `"@signature-params": ${signed.parameters}`,
    ].join('\n'),
  );
}

/** The nonce proves that the answer is new; the times catch an appliance and a machine that disagree about today. */
function checkTime({ createdAtMs, expiresAtMs }: Signed, now: number): void {
  demandForm(expiresAtMs > createdAtMs, 'the answer ends before it begins');
  demand(createdAtMs <= now + CLOCK_SLACK_MS, 'NOT_YET_VALID', 'the answer was signed later than it is here');
  demand(expiresAtMs > now - CLOCK_SLACK_MS, 'EXPIRED', 'the answer is too old');
}

/** What an answer says of the licence. */
type Said = Pick<ResponseVerdict, 'code' | 'message' | 'licenseValid' | 'clockSuspect'>;

/** A refusal, which says nothing of it. */
const SILENT = {
  code: 'VALID',
  message: 'the answer is genuine',
  licenseValid: undefined,
  clockSuspect: false,
} as const;

function readValidation(data: JsonObject, product: string): Said {
  const clockSuspect = flagAt(data, 'clockSuspect');
  const valid = booleanAt(data, 'valid');
  // Of an unknown key there is no licence; of a valid one there must be.
  const license = valid ? objectAt(data, 'license') : optionalAt(data, 'license', objectAt);
  const code = license === undefined || product === 'any' ? product : stringAt(license, 'productCode');
  if (code === product) return { ...SILENT, licenseValid: valid, clockSuspect };
  const message = `the licence is for product ${code}`;
  return { code: 'PRODUCT_MISMATCH', message, licenseValid: false, clockSuspect };
}

function bytesOf(body: string | Uint8Array): Uint8Array {
  return typeof body === 'string' ? utf8Bytes(body) : body;
}
