import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorise, countIssue, makeApiKey, type Permit, type Principal } from '../../../src/access/index.ts';
import { DAY } from '../../../src/lib/clock.ts';
import { newId } from '../../../src/lib/ulid.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import type { RealmId } from '../../../src/storage/realm-scope.ts';
import type { Tx } from '../../../src/storage/tx.ts';
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
let door: TestServer;

beforeAll(async () => {
  access = await openAccess({ failuresPerMinute: 100_000 });
  door = await serveKeys(access);
});

afterAll(async () => {
  await door[Symbol.asyncDispose]();
  await access[Symbol.asyncDispose]();
});

const post = (path: string, body: unknown, key: string): Promise<Answered> =>
  ask(door.url, { method: 'POST', path, key, body });
const patch = (id: string, body: unknown, by: string | { key: string; match: string }): Promise<Answered> => {
  const { key, match } = typeof by === 'string' ? { key: by, match: '*' } : by;
  return ask(door.url, { method: 'PATCH', path: `${PATH}/${id}`, key, body, headers: { 'if-match': match } });
};
const operator = (method: string, path: string, body?: unknown): Promise<Answered> =>
  askSocket(door.socket, { method, path, body, headers: { 'x-mintmark-tenant': 'acme' } });

/** A key made by the operator; its text and its id. */
async function made(more: Record<string, unknown> = {}): Promise<{ key: string; id: string }> {
  const body = { name: 'made', scopes: ['api-keys:read', 'api-keys:write'], ...more };
  const { data } = await operator('POST', PATH, body);
  return { key: String(data['key']), id: String(data['id']) };
}

describe('changing a key', () => {
  it('counts from the answer on, and leaves an entry and an event', async () => {
    const admin = await made();
    const other = await made({ scopes: ['api-keys:read'] });
    expect((await ask(door.url, { path: PATH, key: other.key })).status).toBe(200);
    const before = entriesOf(access, 'api_key.updated');
    const changed = await patch(other.id, { name: 'renamed', allowedCidrs: ['10.0.0.0/8'] }, admin.key);
    expect(changed.data).toMatchObject({
      name: 'renamed',
      allowedCidrs: ['10.0.0.0/8'],
      scopes: ['api-keys:read'],
    });
    expect((await ask(door.url, { path: PATH, key: other.key })).status).toBe(401);
    expect(entriesOf(access, 'api_key.updated')).toBe(before + 1);
    const events = access.storage.database.native.prepare(
      "SELECT count(*) FROM events WHERE type = 'key.updated'",
    );
    expect(Number(events.pluck().get())).toBeGreaterThan(0);
  });

  it('needs the version that whoever changes it has seen', async () => {
    const admin = await made();
    const other = await made({ scopes: ['api-keys:read'] });
    const shown = await ask(door.url, { path: `${PATH}/${other.id}`, key: admin.key });
    const by = { key: admin.key, match: shown.headers.get('etag') ?? '' };
    const first = await patch(other.id, { name: 'one' }, by);
    expect(first.status).toBe(200);
    expect(first.headers.get('etag')).not.toBe(by.match);
    expect((await patch(other.id, { name: 'two' }, by)).code).toBe('PRECONDITION_FAILED');
  });

  it('raises tier and issue limits for the local operator alone', async () => {
    const admin = await made({ tier: 'unlimited', issueLimitPerDay: null });
    const other = await made({
      scopes: ['api-keys:read'],
      tier: 'free',
      issueLimitPerDay: 10,
      issueLimitTotal: 100,
    });
    for (const raise of [{ tier: 'standard' }, { issueLimitPerDay: 11 }, { issueLimitTotal: null }]) {
      expect((await patch(other.id, raise, admin.key)).code).toBe('OPERATOR_ONLY');
      expect((await operator('PATCH', `${PATH}/${other.id}`, raise)).status).toBe(200);
    }
    const lowered = await patch(other.id, { tier: 'free', issueLimitPerDay: 5 }, admin.key);
    expect(lowered.data).toMatchObject({ tier: 'free', issueLimitPerDay: 5, issueLimitTotal: null });
  });

  it('gives nothing that the giver does not have, and touches no key that may do more than he', async () => {
    const small = await made({ scopes: ['api-keys:read', 'api-keys:write'] });
    const big = await made({ scopes: ['api-keys:read', 'licenses:write'] });
    expect((await patch(big.id, { name: 'mine now' }, small.key)).code).toBe('INSUFFICIENT_SCOPE');
    const own = await made({ scopes: ['api-keys:read'] });
    expect((await patch(own.id, { scopes: ['licenses:write'] }, small.key)).code).toBe('INSUFFICIENT_SCOPE');
    expect((await patch(own.id, { scopes: [] }, small.key)).code).toBe('VALIDATION_FAILED');
  });

  it('of another realm, or revoked, is not possible', async () => {
    const admin = await made();
    const foreign = await access.key({
      realm: access.storage.globex.live,
      scopes: ['api-keys:read', 'api-keys:write'],
    });
    const other = await made({ scopes: ['api-keys:read'] });
    expect((await patch(other.id, { name: 'x' }, foreign)).code).toBe('NOT_FOUND');
    await post(`${PATH}/${other.id}/revoke`, {}, admin.key);
    expect((await patch(other.id, { name: 'x' }, admin.key)).code).toBe('CONFLICT');
  });
});

/** A key with nothing but an end that it shares with its maker, in whose name the unit runs. */
function makeCascading(of: TestAccess, tx: Tx, realm: RealmId): void {
  const limits = { tier: 'standard', issueLimitPerDay: 1, issueLimitTotal: null } as const;
  const authority = { scopes: [], allowedCidrs: [], allowedProducts: [], expiresAt: null, ...limits };
  makeApiKey(of.keyDeps, tx, {
    realm,
    environment: 'live',
    kind: 'pk',
    name: 'one of many',
    cascade: true,
    authority,
  });
}

describe('a key that ends with its maker', () => {
  it('is revoked with it, and so are those that it made; others live on', async () => {
    const maker = await made();
    const child = (
      await post(
        PATH,
        { name: 'child', scopes: ['api-keys:read', 'api-keys:write'], cascade: true },
        maker.key,
      )
    ).data;
    const grandchild = (
      await post(PATH, { name: 'grandchild', scopes: ['api-keys:read'], cascade: true }, String(child['key']))
    ).data;
    const free = (await post(PATH, { name: 'free', scopes: ['api-keys:read'] }, maker.key)).data;
    for (const { key } of [child, grandchild, free]) {
      expect((await ask(door.url, { path: PATH, key: String(key) })).status).toBe(200);
    }
    const before = entriesOf(access, 'api_key.revoked');
    expect((await operator('POST', `${PATH}/${maker.id}/revoke`, {})).status).toBe(200);
    expect(entriesOf(access, 'api_key.revoked')).toBe(before + 3);
    expect((await ask(door.url, { path: PATH, key: String(child['key']) })).status).toBe(401);
    expect((await ask(door.url, { path: PATH, key: String(grandchild['key']) })).status).toBe(401);
    expect((await ask(door.url, { path: PATH, key: String(free['key']) })).status).toBe(200);
  });

  it('is revoked though there are more of them than one unit takes', async () => {
    const maker = await made();
    const { storage } = access;
    const realm = storage.acme.live;
    const actor = { kind: 'api-key', id: maker.id, via: 'secret-key' } as const;
    for (let count = 0; count < 450; count += 150) {
      await storage.work.run({ actor, realm, requestId: 'req_1' }, (tx) => {
        for (let n = 0; n < 150; n++) makeCascading(access, tx, realm);
      });
    }
    await operator('POST', `${PATH}/${maker.id}/revoke`, {});
    const living = storage.database.native
      .prepare('SELECT count(*) FROM api_keys WHERE created_by = ? AND revoked_at IS NULL')
      .pluck()
      .get(`api-key:${maker.id}`);
    expect(living).toBe(0);
  });
});

describe('the issue limit in all', () => {
  it('holds over days, with the limit of a day', async () => {
    const { id } = await made({ scopes: ['licenses:write'], issueLimitPerDay: 5, issueLimitTotal: 8 });
    const { acme, clock, work } = access.storage;
    const issue = async (count: number): Promise<string> => {
      const actor = { kind: 'api-key', id, via: 'secret-key' } as const;
      const who: Principal = {
        kind: 'secret-key',
        actor,
        realm: acme.live,
        scopes: new Set(),
        tier: 'standard',
      };
      const decision = authorise(
        who,
        { scope: null, also: [] },
        { action: 'POST /licenses', requestId: 'r' },
      );
      if (!decision.allowed) return 'refused';
      const permit: Permit = decision.permit;
      const refused = await work.run(permit, (tx) => countIssue(tx, permit, count));
      return refused?.refused.code ?? 'issued';
    };
    expect(await issue(9)).toBe('ISSUE_LIMIT');
    expect([await issue(5), await issue(1)]).toEqual(['issued', 'ISSUE_LIMIT']);
    clock.advance(DAY);
    expect([await issue(4), await issue(3), await issue(1)]).toEqual([
      'ISSUE_LIMIT',
      'issued',
      'ISSUE_LIMIT',
    ]);
    clock.advance(DAY);
    expect(await issue(1)).toBe('ISSUE_LIMIT');
  });

  it('and the products of a key are no wider than those of whoever gives them', async () => {
    const [one, two] = [newId('product', 0, systemRandom), newId('product', 1, systemRandom)];
    const maker = await made({ issueLimitTotal: 10, allowedProducts: [one] });
    const give = async (more: Record<string, unknown>): Promise<string | undefined> =>
      (await post(PATH, { name: 'child', scopes: ['api-keys:read'], ...more }, maker.key)).code;
    expect(await give({ issueLimitTotal: 11 })).toBe('VALIDATION_FAILED');
    expect(await give({ issueLimitTotal: null })).toBe('VALIDATION_FAILED');
    expect(await give({ allowedProducts: [one, two] })).toBe('VALIDATION_FAILED');
    expect(await give({ allowedProducts: [] })).toBe('VALIDATION_FAILED');
    expect(await give({ allowedProducts: [one, one] })).toBe('VALIDATION_FAILED');
    expect(
      await give({ allowedProducts: Array.from({ length: 26 }, () => newId('product', 2, systemRandom)) }),
    ).toBe('VALIDATION_FAILED');
    const child = await post(PATH, { name: 'child', scopes: ['api-keys:read'] }, maker.key);
    expect(child.data).toMatchObject({ issueLimitTotal: 10, allowedProducts: [one] });
  });
});
