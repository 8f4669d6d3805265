import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countIssue, type Permit } from '../../../src/access/index.ts';
import { authorise } from '../../../src/access/index.ts';
import { DAY, HOUR, isoTime } from '../../../src/lib/clock.ts';
import type { RealmId } from '../../../src/storage/realm-scope.ts';
import {
  type Answered,
  ask,
  entriesOf,
  openAccess,
  serveKeys,
  type TestAccess,
  type TestServer,
} from '../appliance.ts';
import { askSocket } from '../socket.ts';

const PATH = '/api/v1/api-keys';

let access: TestAccess;
let server: TestServer;
let admin: string;

beforeAll(async () => {
  access = await openAccess({ failuresPerMinute: 10_000 });
  server = await serveKeys(access);
  admin = await access.key({
    realm: access.storage.acme.live,
    scopes: ['api-keys:read', 'api-keys:write', 'licenses:read'],
  });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await access[Symbol.asyncDispose]();
});

const post = (path: string, body: unknown, key = admin): Promise<Answered> =>
  ask(server.url, { method: 'POST', path, key, body });
const get = (path: string, key = admin): Promise<Answered> => ask(server.url, { path, key });
const operator = (path: string, body?: unknown): Promise<Answered> =>
  askSocket(server.socket, {
    method: body === undefined ? 'GET' : 'POST',
    path,
    body,
    headers: { 'x-mintmark-tenant': 'acme' },
  });
const entries = (action: string): number => entriesOf(access, action);

describe('creating a key', () => {
  it('shows it once, and afterwards only its last four characters', async () => {
    const made = await post(PATH, { name: 'shop', scopes: ['licenses:read'] });
    expect(made.status).toBe(201);
    const { key, id, masked } = made.data;
    expect(key).toMatch(/^sk_live_mm/);
    expect(masked).toBe(`sk_live_mm…${String(key).slice(-4)}`);
    const shown = await get(`${PATH}/${String(id)}`);
    expect(shown.data).toEqual({ ...made.data, key: undefined });
    expect(shown.headers.get('etag')).toBe('"01234567.1"');
    expect(JSON.stringify((await get(PATH)).body)).not.toContain(String(key));
    expect((await get(PATH, String(key))).code).toBe('INSUFFICIENT_SCOPE');
  });

  it('leaves one ledger entry and one event, neither with the secret', async () => {
    const before = entries('api_key.created');
    const { data } = await post(PATH, { name: 'shop', scopes: ['licenses:read'] });
    expect(entries('api_key.created')).toBe(before + 1);
    const { database } = access.storage;
    const event = database.native
      .prepare("SELECT body FROM events WHERE type = 'key.created' ORDER BY position DESC LIMIT 1")
      .pluck()
      .get() as Buffer;
    expect(JSON.parse(event.toString())).toMatchObject({
      realm: { tenant: 'acme', environment: 'live' },
      data: { id: data['id'], scopes: ['licenses:read'] },
    });
    const secret = String(data['key']).slice(-38, -6);
    const file = database.native.serialize();
    expect(file.includes(secret)).toBe(false);
    expect(event.includes(secret)).toBe(false);
  });

  it.each([
    [{ name: 'x', scopes: ['licenses:write'] }, 403, 'INSUFFICIENT_SCOPE'],
    [{ name: 'x', scopes: ['tenants:read'] }, 422, 'VALIDATION_FAILED'],
    [{ name: 'x', scopes: ['signing-keys:rotate'] }, 422, 'VALIDATION_FAILED'],
    [{ name: 'x', scopes: [] }, 422, 'VALIDATION_FAILED'],
    [{ name: 'x' }, 422, 'VALIDATION_FAILED'],
    [{ name: 'x', kind: 'pk', scopes: ['licenses:read'] }, 422, 'VALIDATION_FAILED'],
    [{ name: 'x', scopes: ['licenses:read'], issueLimitPerDay: 1001 }, 422, 'VALIDATION_FAILED'],
    [{ name: 'x', scopes: ['licenses:read'], issueLimitPerDay: null }, 422, 'VALIDATION_FAILED'],
    [{ name: 'x', scopes: ['licenses:read'], tier: 'premium' }, 422, 'VALIDATION_FAILED'],
    [{ name: 'x', scopes: ['licenses:read'], expiresAt: '2020-01-01T00:00:00Z' }, 422, 'VALIDATION_FAILED'],
    [{ name: 'x', scopes: ['licenses:read'], allowedCidrs: ['10.0.0.0/99'] }, 422, 'VALIDATION_FAILED'],
    [{ name: 'x', scopes: ['licenses:read'], environment: 'test' }, 422, 'VALIDATION_FAILED'],
  ])('of %j by another key is %i %s', async (body, status, code) => {
    const before = entries('api_key.created');
    const refused = await post(PATH, body);
    expect([refused.status, refused.code]).toEqual([status, code]);
    expect(entries('api_key.created')).toBe(before);
  });

  it('gives no later expiry and no wider addresses than the giver has, and inherits both', async () => {
    const { clock, acme } = access.storage;
    const end = clock.wall() + DAY;
    const limited = await access.key({
      realm: acme.live,
      scopes: ['api-keys:write', 'licenses:read'],
      allowedCidrs: ['127.0.0.0/8'],
      expiresAt: end,
      issueLimitPerDay: 10,
    });
    const child = { name: 'child', scopes: ['licenses:read'] };
    const inherited = await post(PATH, child, limited);
    expect(inherited.data).toMatchObject({
      allowedCidrs: ['127.0.0.0/8'],
      expiresAt: isoTime(end),
      issueLimitPerDay: 10,
    });
    for (const wider of [
      { expiresAt: isoTime(end + 1) },
      { allowedCidrs: ['0.0.0.0/0'] },
      { allowedCidrs: [] },
      { issueLimitPerDay: 11 },
    ]) {
      const refused = await post(PATH, { ...child, ...wider }, limited);
      expect([refused.code, refused.body['errors']]).toMatchObject([
        'VALIDATION_FAILED',
        [{ path: Object.keys(wider)[0], code: 'WIDER_THAN_GIVER' }],
      ]);
    }
    const narrower = { allowedCidrs: ['127.1.0.0/16'], expiresAt: isoTime(end - 1), issueLimitPerDay: 0 };
    expect((await post(PATH, { ...child, ...narrower }, limited)).data).toMatchObject(narrower);
  });

  it.each(['webhooks:read', 'passes:issue', 'exchange:grant', 'tenants:read'])(
    'is not given %s, which nothing asks of a key: not even by the local operator',
    async (scope) => {
      const refused = await operator(PATH, { name: 'early', scopes: ['licenses:read', scope] });
      expect([refused.status, refused.body['code']]).toEqual([422, 'VALIDATION_FAILED']);
      expect(refused.body['errors']).toMatchObject([{ path: 'scopes.1' }]);
    },
  );

  it('by the local operator may give all that a key can carry, without a limit', async () => {
    const made = await operator(PATH, {
      name: 'bench',
      scopes: ['licenses:write', 'audit:read'],
      issueLimitPerDay: null,
      tier: 'unlimited',
    });
    expect([made.status, made.data['issueLimitPerDay'], made.data['createdBy']]).toEqual([
      201,
      null,
      'operator:local',
    ]);
    const pk = await operator(PATH, { name: 'client', kind: 'pk' });
    expect(pk.data).toMatchObject({ kind: 'pk', scopes: [] });
    expect(pk.data['key']).toMatch(/^pk_live_mm/);
  });

  it('stays in its realm: nobody else sees it', async () => {
    const { data } = await post(PATH, { name: 'shop', scopes: ['licenses:read'] });
    const { acme, globex } = access.storage;
    for (const realm of [acme.test, globex.live, globex.test]) {
      const other = await access.key({ realm, scopes: ['api-keys:read', 'api-keys:write'] });
      const path = `${PATH}/${String(data['id'])}`;
      expect((await get(path, other)).status).toBe(404);
      expect((await post(`${path}/revoke`, {}, other)).status).toBe(404);
      expect((await post(`${path}/rotate`, {}, other)).status).toBe(404);
      const list = await get(`${PATH}?limit=100`, other);
      expect(JSON.stringify(list.body)).not.toContain(String(data['id']));
    }
  });
});

describe('rotating a key', () => {
  const make = async (): Promise<{ id: string; key: string }> => {
    const { data } = await post(PATH, { name: 'rotated', scopes: ['api-keys:read'] });
    return { id: String(data['id']), key: String(data['key']) };
  };
  const works = async (key: string): Promise<boolean> => (await get(PATH, key)).status === 200;

  it('gives a new secret; the old one goes on for the overlap, to the millisecond', async () => {
    const { id, key } = await make();
    const rotated = await post(`${PATH}/${id}/rotate`, { overlapHours: 2 });
    const fresh = String(rotated.data['key']);
    expect([rotated.status, fresh === key]).toEqual([200, false]);
    expect([await works(key), await works(fresh)]).toEqual([true, true]);
    access.storage.clock.advance(2 * HOUR - 1);
    expect(await works(key)).toBe(true);
    access.storage.clock.advance(1);
    expect([await works(key), await works(fresh)]).toEqual([false, true]);
  });

  it('of an exposed one ends the old secret at once', async () => {
    const { id, key } = await make();
    const rotated = await post(`${PATH}/${id}/rotate`, { exposed: true, overlapHours: 24 });
    expect(rotated.data['previousValidUntil']).toBeNull();
    expect([await works(key), await works(String(rotated.data['key']))]).toEqual([false, true]);
  });

  it('twice leaves only the last two secrets', async () => {
    const { id, key } = await make();
    const second = String((await post(`${PATH}/${id}/rotate`, {})).data['key']);
    const third = String((await post(`${PATH}/${id}/rotate`, {})).data['key']);
    expect([await works(key), await works(second), await works(third)]).toEqual([false, true, true]);
  });

  it('that may do more than whoever asks is refused: its new secret would be more than he has', async () => {
    const { data } = await operator(PATH, { name: 'strong', scopes: ['licenses:write'] });
    const refused = await post(`${PATH}/${String(data['id'])}/rotate`, {});
    expect([refused.status, refused.code]).toEqual([403, 'INSUFFICIENT_SCOPE']);
    expect(refused.body['key']).toBeUndefined();
  });

  it('that is revoked or expired is refused', async () => {
    const { id } = await make();
    await post(`${PATH}/${id}/revoke`, {});
    expect((await post(`${PATH}/${id}/rotate`, {})).code).toBe('CONFLICT');
    expect((await post(`${PATH}/key_01J9ZC3T5K8M2N4P6Q7R9S0TVW/rotate`, {})).code).toBe('NOT_FOUND');
  });
});

describe('revoking a key', () => {
  it('ends both its secrets at once, and may be asked for again', async () => {
    const { data } = await post(PATH, { name: 'gone', scopes: ['api-keys:read'] });
    const path = `${PATH}/${String(data['id'])}`;
    const fresh = String((await post(`${path}/rotate`, {})).data['key']);
    const revoked = await post(`${path}/revoke`, {});
    expect(revoked.data['revokedAt']).not.toBeNull();
    for (const key of [String(data['key']), fresh]) expect((await get(PATH, key)).status).toBe(401);
    const before = entries('api_key.revoked');
    expect((await post(`${path}/revoke`, {})).data).toEqual(revoked.data);
    expect(entries('api_key.revoked')).toBe(before);
  });
});

describe('listing keys', () => {
  it('pages through all of them once, newest first', async () => {
    const realm = access.storage.globex.test;
    const reader = await access.key({ realm, scopes: ['api-keys:read'] });
    for (let count = 0; count < 6; count++) await access.key({ realm });
    const seen: string[] = [];
    let cursor = '';
    do {
      const page = await get(`${PATH}?limit=3${cursor}`, reader);
      const { data, pagination } = page.body as {
        data: { id: string }[];
        pagination: { nextCursor: string | null; hasMore: boolean };
      };
      seen.push(...data.map(({ id }) => id));
      cursor = pagination.nextCursor === null ? '' : `&cursor=${pagination.nextCursor}`;
      expect(pagination.hasMore).toBe(cursor !== '');
    } while (cursor !== '');
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBeGreaterThanOrEqual(7);
    expect((await get(`${PATH}?cursor=nonsense`, reader)).code).toBe('CURSOR_INVALID');
  });
});

describe('the issue limit of a key', () => {
  const issue = async (realm: RealmId, id: string, count: number): Promise<string> => {
    const scopes = new Set<never>();
    const actor = { kind: 'api-key', id, via: 'secret-key' } as const;
    const about = { action: 'POST /licenses', requestId: 'r' };
    const decision = authorise(
      { kind: 'secret-key', actor, realm, scopes, tier: 'standard' },
      { scope: null, also: [] },
      about,
    );
    if (!decision.allowed) return 'refused';
    const permit: Permit = decision.permit;
    const refused = await access.storage.work.run(permit, (tx) => countIssue(tx, permit, count));
    return refused?.refused.code ?? 'issued';
  };

  it('counts a day in UTC, never passes it, and begins anew the next day', async () => {
    const { acme, clock } = access.storage;
    const { data } = await operator(PATH, {
      name: 'issuer',
      scopes: ['licenses:write'],
      issueLimitPerDay: 10,
    });
    const id = String(data['id']);
    expect(await issue(acme.live, id, 7)).toBe('issued');
    expect(await issue(acme.live, id, 4)).toBe('ISSUE_LIMIT');
    expect(await issue(acme.live, id, 3)).toBe('issued');
    expect(await issue(acme.live, id, 1)).toBe('ISSUE_LIMIT');
    clock.advance(DAY);
    expect(await issue(acme.live, id, 10)).toBe('issued');
    expect(await issue(acme.live, id, 1)).toBe('ISSUE_LIMIT');
    expect(await issue(acme.live, id, 11)).toBe('ISSUE_LIMIT');
  });

  it('holds for the keys that a key makes, all together', async () => {
    const { acme } = access.storage;
    const made = await operator(PATH, {
      name: 'maker',
      scopes: ['licenses:write', 'api-keys:write'],
      issueLimitPerDay: 3,
    });
    const children: string[] = [];
    for (const name of ['one', 'two', 'three']) {
      const body = { name, scopes: ['licenses:write'], issueLimitPerDay: 3 };
      const { data } = await ask(server.url, {
        method: 'POST',
        path: PATH,
        key: String(made.data['key']),
        body,
      });
      children.push(String(data['id']));
    }
    const outcomes: string[] = [];
    for (const id of children) outcomes.push(await issue(acme.live, id, 2));
    expect(outcomes).toEqual(['issued', 'ISSUE_LIMIT', 'ISSUE_LIMIT']);
    expect(await issue(acme.live, String(made.data['id']), 1)).toBe('issued');
    expect(await issue(acme.live, children[2] ?? '', 1)).toBe('ISSUE_LIMIT');
  });

  it('is not one for a key that has none', async () => {
    const { data } = await operator(PATH, {
      name: 'issuer',
      scopes: ['licenses:write'],
      issueLimitPerDay: null,
    });
    expect(await issue(access.storage.acme.live, String(data['id']), 1_000_000)).toBe('issued');
  });
});
