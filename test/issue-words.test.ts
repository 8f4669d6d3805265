import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseRequest } from '../src/http/problem.ts';
import { PAGE_QUERY } from '../src/http/list.ts';
import { nearest } from '../src/issue-words.ts';

const schema = z.strictObject({
  count: z.int().min(1).max(1000),
  share: z.number().min(0.5).optional(),
  name: z.string().min(1).max(20).nullable().optional(),
  code: z
    .string()
    .regex(/^[a-z]+$/, 'must be lower-case letters')
    .optional(),
  when: z.iso.datetime({ offset: true }).optional(),
  state: z.enum(['active', 'suspended', 'revoked']).optional(),
  tags: z.array(z.string().min(2).max(4)).max(3).default([]),
  metadata: z.record(z.string().min(1), z.unknown()).optional(),
  either: z.union([z.boolean(), z.int().min(1).max(9)]).optional(),
  maxMachinesOverride: z.int().min(1).nullable().optional(),
  inner: z.strictObject({ floating: z.boolean() }).optional(),
});

/** What is said of a request, by path. */
function said(input: unknown): Record<string, string> {
  try {
    parseRequest(schema, input);
  } catch (error) {
    const { errors } = error as { errors: { path: string; message: string }[] }; // a Fault, as its own tests show
    return Object.fromEntries(errors.map(({ path, message }) => [path, message]));
  }
  return {};
}

describe('what is said of a request that does not fit', () => {
  it.each<[unknown, string, string]>([
    [{}, 'count', 'is required'],
    [{ count: 0 }, 'count', 'must be a whole number from 1 to 1000'],
    [{ count: 1.5 }, 'count', 'must be a whole number from 1 to 1000'],
    [{ count: '3' }, 'count', 'must be a whole number from 1 to 1000'],
    [{ count: 1, share: 0.1 }, 'share', 'must be a number, 0.5 or more'],
    [{ count: 1, name: '' }, 'name', 'must be text of 1 to 20 characters'],
    [{ count: 1, name: 7 }, 'name', 'must be text of 1 to 20 characters'],
    [{ count: 1, code: 'A' }, 'code', 'must be lower-case letters'],
    [{ count: 1, when: 'soon' }, 'when', 'must be a time in ISO 8601, such as 2027-01-31T00:00:00.000Z'],
    [{ count: 1, state: 'x' }, 'state', 'must be one of active, suspended, revoked'],
    [
      { count: 1, state: 'suspend' },
      'state',
      'must be one of active, suspended, revoked; did you mean suspended?',
    ],
    [{ count: 1, tags: 'a' }, 'tags', 'must be a list of at most 3 items'],
    [{ count: 1, tags: ['ab', 'a'] }, 'tags.1', 'must be text of 2 to 4 characters'],
    [{ count: 1, metadata: [] }, 'metadata', 'must be an object'],
    [{ count: 1, metadata: { '': 1 } }, 'metadata.', 'has a member whose name is empty or too long'],
    [{ count: 1, either: 'x' }, 'either', 'must be true or false, or a whole number from 1 to 9'],
    [
      { count: 1, inner: { floatin: true, floating: true } },
      'inner.floatin',
      'is not known here; did you mean "floating"?',
    ],
    [{ count: 1, maxMachines: 1 }, 'maxMachines', 'is not known here; did you mean "maxMachinesOverride"?'],
    [[], '', 'must be an object'],
  ])('of %j at %s is in words for people', (input, path, words) => {
    expect(said(input)).toEqual({ [path]: words });
  });

  it('lists the members there are when none is near', () => {
    expect(said({ count: 1, zzz: 1 })['zzz']).toMatch(/^is not known here; there is count, share, name/);
  });

  it('names the whole range of a query member that comes as text', () => {
    const query = z.strictObject(PAGE_QUERY);
    for (const limit of ['0', '101', 'many', '1.5']) {
      expect(() => parseRequest(query, { limit })).toThrow(
        /^limit is not valid: must be a whole number from 1 to 100$/,
      );
    }
  });

  it('never repeats a value', () => {
    const secret = 'EDIT-AAAA-BBBB-CCCC';
    const words = said({
      count: secret,
      code: secret,
      when: secret,
      state: secret,
      metadata: secret,
      either: secret,
    });
    expect(Object.keys(words)).toEqual(['count', 'code', 'when', 'state', 'metadata', 'either']);
    expect(JSON.stringify(words)).not.toContain('BBBB');
  });
});

describe('the nearest known name', () => {
  it.each([
    ['prodct', 'product'],
    ['Max-Machines', 'maxMachines'],
    ['maxMach', 'maxMachines'],
    ['zebra', undefined],
    ['x'.repeat(10_000), undefined],
  ])('to %s is %s', (name, near) => {
    expect(nearest(name, ['product', 'policy', 'maxMachines'])).toBe(near);
  });
});
