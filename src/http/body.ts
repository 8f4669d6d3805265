import type { IncomingMessage, ServerResponse } from 'node:http';
import { Fault } from '../faults.ts';
import { type JsonValue, parseStrictJson } from '../lib/strict-json.ts';

/** Largest body of a route that does not say otherwise. */
export const DEFAULT_BODY_BYTES = 64 * 1024;

/** `application/json`, with no parameter but the one encoding JSON has (RFC 8259 §11). */
const JSON_TYPE = /^application\/json(?:\s*;\s*charset="?utf-8"?)?\s*$/i;

const NO_BYTES = Buffer.alloc(0);

/** Thrown when the client went away: there is nobody left to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** Whether a request announces a body. */
export function hasBody(request: IncomingMessage): boolean {
  if (request.headers['transfer-encoding'] !== undefined) return true;
  const length = request.headers['content-length'];
  return length !== undefined && length !== '0';
}

/**
 * The bytes of the body; none when the request has no body. A body that is announced too large is refused unread.
 * @throws Fault BODY_TOO_LARGE; UNSUPPORTED_MEDIA_TYPE when it is not plain JSON; ClientGone
 */
export async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  maxBytes: number,
): Promise<Buffer> {
  if (!hasBody(request)) return NO_BYTES;
  refuseMediaType(request);
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > maxBytes) throw tooLarge(maxBytes);
  if (request.headers.expect !== undefined) response.writeContinue();
  return collect(request, maxBytes);
}

/**
 * The JSON in a body (RFC 8259, as strict as `lib/strict-json.ts`); an empty body reads as `{}`.
 * @throws Fault MALFORMED, BODY_TOO_LARGE
 */
export function parseBody(bytes: Buffer, maxBytes: number): JsonValue {
  return bytes.length === 0 ? {} : parseStrictJson(bytes, { maxBytes });
}

function refuseMediaType(request: IncomingMessage): void {
  const coding = request.headers['content-encoding'];
  if (coding !== undefined && coding !== 'identity') {
    throw new Fault(
      'UNSUPPORTED_MEDIA_TYPE',
      'the body is compressed; send it as it is, without Content-Encoding',
    );
  }
  const type = request.headers['content-type'];
  if (type !== 'application/json' && (type === undefined || !JSON_TYPE.test(type))) {
    throw new Fault(
      'UNSUPPORTED_MEDIA_TYPE',
      'the body is not said to be JSON; send Content-Type: application/json',
    );
  }
}

/** Reads until the end; never holds more than `maxBytes`. */
function collect(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBytes) chunks.push(chunk);
      else reject(tooLarge(maxBytes));
    });
    request.once('end', () => {
      const [only] = chunks;
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, length));
    });
    request.once('error', () => reject(new ClientGone('the client went away while sending')));
    request.once('close', () => {
      // Every request closes at last; making an error each time would cost more than reading the body.
      if (!request.complete) reject(new ClientGone('the connection was closed while the body was sent'));
    });
  });
}

function tooLarge(maxBytes: number): Fault {
  return new Fault('BODY_TOO_LARGE', `the body has more than ${maxBytes} bytes; send less at a time`);
}
