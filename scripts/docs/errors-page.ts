import { FAULTS } from '../../src/faults.ts';
import { page, table } from './markdown.ts';

/** docs/errors.md: every fault code with its HTTP status, title and remedy, by code. */
export function errorsPage(): string {
  const rows = Object.entries(FAULTS)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, { status, title, remedy }]) => [`\`${code}\``, String(status), title, remedy]);
  return page('Errors', '`src/faults.ts`', [
    'Every refusal has a code that never changes its meaning: branch on the code, show the message. Over HTTP it is the\n' +
      '`code` member of a problem document (RFC 9457, `application/problem+json`), the command line prints it before the\n' +
      'message. The message says what was wrong with what; the remedy below says what to do about it.',
    table(['code', 'status', 'what it means', 'what to do'], rows),
  ]);
}
