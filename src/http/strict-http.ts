import type { IncomingMessage } from 'node:http';
import { Fault } from '../faults.ts';

/** Headers that mean something once; a second one is read differently by different programs (RFC 9110 §5.3). */
const ONCE: ReadonlySet<string> = new Set([
  'authorization',
  'content-encoding',
  'content-length',
  'content-type',
  'host',
  'idempotency-key',
  'if-match',
  'transfer-encoding',
  'x-api-key',
  'x-mintmark-environment',
  'x-mintmark-tenant',
  'x-publishable-key',
]);

/** The longest target that is matched; the header bound would allow four times as much. */
const TARGET_CHARACTERS = 2048;

/**
 * Refuses what Node's parser lets through and a proxy in front may have understood differently: two `Host` headers,
 * a target in absolute form, `Transfer-Encoding: identity, chunked`, HTTP/0.9 (RFC 9112 §3.2, §6.1; request smuggling).
 * @throws Fault MALFORMED, URI_TOO_LONG
 */
export function refuseAmbiguous(request: IncomingMessage): void {
  const { httpVersion, url = '' } = request;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') throw malformed('it is not HTTP/1.1');
  if (!url.startsWith('/') || url.startsWith('//')) throw malformed('its target is not a path');
  if (url.length > TARGET_CHARACTERS) {
    throw new Fault(
      'URI_TOO_LONG',
      `the target has more than ${TARGET_CHARACTERS} characters; shorten the query`,
    );
  }
  if (request.headers.host === undefined && httpVersion === '1.1') throw malformed('it names no host');
  const { expect } = request.headers;
  if (expect !== undefined && expect.toLowerCase() !== '100-continue')
    throw malformed('it expects what is unknown');
  refuseRepeated(request.rawHeaders);
  refuseCodings(request);
}

function refuseRepeated(rawHeaders: readonly string[]): void {
  let seen = '';
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? '';
    if (!ONCE.has(name)) continue;
    if (seen.includes(`${name};`)) throw malformed(`it has the header ${name} twice`);
    seen += `${name};`;
  }
}

function refuseCodings(request: IncomingMessage): void {
  const coding = request.headers['transfer-encoding'];
  if (coding === undefined) return;
  if (coding.toLowerCase() !== 'chunked' || request.httpVersion === '1.0') {
    throw malformed('its transfer coding is not chunked alone');
  }
}

function malformed(what: string): Fault {
  return new Fault('MALFORMED', `the request cannot be read: ${what}; send it as RFC 9112 says`);
}
