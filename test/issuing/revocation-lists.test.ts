import { describe, expect, it } from 'vitest';
import { RENEW_MS, RevocationLists } from '../../src/issuing/revocations/publish-lists.ts';
import { entryOfId, SortedEntries } from '../../src/issuing/revocations/sorted-entries.ts';
import { DAY, MINUTE } from '../../src/lib/clock.ts';
import { present } from '../../src/lib/invariant.ts';
import { deleteLicense } from '../../src/licensing/licenses/delete.ts';
import { RevocationList } from '../../src/verify/index.ts';
import { openShop, outcomeOf } from '../licensing/shop.ts';

import {
  accepted,
  end,
  file,
  get,
  payloadOf,
  sell,
  text,
  trustOf,
  UNBOUND,
  verdictOf,
} from './revocation-desk.ts';

describe('a revocation list', () => {
  it.each(['revoke', 'ban'] as const)(
    'names a licence after %s, and the library refuses its file',
    async (action) => {
      await using shop = await openShop();
      const [bad, good] = [await sell(shop), await sell(shop)];
      const files = [await file(shop, bad), await file(shop, good)] as const;
      const before = await accepted(shop);
      expect(verdictOf(shop, { sold: bad, text: files[0], list: before.list }).code).toBe('VALID');
      await end(shop, bad, { action });
      const { list } = await accepted(shop);
      expect(verdictOf(shop, { sold: bad, text: files[0], list })).toMatchObject({
        valid: false,
        code: 'REVOKED',
      });
      expect(verdictOf(shop, { sold: good, text: files[1], list })).toMatchObject({
        valid: true,
        code: 'VALID',
      });
      expect(shop.actions().at(-1)).toBe('revocation_list.published');
    },
  );

  it('is the same, byte for byte, until what it says changes or an hour has passed', async () => {
    await using shop = await openShop();
    const sold = await sell(shop);
    await file(shop, sold);
    const first = text(await get(shop));
    shop.clock.advance(RENEW_MS - MINUTE);
    await sell(shop);
    expect(text(await get(shop))).toBe(first);
    await end(shop, sold);
    const second = text(await get(shop));
    expect(payloadOf(second).number).toBeGreaterThan(payloadOf(first).number);
    expect(payloadOf(second).licenses).toHaveLength(1);
    shop.clock.advance(RENEW_MS);
    const third = text(await get(shop));
    expect(payloadOf(third).number).toBeGreaterThan(payloadOf(second).number);
    expect(payloadOf(third).licenses).toEqual(payloadOf(second).licenses);
  });

  it('is made once, however many ask for it at once', async () => {
    await using shop = await openShop();
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(shop)));
    expect(new Set(answers.map(text)).size).toBe(1);
    expect(shop.actions().filter((action) => action === 'revocation_list.published')).toHaveLength(1);
  });

  it('costs no memory for each who downloads it: all are sent the same bytes', async () => {
    await using shop = await openShop();
    const sold = await sell(shop);
    await file(shop, sold);
    const bytes = async (): Promise<Buffer> => present((await get(shop)).raw, 'a document').bytes;
    const first = await bytes();
    expect(await bytes()).toBe(first);
    await end(shop, sold);
    const second = await bytes();
    expect(second.equals(first)).toBe(false);
    expect(await bytes()).toBe(second);
  });

  it('is not stored for a tenant that is erased while it is signed', async () => {
    await using shop = await openShop();
    const { deps, keyring, clock, acme } = shop;
    let erased = false;
    const signer = {
      activeKey: keyring.activeKey.bind(keyring),
      ofTenant: keyring.ofTenant.bind(keyring),
      sign: (...given: Parameters<typeof keyring.sign>) => {
        erased = true;
        return keyring.sign(...given);
      },
    };
    const lists = new RevocationLists({
      ...{ ...deps, keyring: signer, clock, onListFailure: () => undefined },
      realmName: (realm) => (erased ? null : deps.realmName(realm)),
    });
    expect(await outcomeOf(lists.current(acme.live))).toBe('NOT_FOUND');
    expect(shop.rows('SELECT * FROM revocation_lists')).toEqual([]);
    expect(shop.actions()).not.toContain('revocation_list.published');
  });

  it('is not sent again to whoever has it', async () => {
    await using shop = await openShop();
    const sold = await sell(shop);
    const etag = present((await get(shop)).headers?.['etag'], 'an entity tag');
    const header = (name: string) => (name === 'if-none-match' ? etag : undefined);
    expect(await get(shop, 'acme', { header })).toMatchObject({ status: 304, headers: { etag } });
    await file(shop, sold);
    await end(shop, sold);
    expect((await get(shop, 'acme', { header })).status).toBe(200);
  });

  it('names a licence only while a file of it is good', async () => {
    await using shop = await openShop();
    const [kept, short, none] = [await sell(shop), await sell(shop), await sell(shop)];
    await file(shop, kept);
    await file(shop, short, { ttlSeconds: 3600 });
    for (const sold of [kept, short, none]) await end(shop, sold);
    expect(payloadOf(text(await get(shop))).licenses).toHaveLength(2);
    shop.clock.advance(RENEW_MS + MINUTE);
    expect(payloadOf(text(await get(shop))).licenses).toHaveLength(1);
    shop.clock.advance(14 * DAY);
    expect(payloadOf(text(await get(shop))).licenses).toHaveLength(0);
  });

  it('goes on naming a licence that is deleted after it was revoked', async () => {
    await using shop = await openShop();
    const sold = await sell(shop);
    await file(shop, sold);
    await end(shop, sold);
    await deleteLicense(shop.deps, shop.operator(), { id: sold.id, versions: null });
    expect(payloadOf(text(await get(shop))).licenses).toHaveLength(1);
  });

  it('has entries in the order of their characters, however many there are', async () => {
    const entries = new SortedEntries();
    const texts = Array.from({ length: 3000 }, (_, at) => entryOfId(`lic_${String(at)}`));
    for (const entry of [...texts, ...texts.slice(0, 10)]) entries.add(entry);
    expect(await entries.sorted()).toEqual([...texts].sort());
  });

  it('is refused by the library of another tenant, and in the other environment', async () => {
    await using shop = await openShop();
    const jws = text(await get(shop));
    const elsewhere = RevocationList.accept(jws, { trust: trustOf(shop, shop.globex.tenantId) });
    expect(elsewhere).toMatchObject({ accepted: false, code: 'KEY_UNKNOWN' });
    const asTest = RevocationList.accept(jws, { trust: trustOf(shop), environment: 'test' });
    expect(asTest).toMatchObject({ accepted: false, code: 'ENVIRONMENT_MISMATCH' });
  });

  it('of the test environment says nothing of the live one', async () => {
    await using shop = await openShop();
    const sold = await sell(shop, {}, shop.acme.test);
    const certificate = await file(shop, sold, { realm: shop.acme.test });
    await end(shop, sold, { realm: shop.acme.test });
    const { list } = await accepted(shop, 'test');
    expect(verdictOf(shop, { sold, text: certificate, list, environment: 'test' }).code).toBe('REVOKED');
    expect(payloadOf(text(await get(shop))).licenses).toHaveLength(0);
  });

  it('says nothing of who is on it to whoever finds it', async () => {
    await using shop = await openShop();
    const sold = await sell(shop);
    await file(shop, sold);
    await end(shop, sold);
    const jws = text(await get(shop));
    expect(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()).not.toContain(sold.id);
  });

  it('cannot be longer than machines take: the last one is given out, and somebody is told', async () => {
    await using shop = await openShop();
    const first = text(await get(shop));
    const { product, policy } = await shop.sell(UNBOUND);
    const ids = { productId: product.id, policyId: policy.id };
    for (let count = 0; count <= 20; count++) {
      const { id, key } = await shop.license(ids);
      const sold = { id, key: present(key, 'the operator sees it'), product: product.code };
      await file(shop, sold);
      await end(shop, sold);
    }
    expect(text(await get(shop))).toBe(first);
    expect(shop.state.listFailures).toMatchObject([{ code: 'REVOCATION_LIST_TOO_LONG' }]);
  });
});
