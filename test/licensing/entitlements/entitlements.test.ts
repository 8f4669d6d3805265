import { describe, expect, it } from 'vitest';
import { deleteEntitlement } from '../../../src/licensing/entitlements/delete.ts';
import { entitlementInput } from '../../../src/licensing/entitlements/entitlement-schema.ts';
import { listEntitlements, showEntitlement } from '../../../src/licensing/entitlements/show.ts';
import { updateEntitlement } from '../../../src/licensing/entitlements/update.ts';
import { entitleLicense } from '../../../src/licensing/licenses/entitle.ts';
import { openCatalogue } from '../catalogue.ts';

const ANY = { versions: null };
const FIRST = { descending: true, after: Number.MAX_SAFE_INTEGER, limit: 10 };

describe('entitlements', () => {
  it('are named after their code unless they have a name', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const created = await catalogue.entitlement('export.pdf');
    expect(created).toMatchObject({ code: 'export.pdf', name: 'export.pdf', metadata: {} });
    const change = { name: 'PDF export', metadata: { tier: 2 } };
    const changed = await updateEntitlement(deps, operator(), { id: created.id, versions: [1], change });
    expect(changed).toMatchObject({ version: 2, view: { code: 'export.pdf', ...change } });
    expect(showEntitlement(deps, operator(), created.id)).toEqual(changed);
    expect(catalogue.actions().slice(-2)).toEqual(['entitlement.created', 'entitlement.updated']);
  });

  it.each(['Pro', '', '.pro', 'a b', 'ü', 'x'.repeat(101)])('have no code like %o', (code) => {
    expect(entitlementInput.safeParse({ code }).success).toBe(false);
  });

  it('refuse a second living one with the same code, naming it', async () => {
    await using catalogue = await openCatalogue();
    await catalogue.entitlement('pro');
    await expect(catalogue.entitlement('pro')).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('pro') as string,
    });
  });

  it('are not deleted while a licence has them', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const license = await catalogue.license(await catalogue.policy(await catalogue.product()));
    const { id } = await catalogue.entitlement('pro');
    await entitleLicense(deps, operator(), { licenseId: license.id, entitlementId: id, expiresAt: null });
    await expect(deleteEntitlement(deps, operator(), { id, ...ANY })).rejects.toMatchObject({
      code: 'HAS_DEPENDENTS',
      message: expect.stringContaining('license') as string,
    });
  });

  it('of one realm do not exist in another', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const { id } = await catalogue.entitlement('pro');
    for (const realm of [storage.acme.test, storage.globex.live]) {
      const stranger = operator(realm);
      expect(() => showEntitlement(deps, stranger, id)).toThrow('there is no entitlement');
      expect(listEntitlements(deps, stranger, FIRST)).toEqual([]);
      const change = { id, ...ANY, change: { name: 'stolen' } };
      await expect(updateEntitlement(deps, stranger, change)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(deleteEntitlement(deps, stranger, { id, ...ANY })).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    }
    expect(listEntitlements(deps, operator(), FIRST)).toHaveLength(1);
  });
});
