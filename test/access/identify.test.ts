import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Demand, Permit } from '../../src/access/index.ts';
import { newApiKeyText } from '../../src/access/api-keys/api-key-text.ts';
import type { Route } from '../../src/http/route.ts';
import { DAY, HOUR } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { insertLicenseKey } from '../../src/storage/directory.ts';
import { SYSTEM_REALM } from '../../src/storage/realm-scope.ts';
import type { RealmId } from '../../src/storage/realm-scope.ts';
import { ask, openAccess, serveKeys, type TestAccess, type TestServer } from './appliance.ts';
import { rewritten } from './rewritten-key.ts';
import { askSocket } from './socket.ts';

const ANYBODY: Demand = { scope: null, also: ['anonymous', 'license', 'publishable-key'] };

/** Says who is asking. */
const WHO: Route<Permit, Demand> = {
  method: 'GET',
  path: '/who',
  summary: 'Who',
  tag: 'test',
  demand: ANYBODY,
  answers: { 200: null },
  handle: ({ permit }) => {
    const { kind, actor, realm } = permit.principal;
    return { status: 200, body: { data: { kind, id: actor.id, via: actor.via, realm } } };
  },
};
const READ: Route<Permit, Demand> = { ...WHO, path: '/read', demand: { scope: 'licenses:read', also: [] } };
const OPERATOR: Route<Permit, Demand> = {
  ...WHO,
  path: '/operator',
  demand: { scope: null, also: [], operatorOnly: true },
};

let access: TestAccess;
let server: TestServer;

beforeAll(async () => {
  access = await openAccess({ failuresPerMinute: 10_000 });
  server = await access.serve([WHO, READ, OPERATOR]);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await access[Symbol.asyncDispose]();
});

const who = (key: string, headers: Record<string, string> = {}) =>
  ask(server.url, { path: '/who', key, headers });

describe('an API key', () => {
  it('acts in its own realm, as Bearer or as X-API-Key', async () => {
    const { acme, globex } = access.storage;
    for (const realm of [acme.live, acme.test, globex.live, globex.test]) {
      const key = await access.key({ realm, scopes: ['licenses:read'] });
      const bearer = await who(key);
      expect(bearer.data).toMatchObject({ kind: 'secret-key', via: 'secret-key', realm });
      const header = await ask(server.url, { path: '/who', headers: { 'x-api-key': key } });
      expect(header.data).toEqual(bearer.data);
    }
  });

  it('may do what its scopes say and nothing else', async () => {
    const realm = access.storage.acme.live;
    const reader = await access.key({ realm, scopes: ['licenses:read'] });
    const writer = await access.key({ realm, scopes: ['licenses:write'] });
    const none = await access.key({ realm, scopes: [] });
    expect((await ask(server.url, { path: '/read', key: reader })).status).toBe(200);
    for (const key of [writer, none]) {
      const refused = await ask(server.url, { path: '/read', key });
      expect([refused.status, refused.code]).toEqual([403, 'INSUFFICIENT_SCOPE']);
      expect(refused.body['detail']).toContain('licenses:read');
    }
    expect((await ask(server.url, { path: '/operator', key: reader })).code).toBe('OPERATOR_ONLY');
    expect((await ask(server.url, { path: '/read' })).code).toBe('UNAUTHENTICATED');
  });

  it('that is unknown, of another secret, kind or environment reads the same as any other', async () => {
    const realm = access.storage.acme.live;
    const known = await access.key({ realm });
    const publicId = known.slice('sk_live_mm'.length, 'sk_live_mm'.length + 22);
    const forged = [
      newApiKeyText({ kind: 'sk', environment: 'live' }, systemRandom),
      newApiKeyText({ kind: 'sk', environment: 'live', publicId }, systemRandom),
    ].map(({ text }) => text.expose());
    const texts = new Set<unknown>();
    for (const key of [...forged, `${known.slice(0, -1)}!`, 'sk_live_mm', 'x']) {
      const { status, code, body } = await who(key);
      expect([status, code]).toEqual([401, 'UNAUTHENTICATED']);
      texts.add(body['detail']);
    }
    expect(texts.size).toBe(1);
  });

  it('does not become another kind or environment by its text', async () => {
    const known = await access.key({ realm: access.storage.acme.test });
    expect((await who(rewritten(known, { environment: 'live' }))).status).toBe(401);
    expect((await who(rewritten(known, { kind: 'pk' }))).status).toBe(401);
    expect((await who(rewritten(known, {}))).status).toBe(200);
  });

  it('ends with its expiry, to the millisecond', async () => {
    const { clock, acme } = access.storage;
    const key = await access.key({ realm: acme.live, expiresAt: clock.wall() + HOUR });
    clock.advance(HOUR - 1);
    expect((await who(key)).status).toBe(200);
    clock.advance(1);
    const { status, body } = await who(key);
    expect([status, body['detail']]).toEqual([401, 'the API key has expired; use another one']);
  });

  it('is refused from addresses outside its list, by the address a trusted proxy names', async () => {
    const key = await access.key({ realm: access.storage.acme.live, allowedCidrs: ['10.20.0.0/16'] });
    expect((await who(key)).status).toBe(401);
    expect((await who(key, { 'x-forwarded-for': '10.21.0.1' })).status).toBe(401);
    expect((await who(key, { 'x-forwarded-for': '10.20.0.1' })).status).toBe(200);
  });

  it('is refused while its tenant is suspended', async () => {
    const { acme, work, database } = access.storage;
    const key = await access.key({ realm: acme.live });
    const set = (status: string): void => {
      database.native.prepare('UPDATE tenants SET status = ? WHERE id = ?').run(status, acme.tenantId);
      access.realms.reload();
    };
    set('suspended');
    expect((await who(key)).body['detail']).toContain('suspended');
    set('active');
    expect((await who(key)).status).toBe(200);
    expect(work.waiting).toBe(0);
  });

  it('beside another credential is refused: which one counts would be a guess', async () => {
    const key = await access.key({ realm: access.storage.acme.live });
    expect((await who(key, { 'x-api-key': key })).status).toBe(401);
  });

  it('of the publishable kind is no secret key, and a secret one is not taken as publishable', async () => {
    const realm = access.storage.acme.live;
    const pk = await access.key({ realm, kind: 'pk' });
    const sk = await access.key({ realm });
    const shown = await ask(server.url, { path: '/who', headers: { 'x-publishable-key': pk } });
    expect(shown.data).toMatchObject({ kind: 'publishable-key', realm });
    expect((await who(pk)).data).toMatchObject({ kind: 'publishable-key' });
    expect((await ask(server.url, { path: '/read', key: pk })).code).toBe('INSUFFICIENT_SCOPE');
    expect((await ask(server.url, { path: '/who', headers: { 'x-publishable-key': sk } })).status).toBe(401);
  });

  it('is noted as used, when and from where, sealed', async () => {
    const { acme, clock, database } = access.storage;
    const key = await access.key({ realm: acme.live });
    const { data } = await who(key, { 'x-forwarded-for': '198.51.100.7' });
    await access.usage.flush();
    const row = database.native
      .prepare('SELECT last_used_at AS at, last_used_from AS source FROM api_key_usage WHERE api_key_id = ?')
      .get(data['id']) as { at: number; source: Buffer };
    expect(row.at).toBe(clock.wall());
    expect(row.source.includes('198.51.100.7')).toBe(false);
    expect(
      access.storage.sealer
        .open(
          { realm: acme.live, table: 'api_key_usage', column: 'last_used_from', row: String(data['id']) },
          row.source,
        )
        .toString(),
    ).toBe('198.51.100.7');
  });
});

describe('a licence key', () => {
  const LOOKUP = { purpose: 'lookup', table: 'license_directory', column: 'key_hash' } as const;
  const store = (realm: RealmId, key: string, licenseId: string) => {
    const { storage } = access;
    const { work, indexer } = storage;
    return work.run(storage.authority(realm), (tx) => {
      tx.record({
        realm,
        action: 'license.created',
        target: { kind: 'license', id: licenseId },
        outcome: 'done',
      });
      insertLicenseKey(tx.in(realm), indexer.digest(SYSTEM_REALM, LOOKUP, key), licenseId);
    });
  };
  const license = (key: string, headers: Record<string, string> = {}) =>
    ask(server.url, { path: '/who', headers: { authorization: `License ${key}`, ...headers } });

  it('leads to its licence, however it is typed', async () => {
    const { acme } = access.storage;
    await store(acme.live, 'ACME-1111-2222-3333-4444', 'lic_a');
    for (const typed of ['ACME-1111-2222-3333-4444', 'acme 1111 2222 3333 4444', 'ACMEL1l1222233334444']) {
      expect((await license(typed)).data).toMatchObject({ kind: 'license', id: 'lic_a', realm: acme.live });
    }
    expect((await license('ACME-9999-2222-3333-4444')).status).toBe(401);
    expect((await license('')).status).toBe(401);
    expect((await license('x'.repeat(5000))).status).toBe(401);
  });

  it('of a test realm needs the header that says so', async () => {
    const { acme } = access.storage;
    await store(acme.test, 'ACME-AAAA-2222-3333-4444', 'lic_t');
    expect((await license('ACME-AAAA-2222-3333-4444')).status).toBe(401);
    const asked = await license('ACME-AAAA-2222-3333-4444', { 'x-mintmark-environment': 'test' });
    expect(asked.data).toMatchObject({ id: 'lic_t', realm: acme.test });
  });

  it('that several tenants know needs a publishable key', async () => {
    const { acme, globex } = access.storage;
    await store(acme.live, 'IMPORTED KEY 1', 'lic_1');
    await store(globex.live, 'IMPORTED KEY 1', 'lic_2');
    const ambiguous = await license('IMPORTED KEY 1');
    expect([ambiguous.status, ambiguous.code]).toEqual([422, 'REALM_REQUIRED']);
    const pk = await access.key({ realm: globex.live, kind: 'pk' });
    expect((await license('IMPORTED KEY 1', { 'x-publishable-key': pk })).data).toMatchObject({
      id: 'lic_2',
    });
    expect((await license('IMPORTED KEY 1', { 'x-publishable-key': 'pk_live_mm' })).status).toBe(401);
  });
});

describe('the local operator', () => {
  it('is whoever opens the socket, in the realm the headers name', async () => {
    const { acme, globex } = access.storage;
    const named = await askSocket(server.socket, {
      path: '/who',
      headers: { 'x-mintmark-tenant': 'globex' },
    });
    expect(named.data).toEqual({ kind: 'operator', id: 'local', via: 'socket', realm: globex.live });
    const test = { 'x-mintmark-tenant': 'acme', 'x-mintmark-environment': 'test' };
    expect((await askSocket(server.socket, { path: '/read', headers: test })).data).toMatchObject({
      realm: acme.test,
    });
  });

  it('is asked for a tenant when there are several and the route needs one', async () => {
    const refused = await askSocket(server.socket, { path: '/read' });
    expect([refused.status, refused.code]).toEqual([422, 'REALM_REQUIRED']);
    expect((await askSocket(server.socket, { path: '/operator' })).status).toBe(200);
    expect(
      (await askSocket(server.socket, { path: '/read', headers: { 'x-mintmark-tenant': 'nope' } })).code,
    ).toBe('NOT_FOUND');
    const wrong = { 'x-mintmark-tenant': 'acme', 'x-mintmark-environment': 'prod' };
    expect((await askSocket(server.socket, { path: '/read', headers: wrong })).code).toBe('MALFORMED');
  });

  it('is nobody over TCP, whatever the headers say', async () => {
    const asked = await ask(server.url, { path: '/who', headers: { 'x-mintmark-tenant': 'acme' } });
    expect(asked.data).toMatchObject({ kind: 'anonymous', realm: null });
    expect(
      (await ask(server.url, { path: '/operator', headers: { 'x-mintmark-tenant': 'acme' } })).status,
    ).toBe(401);
  });
});

describe('failures', () => {
  it('from one address are answered late, and then become 429, while known keys from it pass', async () => {
    await using limited = await openAccess({ failuresPerMinute: 5 });
    await using door = await serveKeys(limited);
    const key = await limited.key({ realm: limited.storage.acme.live, scopes: ['api-keys:read'] });
    const wrong = newApiKeyText({ kind: 'sk', environment: 'live' }, systemRandom).text.expose();
    const statuses: number[] = [];
    for (let count = 0; count < 12; count++) {
      statuses.push((await ask(door.url, { path: '/api/v1/api-keys', key: wrong })).status);
    }
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429]);
    expect(limited.pauses).toEqual([100, 200, 300, 400, 500]);
    const refused = await ask(door.url, { path: '/api/v1/api-keys', key: wrong });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await ask(door.url, { path: '/api/v1/api-keys', key })).status).toBe(200);
    const elsewhere = await ask(door.url, {
      path: '/api/v1/api-keys',
      key: wrong,
      headers: { 'x-forwarded-for': '10.0.0.1' },
    });
    expect(elsewhere.status).toBe(401);
  });

  it('that only a weak licence key could answer count ten times', async () => {
    await using limited = await openAccess({ failuresPerMinute: 20 });
    await using door = await limited.serve([WHO]);
    const guess = async (text: string): Promise<number> => {
      const headers = { authorization: `License ${text}` };
      return (await ask(door.url, { path: '/who', headers })).status;
    };
    const weak: number[] = [];
    for (let count = 1; count <= 5; count++) weak.push(await guess(`SERIAL-000${String(count)}`));
    expect(weak).toEqual([401, 401, 401, 401, 429]);
    expect(limited.pauses).toEqual([250, 500]);
    await using other = await openAccess({ failuresPerMinute: 20 });
    await using second = await other.serve([WHO]);
    for (let count = 0; count < 20; count++) {
      const headers = { authorization: `License ACME-7K2M-9Q4Z-XH3T-${String(1000 + count * 97)}` };
      expect((await ask(second.url, { path: '/who', headers })).status).toBe(401);
    }
  });

  it('write nothing: they are counted in memory, and become one entry a minute', async () => {
    await using limited = await openAccess({ failuresPerMinute: 10_000 });
    await using door = await serveKeys(limited);
    const { database, clock } = limited.storage;
    const count = () => database.native.prepare('SELECT count(*) FROM ledger_entries').pluck().get();
    const before = count();
    for (let n = 0; n < 50; n++) {
      await ask(door.url, { path: '/api/v1/api-keys', key: randomBytes(20).toString('hex') });
    }
    expect(count()).toBe(before);
    const entries = limited.refusals.flush(clock.wall());
    expect(entries).toHaveLength(1);
    expect(entries[0]?.happening.facts).toMatchObject({ total: 50 });
    clock.advance(DAY);
  });

  it('of a known principal are told with who it was, which rule, and what was wanted', async () => {
    await using limited = await openAccess();
    await using door = await serveKeys(limited);
    const key = await limited.key({ realm: limited.storage.acme.live, scopes: ['licenses:read'] });
    await ask(door.url, { path: '/api/v1/api-keys', key });
    const [entry] = limited.refusals.flush(limited.storage.clock.wall());
    expect(entry?.authority.actor).toMatchObject({ kind: 'api-key', via: 'secret-key' });
    expect(entry?.happening).toMatchObject({
      target: { kind: 'route', id: 'GET /api/v1/api-keys' },
      facts: { rule: 'scope.api-keys:read', code: 'INSUFFICIENT_SCOPE' },
    });
  });
});
