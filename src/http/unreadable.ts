import type { Duplex } from 'node:stream';
import { Fault } from '../faults.ts';
import type { HeaderList } from './headers.ts';
import { PROBLEM_TYPE, problemOf } from './problem.ts';

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

/** The fault of what the parser refuses, by Node's error code; everything else is a request nobody can read. */
const FAULT_OF: Readonly<Record<string, () => Fault>> = {
  ERR_HTTP_REQUEST_TIMEOUT: () => new Fault('REQUEST_TIMEOUT', 'the request did not arrive in time'),
  HPE_HEADER_OVERFLOW: () => new Fault('HEADERS_TOO_LARGE', 'the headers have more than 8 KB'),
};

/** The answer to what never became a request: a problem document, written by hand, and the end of the connection. */
export function refuseUnreadable(
  socket: Duplex,
  error: Error & { readonly code?: string },
  given: { readonly requestId: string; readonly standing: HeaderList },
): void {
  const fault = FAULT_OF[error.code ?? '']?.() ?? unreadable();
  const { status, text } = problemOf(fault, given.requestId);
  const lines = [`HTTP/1.1 ${status} ${REASONS[status] ?? 'Error'}`];
  for (let at = 0; at < given.standing.length; at += 2) {
    lines.push(`${given.standing[at] ?? ''}: ${given.standing[at + 1] ?? ''}`);
  }
  lines.push(`X-Request-Id: ${given.requestId}`, `Content-Type: ${PROBLEM_TYPE}`);
  lines.push(`Content-Length: ${Buffer.byteLength(text)}`, 'Connection: close', '', text);
  socket.end(lines.join('\r\n'));
}

function unreadable(): Fault {
  return new Fault('MALFORMED', 'the request cannot be read; send it as RFC 9112 says');
}
