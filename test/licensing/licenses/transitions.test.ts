import { describe, expect, it } from 'vitest';
import { DAY, isoTime } from '../../../src/lib/clock.ts';
import { deleteLicense } from '../../../src/licensing/licenses/delete.ts';
import { disentitleLicense, entitleLicense } from '../../../src/licensing/licenses/entitle.ts';
import { expireLicenses } from '../../../src/licensing/licenses/expire.ts';
import { renewLicense } from '../../../src/licensing/licenses/renew.ts';
import { revokeLapsed } from '../../../src/licensing/licenses/revoke-lapsed.ts';
import { listLicenses, showLicense } from '../../../src/licensing/licenses/show.ts';
import { transferLicense } from '../../../src/licensing/licenses/transfer.ts';
import { changeStatus, type PlainAction } from '../../../src/licensing/licenses/transition.ts';
import { updateLicense } from '../../../src/licensing/licenses/update.ts';
import { deletePolicy } from '../../../src/licensing/policies/delete.ts';
import { type Catalogue, openCatalogue } from '../catalogue.ts';

const ANY = { versions: null };

async function withLicense(catalogue: Catalogue, settings: Parameters<Catalogue['policy']>[1] = {}) {
  const policy = await catalogue.policy(await catalogue.product(), settings);
  return { policy, license: await catalogue.license(policy) };
}

describe('moving a licence from state to state', () => {
  it.each([
    [['suspend'], 'suspended'],
    [['suspend', 'reinstate'], 'active'],
    [['revoke'], 'revoked'],
    [['suspend', 'ban'], 'banned'],
  ] as const)('by %o makes it %s, each with one entry and one event', async (actions, status) => {
    await using catalogue = await openCatalogue();
    const { license } = await withLicense(catalogue);
    const move = (action: PlainAction) =>
      changeStatus(catalogue.deps, catalogue.operator(), { id: license.id, ...ANY, action, reason: 'why' });
    for (const action of actions) await move(action);
    const shown = showLicense(catalogue.deps, catalogue.operator(), license.id);
    expect(shown).toMatchObject({ version: 1 + actions.length, view: { status } });
    expect(catalogue.events()).toHaveLength(1 + actions.length);
    expect(catalogue.actions().slice(-actions.length)).toEqual(catalogue.events().slice(-actions.length));
  });

  it('is refused where the table has no row, naming the state, and leaves nothing', async () => {
    await using catalogue = await openCatalogue();
    const { license } = await withLicense(catalogue);
    const request = { id: license.id, ...ANY, action: 'revoke', reason: 'gone' } as const;
    await changeStatus(catalogue.deps, catalogue.operator(), request);
    const before = catalogue.actions().length;
    await expect(
      changeStatus(catalogue.deps, catalogue.operator(), { ...request, action: 'reinstate' }),
    ).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('revoked') as string });
    expect(catalogue.actions()).toHaveLength(before);
  });

  it('lets one of two contradicting requests win, and tells the other the state', async () => {
    await using catalogue = await openCatalogue();
    const { license } = await withLicense(catalogue);
    const request = { id: license.id, ...ANY, reason: 'x' };
    const results = await Promise.allSettled([
      changeStatus(catalogue.deps, catalogue.operator(), { ...request, action: 'revoke' }),
      changeStatus(catalogue.deps, catalogue.operator(), { ...request, action: 'ban' }),
    ]);
    expect(results).toMatchObject([
      { status: 'fulfilled' },
      { status: 'rejected', reason: { code: 'CONFLICT' } },
    ]);
    expect(showLicense(catalogue.deps, catalogue.operator(), license.id).view.status).toBe('revoked');
  });

  it('keeps the reason out of the ledger leaf and the event', async () => {
    await using catalogue = await openCatalogue();
    const { license } = await withLicense(catalogue);
    const reason = 'Mrs Miller left';
    await changeStatus(catalogue.deps, catalogue.operator(), {
      id: license.id,
      ...ANY,
      action: 'ban',
      reason,
    });
    expect(JSON.stringify(catalogue.newestEvent())).not.toContain('Miller');
  });

  it('of another realm does not exist', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const { license, policy } = await withLicense(catalogue);
    const { id } = license;
    for (const realm of [storage.acme.test, storage.globex.live]) {
      const stranger = operator(realm);
      const missing = { code: 'NOT_FOUND' };
      const suspend = changeStatus(deps, stranger, { id, ...ANY, action: 'suspend' });
      await expect(suspend).rejects.toMatchObject(missing);
      await expect(renewLicense(deps, stranger, { id, ...ANY, days: 1 })).rejects.toMatchObject(missing);
      const transfer = { id, ...ANY, policyId: policy.id, keepExpiry: true };
      await expect(transferLicense(deps, stranger, transfer)).rejects.toMatchObject(missing);
      await expect(
        updateLicense(deps, stranger, { id, ...ANY, change: { name: 'x' } }),
      ).rejects.toMatchObject(missing);
      await expect(deleteLicense(deps, stranger, { id, ...ANY })).rejects.toMatchObject(missing);
      expect(() => showLicense(deps, stranger, id)).toThrow('there is no licence');
    }
    expect(showLicense(deps, operator(), id).version).toBe(1);
  });
});

describe('renewing', () => {
  it('an expired licence makes it active again until the new time', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const { license } = await withLicense(catalogue, { durationDays: 10 });
    storage.clock.advance(11 * DAY);
    await expireLicenses(deps, storage.acme.live);
    const { view } = await renewLicense(deps, operator(), { id: license.id, ...ANY, days: 5 });
    expect(view).toMatchObject({ status: 'active', expiresAt: isoTime(storage.clock.wall() + 4 * DAY) });
    expect(catalogue.events().at(-1)).toBe('license.renewed');
  });
});

describe('transferring', () => {
  it('keeps the expiry unless it is to begin anew', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const { license, policy } = await withLicense(catalogue, { durationDays: 10 });
    const target = await catalogue.policy(
      { ...(await catalogue.product(operator(), 'x')), id: policy.productId },
      { durationDays: 90 },
    );
    const request = { id: license.id, ...ANY, policyId: target.id };
    const kept = await transferLicense(deps, operator(), { ...request, keepExpiry: true });
    expect(kept.view).toMatchObject({ policyId: target.id, expiresAt: license.expiresAt });
    const back = { ...request, policyId: policy.id, keepExpiry: false };
    storage.clock.advance(DAY);
    const anew = await transferLicense(deps, operator(), back);
    expect(anew.view.expiresAt).toBe(isoTime(storage.clock.wall() + 10 * DAY));
  });

  it('revives an expired licence that gets new time', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const product = await catalogue.product();
    const [short, long] = [
      await catalogue.policy(product, { durationDays: 1 }),
      await catalogue.policy(product, { durationDays: 9 }),
    ];
    const license = await catalogue.license(short);
    storage.clock.advance(2 * DAY);
    await expireLicenses(deps, storage.acme.live);
    const request = { id: license.id, ...ANY, policyId: long.id, keepExpiry: false };
    expect((await transferLicense(deps, operator(), request)).view.status).toBe('active');
  });

  it('is refused to the same policy, to one of another product, and to one that is deleted meanwhile', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const { license, policy } = await withLicense(catalogue);
    const product = await catalogue.product(operator(), 'other');
    const foreign = await catalogue.policy(product);
    const to = (policyId: string) =>
      transferLicense(deps, operator(), { id: license.id, ...ANY, policyId, keepExpiry: true });
    await expect(to(policy.id)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(to(foreign.id)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    const sibling = await catalogue.policy({ ...product, id: policy.productId });
    const [, moved] = await Promise.allSettled([
      deletePolicy(deps, operator(), { id: sibling.id, ...ANY }),
      to(sibling.id),
    ]);
    expect(moved).toMatchObject({ status: 'rejected', reason: { code: 'NOT_FOUND' } });
  });
});

describe('changing a licence', () => {
  it('keeps what is absent, clears what is null, and finds it under its new address', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const policy = await catalogue.policy(await catalogue.product());
    const given = { name: 'Lab', userEmail: 'a@acme.example', userName: 'Ann', metadata: { a: 1 } };
    const { id } = await catalogue.license(policy, { ...given, maxMachinesOverride: 4 });
    const change = { userEmail: 'B@acme.example', userName: null, maxMachinesOverride: null };
    const { view } = await updateLicense(deps, operator(), { id, versions: [1], change });
    expect(view).toMatchObject({ ...given, ...change });
    const found = (userEmail: string) => {
      const order = { by: 'createdAt', descending: true, after: Number.MAX_SAFE_INTEGER } as const;
      return listLicenses(deps, operator(), { userEmail, limit: 5, order }).map((row) => row.view.id);
    };
    expect([found('a@acme.example'), found('b@ACME.example')]).toEqual([[], [id]]);
    const stale = updateLicense(deps, operator(), { id, versions: [1], change: { name: 'late' } });
    await expect(stale).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
  });
});

describe('entitlements of a licence', () => {
  it('hold until their time, are an edit, and are taken away once', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const { license } = await withLicense(catalogue);
    const { id: entitlementId } = await catalogue.entitlement('pro');
    const pair = { licenseId: license.id, entitlementId };
    const expiresAt = isoTime(storage.clock.wall() + DAY);
    await entitleLicense(deps, operator(), { ...pair, expiresAt });
    await entitleLicense(deps, operator(), { ...pair, expiresAt });
    const shown = () => showLicense(deps, operator(), license.id);
    expect(shown()).toMatchObject({ version: 2, view: { entitlements: ['pro'] } });
    storage.clock.advance(DAY);
    expect(shown().view.entitlements).toEqual([]);
    await disentitleLicense(deps, operator(), pair);
    await expect(disentitleLicense(deps, operator(), pair)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(catalogue.events().slice(1)).toEqual(['license.updated', 'license.updated']);
  });
});

describe('deleting a licence', () => {
  it('hides it, frees its policy, and keeps its key reserved', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const policy = await catalogue.policy(await catalogue.product());
    const { id } = await catalogue.license(policy, { key: 'RESERVED-KEY-1' });
    await deleteLicense(deps, operator(), { id, ...ANY });
    expect(() => showLicense(deps, operator(), id)).toThrow(`there is no licence ${id}`);
    expect(catalogue.events().at(-1)).toBe('license.deleted');
    await expect(catalogue.license(policy, { key: 'RESERVED-KEY-1' })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await deletePolicy(deps, operator(), { id: policy.id, ...ANY });
  });
});

describe('the sweep of expired licences', () => {
  it('writes the state and tells of it exactly once', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const { license } = await withLicense(catalogue, { durationDays: 1 });
    expect(await expireLicenses(deps, storage.acme.live)).toBe(0);
    storage.clock.advance(DAY);
    expect(showLicense(deps, operator(), license.id)).toMatchObject({
      version: 1,
      view: { status: 'expired' },
    });
    const sweeps = [expireLicenses(deps, storage.acme.live), expireLicenses(deps, storage.acme.live)];
    expect((await Promise.all(sweeps)).sort()).toEqual([0, 1]);
    expect(showLicense(deps, operator(), license.id)).toMatchObject({
      version: 2,
      view: { status: 'expired' },
    });
    expect(catalogue.events().filter((type) => type === 'license.expired')).toHaveLength(1);
    expect(await expireLicenses(deps, storage.acme.test)).toBe(0);
  });

  it('is followed by revocation under REVOKE, and only when that may be done', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const { license } = await withLicense(catalogue, { durationDays: 1, expirationStrategy: 'REVOKE' });
    storage.clock.advance(DAY);
    deps.mayActIrreversibly = () => false;
    expect(await expireLicenses(deps, storage.acme.live)).toBe(1);
    expect(await revokeLapsed(deps, storage.acme.live)).toEqual({ revoked: 0, held: 1 });
    expect(showLicense(deps, operator(), license.id).view.status).toBe('expired');
    deps.mayActIrreversibly = () => true;
    expect(await revokeLapsed(deps, storage.acme.live)).toEqual({ revoked: 1, held: 0 });
    expect(await revokeLapsed(deps, storage.acme.live)).toEqual({ revoked: 0, held: 0 });
    expect(showLicense(deps, operator(), license.id).view.status).toBe('revoked');
    expect(catalogue.events().slice(-2)).toEqual(['license.expired', 'license.revoked']);
    expect(catalogue.actions().slice(-2)).toEqual(['license.expired', 'license.revoked']);
  });

  it('is held when it would revoke many at once, and expires the others all the same', async () => {
    await using catalogue = await openCatalogue();
    const { deps, storage } = catalogue;
    const { policy } = await withLicense(catalogue, { durationDays: 1, expirationStrategy: 'REVOKE' });
    await Promise.all(Array.from({ length: 20 }, () => catalogue.license(policy)));
    const gentle = await catalogue.policy(
      { ...(await catalogue.product(catalogue.operator(), 'x')), id: policy.productId },
      { durationDays: 1 },
    );
    await catalogue.license(gentle);
    storage.clock.advance(DAY);
    expect(await expireLicenses(deps, storage.acme.live)).toBe(22);
    expect(await revokeLapsed(deps, storage.acme.live)).toEqual({ revoked: 0, held: 21 });
    expect(catalogue.events()).toContain('system.sweep_held');
  });
});
