import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY, isoTime } from '../../../src/lib/clock.ts';
import { deleteLicense } from '../../../src/licensing/licenses/delete.ts';
import { licenseRoutes } from '../../../src/licensing/licenses/routes.ts';
import { changeStatus } from '../../../src/licensing/licenses/transition.ts';
import { updateLicense } from '../../../src/licensing/licenses/update.ts';
import { renewLicense } from '../../../src/licensing/licenses/renew.ts';
import { Fault } from '../../../src/faults.ts';
import { type Catalogue, openCatalogue } from '../catalogue.ts';

const ANY = { versions: null };
const SORTS = ['createdAt', '-createdAt', 'expiresAt', '-expiresAt'] as const;

interface Listed {
  readonly data: { readonly id: string; readonly expiresAt: string | null }[];
  readonly pagination: { readonly nextCursor: string | null; readonly hasMore: boolean };
}

/** One page as the route answers it. @throws Fault VALIDATION_FAILED, CURSOR_INVALID */
function page(catalogue: Catalogue, query: Record<string, string>): Listed {
  const route = licenseRoutes(catalogue.deps).find(
    ({ method, path }) => method === 'GET' && path === '/api/v1/licenses',
  );
  const read = route?.query?.safeParse(query);
  if (route === undefined || read?.success !== true)
    throw new Fault('VALIDATION_FAILED', JSON.stringify(read?.error?.issues));
  const call = { permit: catalogue.operator(), query: read.data } as Parameters<typeof route.handle>[0];
  const answer = route.handle(call);
  if (answer instanceof Promise) throw new Error('a list is read in one turn');
  return answer.body as Listed;
}

const codeOf = (act: () => unknown): string => {
  try {
    act();
    return 'answered';
  } catch (error) {
    return error instanceof Fault ? error.code : String(error);
  }
};

/** What somebody else does between two pages. */
const disturbance = fc.record({
  act: fc.constantFrom('create', 'delete', 'suspend', 'edit', 'renew'),
  at: fc.nat(50),
  days: fc.integer({ min: 1, max: 20 }),
});

async function disturb(
  catalogue: Catalogue,
  ids: string[],
  { act, at, days }: { act: string; at: number; days: number },
): Promise<string | undefined> {
  const { deps, operator, storage } = catalogue;
  const id = ids[at % Math.max(1, ids.length)];
  if (act === 'create' || id === undefined) {
    const expiresAt = at % 3 === 0 ? null : isoTime(storage.clock.wall() + days * DAY);
    const policy = policies.get(catalogue);
    if (policy !== undefined) await catalogue.license(policy, { expiresAt });
    return undefined;
  }
  const permit = operator();
  if (act === 'delete') await deleteLicense(deps, permit, { id, ...ANY });
  if (act === 'edit') await updateLicense(deps, permit, { id, ...ANY, change: { name: `n${String(at)}` } });
  if (act === 'suspend')
    await changeStatus(deps, permit, { id, ...ANY, action: 'suspend' }).catch(() => null);
  if (act === 'renew') {
    const expiresAt = isoTime(storage.clock.wall() + days * DAY);
    await renewLicense(deps, permit, { id, ...ANY, expiresAt }).catch(() => null);
  }
  return act === 'edit' || act === 'suspend' ? undefined : id;
}

const policies = new WeakMap<Catalogue, Awaited<ReturnType<Catalogue['policy']>>>();

async function filled(count: number): Promise<{ catalogue: Catalogue; ids: string[] }> {
  const catalogue = await openCatalogue();
  const policy = await catalogue.policy(await catalogue.product());
  policies.set(catalogue, policy);
  const ids: string[] = [];
  for (let made = 0; made < count; made++) {
    const days = made % 4;
    // Several expire at the same time, and some never.
    const expiresAt = days === 0 ? null : isoTime(catalogue.storage.clock.wall() + days * DAY);
    ids.push((await catalogue.license(policy, { expiresAt })).id);
  }
  return { catalogue, ids };
}

describe('a walk through the list of licences', () => {
  it('shows every licence that is there all the time exactly once, whatever others do between its pages', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SORTS),
        fc.integer({ min: 1, max: 4 }),
        fc.array(disturbance, { minLength: 1, maxLength: 12 }),
        async (sort, limit, disturbances) => {
          const { catalogue, ids } = await filled(10);
          await using _closed = catalogue;
          const steady = new Set(ids);
          const seen: string[] = [];
          let cursor: string | null = null;
          for (let step = 0; step < 60; step++) {
            const listed: Listed = page(catalogue, {
              sort,
              limit: String(limit),
              ...(cursor !== null && { cursor }),
            });
            seen.push(...listed.data.map(({ id }) => id));
            cursor = listed.pagination.nextCursor;
            const next = disturbances[step];
            const moved = next === undefined ? undefined : await disturb(catalogue, ids, next);
            if (moved !== undefined) {
              steady.delete(moved);
              ids.splice(ids.indexOf(moved), 1);
            }
            if (cursor === null) break;
          }
          expect(cursor).toBeNull();
          for (const id of steady)
            expect(
              seen.filter((other) => other === id),
              id,
            ).toHaveLength(1);
        },
      ),
      { numRuns: 8 },
    );
  });

  it('is in the order that was asked for, what never expires last, and the other way round', async () => {
    const { catalogue, ids } = await filled(9);
    await using _closed = catalogue;
    const order = (sort: string) =>
      page(catalogue, { sort, limit: '100' }).data.map(({ id }) => ids.indexOf(id));
    expect(order('createdAt')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(order('-createdAt')).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect(order('expiresAt')).toEqual([1, 5, 2, 6, 3, 7, 0, 4, 8]);
    expect(order('-expiresAt')).toEqual([8, 4, 0, 7, 3, 6, 2, 5, 1]);
  });
});

describe('a cursor', () => {
  it('is refused with another sort and with other filters, and taken with the same', async () => {
    const { catalogue } = await filled(6);
    await using _closed = catalogue;
    const until = isoTime(catalogue.storage.clock.wall() + 9 * DAY);
    const lists: Record<string, string>[] = [
      {},
      { sort: 'createdAt' },
      { sort: 'expiresAt' },
      { sort: '-expiresAt' },
      { status: 'active' },
      { expiresBefore: until },
      { status: 'active', sort: 'createdAt' },
    ];
    for (const [one, given] of lists.entries()) {
      const { nextCursor } = page(catalogue, { ...given, limit: '2' }).pagination;
      expect(nextCursor).not.toBeNull();
      for (const [other, asked] of lists.entries()) {
        const outcome = codeOf(() => page(catalogue, { ...asked, limit: '3', cursor: String(nextCursor) }));
        expect(outcome, JSON.stringify([given, asked])).toBe(one === other ? 'answered' : 'CURSOR_INVALID');
      }
    }
  });
});

describe('the query of the list', () => {
  it.each([
    { sort: 'name' },
    { sort: 'metadata.plan' },
    { limit: '0' },
    { limit: '101' },
    { unknown: 'x' },
    { 'metadata.': 'x' },
    { 'metadata.a b': 'x' },
    { 'metadata.plan': ' ' },
    { 'metadata.plan': 'x'.repeat(257) },
    { 'metadata.a': '1', 'metadata.b': '1', 'metadata.c': '1', 'metadata.d': '1', 'metadata.e': '1' },
    { deleted: 'yes' },
    { deleted: 'true', status: 'active' },
    { deleted: 'true', sort: 'expiresAt' },
    { deleted: 'true', 'metadata.plan': 'x' },
    { expiresBefore: '2030-01-01T00:00:00.000Z', sort: 'createdAt' },
  ] as Record<string, string>[])('%j is refused', async (query) => {
    await using catalogue = await openCatalogue();
    expect(codeOf(() => page(catalogue, query))).toBe('VALIDATION_FAILED');
  });
});
