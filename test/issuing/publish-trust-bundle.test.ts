import { createHash, createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Permit } from '../../src/access/index.ts';
import type { Answer, Call } from '../../src/http/route.ts';
import { issuingRoutes, publishTrustBundle } from '../../src/issuing/index.ts';
import { present } from '../../src/lib/invariant.ts';
import { verifyTrustBundle } from '../../src/verify/index.ts';
import { openShop, type Shop } from '../licensing/shop.ts';

/** What the route with this path answers to anybody. */
async function get(shop: Shop, path: string, given: Partial<Call<Permit>> = {}): Promise<Answer> {
  const route = present(
    issuingRoutes(shop.deps).find((row) => row.path === path),
    `there is a route ${path}`,
  );
  const call: Call<Permit> = {
    permit: shop.anonymous(),
    params: {},
    query: { env: 'live' },
    body: undefined,
    requestId: 'req_test',
    header: () => undefined,
    address: '192.0.2.7',
    path,
    bodyDigest: () => createHash('sha256').digest(),
    ...given,
  };
  return route.handle(call);
}

const text = (answer: Answer): string => present(answer.raw, 'a document').bytes.toString('utf8');
const acme = { params: { code: 'acme' } };

describe('the trust bundle of a tenant', () => {
  it('is signed by the root and lists every key that somebody outside verifies with', async () => {
    await using shop = await openShop();
    const jws = text(await get(shop, '/api/v1/tenants/{code}/trust-bundle', acme));
    const root = present(
      shop.keyring.ofTenant(shop.acme.tenantId).find(({ purpose }) => purpose === 'root'),
      'a root',
    );
    const pin = createHash('sha256').update(root.publicKey).digest('hex');
    const answer = verifyTrustBundle(jws, { roots: [pin], tenant: 'acme' });
    expect(answer.accepted).toBe(true);
    const purposes = answer.trust?.keys
      .map(({ purpose, environment }) => `${purpose} ${environment ?? '-'}`)
      .sort();
    expect(purposes).toEqual([
      'license live',
      'license test',
      'response live',
      'response test',
      'revocation -',
      'token live',
      'token test',
    ]);
    expect(verifyTrustBundle(jws, { roots: ['00'.repeat(32)] }).accepted).toBe(false);
  });

  it('counts up, and is told in the ledger with its digest', async () => {
    await using shop = await openShop();
    const publish = () => publishTrustBundle(shop.deps, shop.storage.authority(null), shop.acme.tenantId);
    const first = await publish();
    expect(await publish()).toBe(first + 1);
    expect(shop.actions().slice(-2)).toEqual(['trust_bundle.published', 'trust_bundle.published']);
    const both = await Promise.all([publish(), publish()]);
    expect(both.sort((a, b) => a - b)).toEqual([first + 2, first + 3]);
  });

  it('is not sent again to whoever has it', async () => {
    await using shop = await openShop();
    const path = '/api/v1/tenants/{code}/trust-bundle';
    const { headers } = await get(shop, path, acme);
    expect(headers?.['cache-control']).toBe('public, max-age=300');
    const etag = present(headers?.['etag'], 'an entity tag');
    const header = (name: string) => (name === 'if-none-match' ? etag : undefined);
    expect((await get(shop, path, { ...acme, header })).status).toBe(304);
    await publishTrustBundle(shop.deps, shop.storage.authority(null), shop.acme.tenantId);
    expect((await get(shop, path, { ...acme, header })).status).toBe(200);
  });

  it('needs no name where there is one tenant alone', async () => {
    await using shop = await openShop();
    await expect(get(shop, '/api/v1/trust-bundle')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    shop.storage.database.native.prepare("UPDATE tenants SET status = 'erased' WHERE code = 'globex'").run();
    const alone = text(await get(shop, '/api/v1/trust-bundle'));
    expect(alone).toBe(text(await get(shop, '/api/v1/tenants/{code}/trust-bundle', acme)));
    const gone = get(shop, '/api/v1/tenants/{code}/trust-bundle', { params: { code: 'globex' } });
    await expect(gone).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('the key sets of a tenant', () => {
  it('keep licence and token keys, live and test apart', async () => {
    await using shop = await openShop();
    const kids = async (file: string, env: string) => {
      const answer = await get(shop, `/api/v1/tenants/{code}/${file}`, { ...acme, query: { env } });
      expect(answer.raw?.contentType).toBe('application/jwk-set+json');
      return (JSON.parse(text(answer)) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
    };
    const sets = await Promise.all([
      kids('license-jwks.json', 'live'),
      kids('license-jwks.json', 'test'),
      kids('jwks.json', 'live'),
      kids('jwks.json', 'test'),
    ]);
    expect(sets.map(({ length }) => length)).toEqual([1, 1, 1, 1]);
    expect(new Set(sets.flat()).size).toBe(4);
    expect(sets[0]).toEqual([shop.deps.activeLicenseKid(shop.acme.live)]);
  });

  it('hold keys that verify what the appliance signs', async () => {
    await using shop = await openShop();
    const answer = await get(shop, '/api/v1/tenants/{code}/license-jwks.json', acme);
    const { keys } = JSON.parse(text(answer)) as {
      keys: { kid: string; kty: string; crv: string; x: string }[];
    };
    const [key] = keys;
    const { kid, ...jwk } = present(key, 'a key');
    const message = Buffer.from('license/anything');
    const signature = await shop.keyring.sign(kid, message);
    expect(verify(null, message, createPublicKey({ key: jwk, format: 'jwk' }), signature)).toBe(true);
  });
});
