import type { IncomingMessage, ServerResponse } from 'node:http';
import { Fault, type FaultCode } from '../faults.ts';
import type { AddressRanges } from './address-ranges.ts';
import { clientAddress } from './client-address.ts';
import { type HeaderList, withHeaders } from './headers.ts';
import { hasBody } from './body.ts';
import { PROBLEM_TYPE, type Problem } from './problem.ts';
import type { AnswerToSign } from './response-signature.ts';
import type { Answer } from './route.ts';

/** Which door a request came in by: only what comes through the operator's socket is the local operator's. */
export type Face = 'api' | 'operator' | 'metrics';

/** A body that was refused is still read this far, so that the answer is not lost in a connection reset. */
const DISCARDED_BYTES = 1024 * 1024;

/** The content type of every JSON answer. */
export const JSON_TYPE = 'application/json; charset=utf-8';

/** What an exchange stands on. */
export interface ExchangeGiven {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly face: Face;
  /** As the answer shows it: the caller's when it is harmless, else ours. */
  readonly requestId: string;
  /** Ours, whatever the caller sent: free text of anybody has no place in the ledger. */
  readonly ownRequestId: string;
  readonly traceId: string | undefined;
  /** Monotonic, milliseconds. */
  readonly startedAt: number;
  readonly standing: HeaderList;
  readonly proxies: AddressRanges;
}

/** One request and its answer, with what the log line will say of them. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly face: Face;
  readonly requestId: string;
  readonly ownRequestId: string;
  readonly traceId: string | undefined;
  readonly startedAt: number;
  /** Route pattern, once there is one. */
  route = '-';
  /** Tag of the route. */
  routeClass = '-';
  /** Ids in the path; what does not look like one of ours may be a secret in the wrong place. */
  ids: Readonly<Record<string, string>> | undefined;
  /** Who asked, e.g. `api-key:key_01…`. */
  caller = '-';
  status = 0;
  code: FaultCode | undefined;
  /** What went wrong unexpectedly; for the log alone. */
  error: unknown;
  /** Headers of the answer, whatever it will be (`Allow`, `WWW-Authenticate`). */
  headers: Readonly<Record<string, string>> | undefined;
  /** What the caller has left, for the headers of the answer. */
  quota: HeaderList | undefined;
  /** Told when the request was answered: set once it is known whose it is. */
  answered: ((exchange: Exchange) => void) | undefined;
  /** Makes the headers that sign an answer, once it is known that the request asks for them. */
  signing: ((answer: AnswerToSign) => Promise<Record<string, string>>) | undefined;
  readonly #standing: HeaderList;
  readonly #proxies: AddressRanges;
  #address: string | undefined;

  constructor(given: ExchangeGiven) {
    this.request = given.request;
    this.response = given.response;
    this.face = given.face;
    this.requestId = given.requestId;
    this.ownRequestId = given.ownRequestId;
    this.traceId = given.traceId;
    this.startedAt = given.startedAt;
    this.#standing = given.standing;
    this.#proxies = given.proxies;
  }

  get address(): string {
    this.#address ??= clientAddress(this.request, this.#proxies);
    return this.#address;
  }

  /** Sends what a handler returned. @throws Fault SIGNER_UNAVAILABLE, SIGNER_BUSY, SEALED: it cannot be signed */
  async answer(answer: Answer): Promise<void> {
    const { status } = answer;
    const what = sendable(answer);
    const signature = await this.#signatureOf(status, what);
    this.#send(status, {
      ...what,
      headers: signature === undefined ? what.headers : { ...what.headers, ...signature },
    });
  }

  /** Sends a problem document, signed if that was asked for and can be done. */
  async refuse(problem: Problem): Promise<void> {
    this.code = problem.code;
    const { status, text, retryAfter } = problem;
    const headers = retryAfter === undefined ? undefined : { 'Retry-After': String(retryAfter) };
    const what = { type: PROBLEM_TYPE, bytes: text, headers };
    const signature = await this.#signatureOf(status, what).catch((error: unknown) => {
      // The refusal stands without it: for whoever wants it signed, it is then no answer.
      if (!(error instanceof Fault)) this.error ??= error;
      return undefined;
    });
    this.#send(status, signature === undefined ? what : { ...what, headers: { ...headers, ...signature } });
  }

  async #signatureOf(status: number, { type, bytes }: Sendable): Promise<Record<string, string> | undefined> {
    if (this.signing === undefined || bytes === undefined) return undefined;
    return this.signing({ status, contentType: type, bytes });
  }

  /** One pass over the headers, one write to the socket. */
  #send(status: number, what: Sendable): void {
    const { response } = this;
    this.status = status;
    if (response.headersSent || response.destroyed) return;
    const list = this.#standing.slice();
    list.push('X-Request-Id', this.requestId);
    if (what.bytes !== undefined)
      list.push('Content-Type', what.type, 'Content-Length', lengthOf(what.bytes));
    const own = what.headers === undefined ? this.headers : { ...this.headers, ...what.headers };
    const headers = own === undefined ? list : withHeaders(list, own);
    if (this.quota !== undefined) headers.push(...this.quota);
    const body = this.request.method === 'HEAD' ? undefined : what.bytes;
    if (this.#bodyWillNotEnd()) this.#linger(status, [...headers, 'Connection', 'close'], body);
    else response.writeHead(status, headers).end(body);
  }

  /** Whether more of the body may follow than is worth reading for the sake of the connection. */
  #bodyWillNotEnd(): boolean {
    const { request } = this;
    if (request.complete || !hasBody(request)) return false;
    const length = request.headers['content-length'];
    return length === undefined || Number(length) > DISCARDED_BYTES;
  }

  /** Answers, then reads and forgets a bounded rest before it closes: a reset would take the answer with it. */
  #linger(status: number, headers: HeaderList, body: string | Buffer | undefined): void {
    const { request, response } = this;
    let left = DISCARDED_BYTES;
    response.writeHead(status, headers);
    if (body !== undefined) response.write(body);
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) response.end();
    });
    request.once('end', () => response.end());
    request.once('error', () => response.destroy());
    request.resume();
  }
}

interface Sendable {
  readonly type: string;
  readonly bytes: string | Buffer | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
}

function sendable({ body, raw, headers }: Answer): Sendable {
  if (raw !== undefined) {
    const own = raw.filename === undefined ? headers : { ...headers, ...attachment(raw.filename) };
    return { type: raw.contentType, bytes: raw.bytes, headers: own };
  }
  return { type: JSON_TYPE, bytes: body === undefined ? undefined : JSON.stringify(body), headers };
}

function lengthOf(bytes: string | Buffer): string {
  return String(typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length);
}

/** Names of files are ours: ids and letters, nothing to escape. */
function attachment(filename: string): Record<string, string> {
  return { 'Content-Disposition': `attachment; filename="${filename.replaceAll(/[^A-Za-z0-9._-]/g, '_')}"` };
}
