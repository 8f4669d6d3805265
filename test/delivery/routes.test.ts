import { describe, expect, it } from 'vitest';
import type { Demand, Permit } from '../../src/access/index.ts';
import { EVENT_TYPES } from '../../src/delivery/index.ts';
import { eventRoutes } from '../../src/delivery/routes.ts';
import { Fault } from '../../src/faults.ts';
import type { Route } from '../../src/http/route.ts';
import { openTestStorage, type TestStorage } from '../support/storage.ts';
import { announce } from './event-fixtures.ts';
import { ask } from './ask.ts';

type Realm = TestStorage['acme']['live'];

/** The row as the table of routes takes it: a permit is a caller, its demand is one of the access feature. */
function eventsRoute(storage: TestStorage): Route<Permit, Demand> {
  const [route] = eventRoutes(storage);
  if (route === undefined) throw new Error('events have one route');
  return route;
}

const events = (storage: TestStorage, realm: Realm, query: Record<string, string> = {}) =>
  ask(eventsRoute(storage), realm, query);

const numbers = (page: { data: readonly unknown[] }): unknown[] =>
  page.data.map((event) => (event as { data: { n: number } }).data.n); // what the fixture puts there

const repeated = (realm: Realm, count: number) =>
  Array.from({ length: count }, () => ({ type: 'machine.activated', realm }) as const);

describe('GET /api/v1/events', () => {
  it('demands the scope of events', async () => {
    await using storage = await openTestStorage();
    expect(eventsRoute(storage)).toMatchObject({
      method: 'GET',
      path: '/api/v1/events',
      demand: { scope: 'events:read', also: [] },
    });
  });

  it('answers a realm that has no events with an empty page', async () => {
    await using storage = await openTestStorage();
    expect(events(storage, storage.acme.live)).toEqual({
      data: [],
      pagination: { nextCursor: null, hasMore: false },
    });
  });

  it('shows the events of the realm, in commit order, and of no other', async () => {
    await using storage = await openTestStorage();
    const { acme, globex } = storage;
    const ids = await announce(storage, [
      { type: 'license.created', realm: acme.live },
      { type: 'license.created', realm: globex.live },
      { type: 'license.updated', realm: acme.live },
      { type: 'license.created', realm: acme.test },
    ]);
    const page = events(storage, acme.live);
    expect(page.data.map(({ id }) => id)).toEqual([ids[0], ids[2]]);
    expect(page.data.map((event) => event['position'])).toEqual([1, 3]);
    expect(events(storage, globex.live).data.map(({ id }) => id)).toEqual([ids[1]]);
    expect(events(storage, globex.test).data).toEqual([]);
  });

  it('pages with the position as cursor until nothing is left, also when more comes meanwhile', async () => {
    await using storage = await openTestStorage();
    const realm = storage.acme.live;
    await announce(storage, repeated(realm, 5));
    const first = events(storage, realm, { limit: '2' });
    expect(first.pagination).toEqual({ nextCursor: '2', hasMore: true });
    const second = events(storage, realm, { limit: '2', after: String(first.pagination.nextCursor) });
    const third = events(storage, realm, { limit: '2', after: String(second.pagination.nextCursor) });
    expect([first, second, third].map(numbers)).toEqual([[0, 1], [2, 3], [4]]);
    expect(third.pagination).toEqual({ nextCursor: null, hasMore: false });
    await announce(storage, repeated(realm, 1));
    const last = String(third.data.at(-1)?.['position']);
    expect(events(storage, realm, { after: last }).data.map((event) => event['position'])).toEqual([6]);
  });

  it.each([
    ['license.created', ['license.created', 'license.created']],
    ['license.*', ['license.created', 'license.revoked', 'license.created']],
    ['*', ['license.created', 'machine.activated', 'license.revoked', 'key.created', 'license.created']],
    ['pass.*', []],
  ])('filters by %s, keeping commit order', async (type, expected) => {
    await using storage = await openTestStorage();
    const realm = storage.acme.live;
    const types = [
      'license.created',
      'machine.activated',
      'license.revoked',
      'key.created',
      'license.created',
    ] as const;
    await announce(
      storage,
      types.map((one) => ({ type: one, realm })),
    );
    expect(events(storage, realm, { type }).data.map((event) => event['type'])).toEqual(expected);
  });

  it('pages through a filter without losing or repeating an event', async () => {
    await using storage = await openTestStorage();
    const realm = storage.acme.live;
    const types = ['license.created', 'machine.dead', 'license.revoked'] as const;
    const drafts = Array.from({ length: 30 }, (_, n) => ({ type: types[n % 3] ?? 'license.created', realm }));
    await announce(storage, drafts);
    const found: unknown[] = [];
    let after = '0';
    for (let more = true; more;) {
      const page = events(storage, realm, { type: 'license.*', limit: '7', after });
      found.push(...numbers(page));
      more = page.pagination.hasMore;
      after = String(page.pagination.nextCursor);
    }
    expect(found).toEqual(drafts.flatMap(({ type }, n) => (type === 'machine.dead' ? [] : [n])));
  });

  it('does not find the positions of another realm through a filter', async () => {
    await using storage = await openTestStorage();
    await announce(storage, [{ type: 'license.created', realm: storage.globex.live }]);
    expect(events(storage, storage.acme.live, { type: 'license.*' }).data).toEqual([]);
    expect(events(storage, storage.acme.live, { type: 'license.created' }).data).toEqual([]);
  });

  it.each(['license', 'license.create', 'licence.*', '**', 'webhook.sent'])(
    'refuses the type %s and names the catalogue',
    async (type) => {
      await using storage = await openTestStorage();
      const act = (): unknown => events(storage, storage.acme.live, { type });
      expect(act).toThrow(Fault);
      expect(act).toThrow(expect.objectContaining({ code: 'VALIDATION_FAILED' }));
      for (const name of ['*', 'license.*', ...EVENT_TYPES]) expect(act).toThrow(name);
    },
  );

  it.each([
    { after: '-1' },
    { after: '1.5' },
    { after: 'x' },
    { limit: '0' },
    { limit: '101' },
    { cursor: '1' },
  ])('refuses the query %j', async (query) => {
    await using storage = await openTestStorage();
    expect(eventsRoute(storage).query?.safeParse(query).success).toBe(false);
  });
});
