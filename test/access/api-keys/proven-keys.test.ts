import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiKey } from '../../../src/access/api-keys/api-key.ts';
import { ProvenKeys } from '../../../src/access/api-keys/proven-keys.ts';
import { revokeApiKey } from '../../../src/access/api-keys/revoke-api-key.ts';
import { rotateApiKey } from '../../../src/access/api-keys/rotate-api-key.ts';
import { authorise, type Permit } from '../../../src/access/index.ts';
import { HOUR, SECOND } from '../../../src/lib/clock.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import type { RealmId } from '../../../src/storage/realm-scope.ts';
import { ask, openAccess, serveKeys, type TestAccess, type TestServer } from '../appliance.ts';

const PATH = '/api/v1/api-keys';
let access: TestAccess;
let door: TestServer;
let realm: RealmId;

beforeAll(async () => {
  access = await openAccess({ failuresPerMinute: 100_000 });
  door = await serveKeys(access);
  realm = access.storage.acme.live;
});

afterAll(async () => {
  await door[Symbol.asyncDispose]();
  await access[Symbol.asyncDispose]();
});

async function statusOf(key: string, headers = {}): Promise<number> {
  return (await ask(door.url, { path: PATH, key, headers })).status;
}

/** A key, and its id. */
async function newKey(
  more: { expiresAt?: number; allowedCidrs?: string[] } = {},
): Promise<{ key: string; id: string }> {
  const key = await access.key({ realm, scopes: ['api-keys:read'], ...more });
  const [row] = access.storage.database.native
    .prepare('SELECT id FROM api_keys ORDER BY seq DESC LIMIT 1')
    .all() as { id: string }[]; // the one just made
  return { key, id: row?.id ?? '' };
}

/** The local operator's permit. */
function operator(): Permit {
  const actor = { kind: 'operator', id: 'local', via: 'socket' } as const;
  const decision = authorise(
    { kind: 'operator', actor, realm },
    { scope: 'api-keys:write', also: [] },
    {
      action: 'POST /api-keys',
      requestId: 'req_1',
    },
  );
  if (!decision.allowed) throw new Error('the operator may do that');
  return decision.permit;
}

describe('a key that was proven', () => {
  it('is not looked up again', async () => {
    const { key } = await newKey();
    expect(await statusOf(key)).toBe(200);
    const before = access.proven.size;
    expect(access.proven.find(key)).toBeDefined();
    expect(await statusOf(key)).toBe(200);
    expect(access.proven.size).toBe(before);
  });

  it('is refused in the very request after its revocation was answered', async () => {
    const { key, id } = await newKey();
    expect(await statusOf(key)).toBe(200);
    await revokeApiKey(access.keyDeps, operator(), { id });
    expect(access.proven.find(key)).toBeUndefined();
    expect(await statusOf(key)).toBe(401);
    // What is remembered of it since then is a key that is revoked.
    expect(await statusOf(key)).toBe(401);
  });

  it('is refused after its revocation though many requests with it are under way', async () => {
    for (let round = 0; round < 20; round++) {
      const { key, id } = await newKey();
      expect(await statusOf(key)).toBe(200);
      let revoked = false;
      const late: number[] = [];
      const lanes = Array.from({ length: 8 }, async () => {
        for (let count = 0; count < 6; count++) {
          const wasRevoked = revoked;
          const status = await statusOf(key);
          if (wasRevoked) late.push(status);
        }
      });
      const revoke = async (): Promise<void> => {
        await revokeApiKey(access.keyDeps, operator(), { id });
        revoked = true;
      };
      await Promise.all([...lanes, revoke()]);
      late.push(await statusOf(key));
      expect(new Set(late)).toEqual(new Set([401]));
    }
  });

  it('loses its old secret at once when that got out, and at the end of the overlap when not', async () => {
    const exposed = await newKey();
    expect(await statusOf(exposed.key)).toBe(200);
    const { text } = await rotateApiKey(access.keyDeps, operator(), {
      id: exposed.id,
      overlapHours: 24,
      exposed: true,
    });
    expect(await statusOf(exposed.key)).toBe(401);
    expect(await statusOf(text.expose())).toBe(200);
    const { key, id } = await newKey();
    expect(await statusOf(key)).toBe(200);
    await rotateApiKey(access.keyDeps, operator(), { id, overlapHours: 1, exposed: false });
    expect([await statusOf(key), await statusOf(key)]).toEqual([200, 200]);
    access.storage.clock.advance(HOUR);
    expect(await statusOf(key)).toBe(401);
  });

  it('is refused from the moment it expires', async () => {
    const { clock } = access.storage;
    const { key } = await newKey({ expiresAt: clock.wall() + HOUR });
    expect(await statusOf(key)).toBe(200);
    clock.advance(HOUR - SECOND);
    expect(await statusOf(key)).toBe(200);
    clock.advance(SECOND);
    expect(await statusOf(key)).toBe(401);
  });

  it('is refused from another address than it may come from', async () => {
    const { key } = await newKey({ allowedCidrs: ['10.1.0.0/16'] });
    expect(await statusOf(key, { 'x-forwarded-for': '10.1.2.3' })).toBe(200);
    expect(await statusOf(key, { 'x-forwarded-for': '10.2.2.3' })).toBe(401);
    expect(await statusOf(key, { 'x-forwarded-for': '10.1.2.3' })).toBe(200);
  });

  it('is refused while its tenant is suspended', async () => {
    const { key } = await newKey();
    const { database } = access.storage;
    expect(await statusOf(key)).toBe(200);
    database.native.prepare("UPDATE tenants SET status = 'suspended' WHERE id = 'ten_acme'").run();
    access.realms.reload();
    expect(await statusOf(key)).toBe(401);
    database.native.prepare("UPDATE tenants SET status = 'active' WHERE id = 'ten_acme'").run();
    access.realms.reload();
    expect(await statusOf(key)).toBe(200);
  });
});

describe('what is remembered of proven keys', () => {
  const proven = (id: string) => ({
    realm: 1 as RealmId, // a number of the storage; nothing reads it here
    key: { id } as ApiKey, // the id alone is looked at
    who: { kind: 'anonymous', actor: { kind: 'anonymous', id: '-', via: 'http' }, realm: null } as const,
    secretUntil: null,
  });

  it('is bounded: what was not used for longest goes', () => {
    const keys = new ProvenKeys(systemRandom);
    for (let number = 0; number < 4096; number++)
      keys.keep(`text ${String(number)}`, proven(`key_${String(number)}`));
    expect(keys.find('text 0')).toBeDefined();
    for (let number = 0; number < 100; number++)
      keys.keep(`more ${String(number)}`, proven(`new_${String(number)}`));
    expect(keys.size).toBe(4096);
    expect(keys.find('text 0')).toBeDefined();
    expect(keys.find('text 1')).toBeUndefined();
    expect(keys.find('more 99')).toBeDefined();
  });

  it('goes with both secrets of a key', () => {
    const keys = new ProvenKeys(systemRandom);
    keys.keep('new secret', proven('key_1'));
    keys.keep('old secret', proven('key_1'));
    keys.keep('another', proven('key_2'));
    keys.forget('key_1');
    expect([keys.find('new secret'), keys.find('old secret')]).toEqual([undefined, undefined]);
    expect(keys.find('another')).toBeDefined();
    expect(keys.size).toBe(1);
  });
});
