import { describe, expect, it } from 'vitest';
import { apiKeyRoutes } from '../../src/access/api-keys/routes.ts';
import type { Demand, Permit } from '../../src/access/index.ts';
import type { Route } from '../../src/http/route.ts';
import { DAY } from '../../src/lib/clock.ts';
import { type Answered, ask, entriesOf, openAccess, serveKeys, type TestAccess } from './appliance.ts';

const PATH = '/api/v1/api-keys';
const BODY = { name: 'shop', scopes: ['api-keys:read'] };

const keysIn = (access: TestAccess): number =>
  Number(access.storage.database.native.prepare('SELECT count(*) FROM api_keys').pluck().get());
const adminOf = (access: TestAccess): Promise<string> =>
  access.key({ realm: access.storage.acme.live, scopes: ['api-keys:read', 'api-keys:write'] });

interface Sent {
  readonly signal?: AbortSignal;
  readonly url: string;
  readonly key: string;
  readonly idempotencyKey: string;
  readonly body?: unknown;
  readonly path?: string;
}
const create = ({ url, key, idempotencyKey, body = BODY, path = PATH, signal }: Sent): Promise<Answered> =>
  ask(url, {
    method: 'POST',
    path,
    key,
    body,
    headers: { 'idempotency-key': idempotencyKey },
    ...(signal !== undefined && { signal }),
  });

describe('a repeated request', () => {
  it('has one effect; the secret is shown once', async () => {
    await using access = await openAccess();
    await using server = await serveKeys(access);
    const key = await adminOf(access);
    const sent = { url: server.url, key, idempotencyKey: 'once' };
    const first = await create(sent);
    const before = keysIn(access);
    const second = await create(sent);
    expect(keysIn(access)).toBe(before);
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.data).toEqual({ ...first.data, key: null, secretShown: true });
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    expect(second.headers.get('idempotent-replayed')).toBe('true');
  });

  it('keeps nothing of a secret in the file', async () => {
    await using access = await openAccess();
    await using server = await serveKeys(access);
    const { data } = await create({ url: server.url, key: await adminOf(access), idempotencyKey: 'once' });
    const file = access.storage.database.native.serialize();
    expect(file.includes(String(data['key']).slice(-38, -6))).toBe(false);
    expect(file.includes('secretShown')).toBe(false);
  });

  it('with another body, or on another resource, is refused', async () => {
    await using access = await openAccess();
    await using server = await serveKeys(access);
    const key = await adminOf(access);
    const sent = { url: server.url, key, idempotencyKey: 'once' };
    const ids = [await create(sent), await create({ ...sent, idempotencyKey: 'other' })].map(({ data }) =>
      String(data['id']),
    );
    expect((await create({ ...sent, body: { ...BODY, name: 'else' } })).code).toBe('IDEMPOTENCY_KEY_REUSED');
    const revoke = { ...sent, idempotencyKey: 'revoke', body: {} };
    expect((await create({ ...revoke, path: `${PATH}/${ids[0] ?? ''}/revoke` })).status).toBe(200);
    expect((await create({ ...revoke, path: `${PATH}/${ids[1] ?? ''}/revoke` })).code).toBe(
      'IDEMPOTENCY_KEY_REUSED',
    );
  });

  it('is another request for another principal, and for another route', async () => {
    await using access = await openAccess();
    await using server = await serveKeys(access);
    const [one, two] = [await adminOf(access), await adminOf(access)];
    const sent = { url: server.url, idempotencyKey: 'same' };
    const first = await create({ ...sent, key: one });
    const second = await create({ ...sent, key: two });
    expect(second.headers.get('idempotent-replayed')).toBeNull();
    expect(second.data['id']).not.toBe(first.data['id']);
    const rotated = await create({
      ...sent,
      key: one,
      path: `${PATH}/${String(first.data['id'])}/rotate`,
      body: {},
    });
    expect([rotated.status, rotated.headers.get('idempotent-replayed')]).toEqual([200, null]);
  });

  it('is looked at only after its sender was let in', async () => {
    await using access = await openAccess();
    await using server = await serveKeys(access);
    const key = await adminOf(access);
    const sent = { url: server.url, key, idempotencyKey: 'once' };
    const { data } = await create(sent);
    const weaker = await access.key({ realm: access.storage.acme.live, scopes: ['api-keys:read'] });
    expect((await create({ ...sent, key: weaker })).code).toBe('INSUFFICIENT_SCOPE');
    await ask(server.url, { method: 'POST', path: `${PATH}/${String(data['id'])}/revoke`, key, body: {} });
    const mistyped = key.slice(0, -1) + (key.endsWith('x') ? 'y' : 'x');
    expect((await create({ ...sent, key: mistyped })).code).toBe('UNAUTHENTICATED');
  });

  it('runs anew after 24 hours of trusted time', async () => {
    await using access = await openAccess();
    await using server = await serveKeys(access);
    const sent = { url: server.url, key: await adminOf(access), idempotencyKey: 'once' };
    const first = await create(sent);
    access.storage.clock.advance(DAY - 1);
    expect((await create(sent)).data['id']).toBe(first.data['id']);
    access.storage.clock.advance(1);
    const later = await create(sent);
    expect([later.status, later.data['id'] === first.data['id']]).toEqual([201, false]);
  });

  it('of what was refused runs anew: nothing had happened', async () => {
    await using access = await openAccess();
    await using server = await serveKeys(access);
    const sent = { url: server.url, key: await adminOf(access), idempotencyKey: 'once' };
    expect((await create({ ...sent, body: { ...BODY, scopes: ['licenses:read'] } })).status).toBe(403);
    expect((await create(sent)).status).toBe(201);
  });

  it.each(['', 'ä', 'a b', 'x'.repeat(129)])('with the key %j is malformed', async (idempotencyKey) => {
    await using access = await openAccess();
    await using server = await serveKeys(access);
    const raw = Buffer.from(idempotencyKey, 'utf8').toString('latin1');
    const refused = await create({ url: server.url, key: await adminOf(access), idempotencyKey: raw });
    expect(refused.code).toBe('MALFORMED');
  });

  it('sent a hundred times at once has one effect, and gives one answer a hundred times', async () => {
    await using access = await openAccess();
    await using server = await serveKeys(access);
    const key = await adminOf(access);
    const { data } = await create({ url: server.url, key, idempotencyKey: 'made' });
    const path = `${PATH}/${String(data['id'])}/revoke`;
    const before = entriesOf(access);
    const answers = await Promise.all(
      Array.from({ length: 100 }, () =>
        create({ url: server.url, key, idempotencyKey: 'x', path, body: {} }),
      ),
    );
    expect(new Set(answers.map(({ status, data: one }) => JSON.stringify([status, one]))).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === null)).toHaveLength(1);
    expect(entriesOf(access)).toBe(before + 1);
    const keys = keysIn(access);
    const made = await Promise.all(
      Array.from({ length: 100 }, () => create({ url: server.url, key, idempotencyKey: 'y' })),
    );
    expect(keysIn(access)).toBe(keys + 1);
    expect(new Set(made.map(({ data: one }) => one['id'])).size).toBe(1);
    expect(made.filter(({ data: one }) => one['key'] !== null)).toHaveLength(1);
  });
});

describe('a stop between commit and answer', () => {
  /** The real routes, on a server that dies when the operation has committed and before anything is answered. */
  const dying = (access: TestAccess): Route<Permit, Demand>[] =>
    apiKeyRoutes(access.keyDeps).map((route) => ({
      ...route,
      ...(route.present !== undefined && { present: route.present.bind(route) }),
      handle: async (call) => {
        await route.handle(call);
        return new Promise<never>(() => undefined);
      },
    }));

  it('does not lose the answer: another process gives it to the repeated request, without a second effect', async () => {
    await using access = await openAccess();
    const key = await adminOf(access);
    await using first = await access.serve(dying(access));
    const sent = { url: first.url, key, idempotencyKey: 'once' };
    const before = keysIn(access);
    const gone = new AbortController();
    const lost = create({ ...sent, signal: gone.signal }).catch(() => 'lost');
    while (keysIn(access) === before) await new Promise((resolve) => setTimeout(resolve, 5));
    gone.abort();
    expect(await lost).toBe('lost');

    await using second = await serveKeys(access);
    const repeated = await create({ ...sent, url: second.url });
    expect([repeated.status, repeated.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
    expect(repeated.data).toMatchObject({ name: 'shop', key: null, secretShown: true });
    expect(keysIn(access)).toBe(before + 1);
  });

  it('before the commit leaves nothing, and the repeated request runs', async () => {
    await using access = await openAccess();
    const key = await adminOf(access);
    const never: Route<Permit, Demand>[] = apiKeyRoutes(access.keyDeps).map((route) => ({
      ...route,
      handle: () => new Promise<never>(() => undefined),
    }));
    await using first = await access.serve(never);
    const before = keysIn(access);
    const gone = new AbortController();
    const { signal } = gone;
    const lost = create({ url: first.url, key, idempotencyKey: 'once', signal }).catch(() => 'lost');
    await new Promise((resolve) => setTimeout(resolve, 50));
    gone.abort();
    expect(await lost).toBe('lost');
    await using second = await serveKeys(access);
    expect((await create({ url: second.url, key, idempotencyKey: 'once' })).status).toBe(201);
    expect(keysIn(access)).toBe(before + 1);
  });
});
