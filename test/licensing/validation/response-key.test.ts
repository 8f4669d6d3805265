import { describe, expect, it } from 'vitest';
import type { Permit } from '../../../src/access/index.ts';
import { realmScope, signingKeyColumns } from '../../../src/custody/keyring.ts';
import { append } from '../../../src/ledger/append.ts';
import { responseKeyFor } from '../../../src/licensing/validation/response-key.ts';
import type { RealmId } from '../../../src/storage/realm-scope.ts';
import { openShop, type Shop } from '../shop.ts';

const UNKNOWN = 'APP-0000-0000-0000-0000';

const keyOf = (shop: Shop, realm: RealmId): string =>
  shop.keyring.activeKey('response', realmScope(realm)).kid;

/** The key for a question; `only`: the realm of the asked environment when there is one tenant. */
function asked(
  shop: Shop,
  permit: Permit,
  { body, only }: { readonly body: unknown; readonly only?: RealmId },
): string | null {
  return responseKeyFor({ ...shop.deps, onlyRealm: () => only }, permit, body);
}

describe('the key that signs an answer', () => {
  it('is that of the realm of the credential, whatever the body says', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const { globex, acme } = shop;
    const other = shop.publishableKey(globex.live);
    expect(asked(shop, other, { body: { key: license.key } })).toBe(keyOf(shop, globex.live));
    expect(asked(shop, shop.operator(acme.test), { body: {} })).toBe(keyOf(shop, acme.test));
  });

  it('is that of the one realm that has the licence key, in the environment that was asked for', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const test = await shop.sell({}, {}, shop.acme.test);
    const ask = (body: unknown): string | null => asked(shop, shop.anonymous(), { body });
    expect(ask({ key: license.key })).toBe(keyOf(shop, shop.acme.live));
    expect(ask({ key: test.license.key, environment: 'test' })).toBe(keyOf(shop, shop.acme.test));
    expect(ask({ key: test.license.key })).toBeNull();
    expect(ask({ key: license.key, environment: 'test' })).toBeNull();
  });

  it.each([
    ['a licence key that nobody has', { key: UNKNOWN }],
    ['a body without one', {}],
    ['a body that is nonsense', { key: 7, environment: [] }],
    ['a body that is no object', 'text'],
  ])('is that of the only realm for %s, and nobody’s where there are several', async (_what, body) => {
    await using shop = await openShop();
    const { live } = shop.acme;
    expect(asked(shop, shop.anonymous(), { body, only: live })).toBe(keyOf(shop, live));
    expect(asked(shop, shop.anonymous(), { body })).toBeNull();
  });

  it('is nobody’s for a licence key that several tenants have', async () => {
    await using shop = await openShop();
    const key = 'shared-by-two-tenants-4711-0815-xyzzy';
    await shop.sell({}, { key });
    await shop.sell({}, { key }, shop.globex.live);
    expect(asked(shop, shop.anonymous(), { body: { key }, only: shop.acme.live })).toBeNull();
  });

  it('is refused when the realm has none that signs: no other realm’s takes its place', async () => {
    await using shop = await openShop();
    const { live } = shop.acme;
    const kid = keyOf(shop, live);
    await shop.deps.work.run(shop.operator(), (tx) => {
      for (const key of shop.keyring.changeState(tx, kid, 'compromised')) {
        const target = { kind: 'signing-key', id: kid };
        append(tx, {
          realm: key.realm,
          action: 'signing_key.changed',
          target,
          after: signingKeyColumns(key),
        });
      }
    });
    expect(() => asked(shop, shop.anonymous(), { body: { key: UNKNOWN }, only: live })).toThrow(
      expect.objectContaining({ code: 'SIGNER_UNAVAILABLE' }),
    );
  });
});
