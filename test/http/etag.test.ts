import { describe, expect, it } from 'vitest';
import { etagOf, requireMatch, versionsMatching } from '../../src/http/etag.ts';
import { Fault } from '../../src/faults.ts';

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return error instanceof Fault ? error.code : String(error);
  }
  return 'none';
};

describe('entity tags', () => {
  it('show eight characters of the branch and the row version, in quotes', () => {
    expect(etagOf('0123456789abcdef', 7)).toBe('"01234567.7"');
  });

  it('match themselves, in a list, and by the asterisk', () => {
    const etag = etagOf('0123456789abcdef', 7);
    for (const header of [undefined, '*', etag, `"other.1", ${etag}`, `${etag},"x"`]) {
      expect(codeOf(() => requireMatch(header, etag))).toBe('none');
    }
  });

  it('do not match an older version, another branch, or a weak tag', () => {
    const etag = etagOf('0123456789abcdef', 7);
    for (const header of ['"01234567.6"', '"89abcdef.7"', `W/${etag}`]) {
      expect(codeOf(() => requireMatch(header, etag))).toBe('PRECONDITION_FAILED');
    }
  });

  it.each(['01234567.7', '"open', '', ',', 'a'.repeat(5000), Array(20).fill('"a"').join(',')])(
    'refuse the header %j as malformed',
    (header) => {
      expect(codeOf(() => requireMatch(header, '"01234567.7"'))).toBe('MALFORMED');
    },
  );

  it('give an operation the versions to compare inside its unit of work', () => {
    expect(versionsMatching(undefined, '0123456789')).toBeNull();
    expect(versionsMatching('*', '0123456789')).toBeNull();
    expect(versionsMatching('"01234567.7", "01234567.9"', '0123456789')).toEqual([7, 9]);
    expect(codeOf(() => versionsMatching('"ffffffff.7"', '0123456789'))).toBe('PRECONDITION_FAILED');
    expect(codeOf(() => versionsMatching('"01234567.07"', '0123456789'))).toBe('PRECONDITION_FAILED');
  });
});
