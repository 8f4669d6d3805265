import { describe, expect, it } from 'vitest';
import { DAY, isoTime } from '../../../src/lib/clock.ts';
import { createLicense } from '../../../src/licensing/licenses/create.ts';
import { lookupLicense } from '../../../src/licensing/licenses/lookup.ts';
import { revealLicense } from '../../../src/licensing/licenses/reveal.ts';
import { showLicense, showLicenseWithKey } from '../../../src/licensing/licenses/show.ts';
import { entitlePolicy } from '../../../src/licensing/policies/entitle.ts';
import { updatePolicy } from '../../../src/licensing/policies/update.ts';
import { openCatalogue } from '../catalogue.ts';

const KEY = /^ACME(?:-[0-9A-HJKMNP-TV-Z]{4}){4}$/;
const PERSON = {
  name: 'Lab 3',
  userEmail: 'Jane@acme.example',
  userName: 'Jane Doe',
  // Longer than what ids, which are random, contain by chance.
  metadata: { seat: 'Bay-2-North' },
};

describe('a new licence', () => {
  it('shows its key in full once, then masked', async () => {
    await using catalogue = await openCatalogue();
    const created = await catalogue.license(await catalogue.policy(await catalogue.product()));
    expect(created.key).toMatch(KEY);
    const { view, version } = showLicense(catalogue.deps, catalogue.operator(), created.id);
    expect(view).toEqual({ ...created, key: `ACME-••••-••••-••••-${created.key.slice(-4)}` });
    expect(version).toBe(1);
  });

  it('shows its key again to a repeated create, from its sealed copy', async () => {
    await using catalogue = await openCatalogue();
    const created = await catalogue.license(await catalogue.policy(await catalogue.product()));
    expect(showLicenseWithKey(catalogue.deps, catalogue.operator(), created.id).view).toEqual(created);
  });

  it.each([
    ['the duration of its policy', {}, 30 * DAY],
    ['the time it is given', { expiresAt: '2027-06-01T12:00:00Z' }, 365 * DAY],
    ['never, when it is given null', { expiresAt: null }, null],
  ])('expires after %s', async (_, given, after) => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product(), { durationDays: 30 });
    const { expiresAt } = await catalogue.license(policy, given);
    expect(expiresAt).toBe(after === null ? null : isoTime(catalogue.storage.clock.wall() + after));
  });

  it('of a trial lasts as long as the trial', async () => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product(), {
      template: 'trial',
      trialDurationDays: 3,
    });
    const { expiresAt } = await catalogue.license(policy);
    expect(expiresAt).toBe(isoTime(catalogue.storage.clock.wall() + 3 * DAY));
  });

  it('is not created with an expiry that is over', async () => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product());
    await expect(catalogue.license(policy, { expiresAt: '2026-06-01T12:00:00Z' })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ path: 'expiresAt' }],
    });
    expect(catalogue.events()).toEqual([]);
  });

  it('leaves one ledger entry and one event, which tells nothing personal', async () => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product());
    const created = await catalogue.license(policy, PERSON);
    expect(catalogue.actions().filter((action) => action === 'license.created')).toHaveLength(1);
    expect(catalogue.events()).toEqual(['license.created']);
    const { data } = catalogue.newestEvent();
    expect(data).toMatchObject({ id: created.id, userEmail: 'J•••@acme.example', userName: 'J•••' });
    expect(data['key']).toMatch(/^ACME-••••/);
    for (const secret of [created.key, 'Jane', 'Lab 3', 'Bay-2']) {
      expect(JSON.stringify(data)).not.toContain(secret);
    }
  });

  it('has its key and person sealed at rest', async () => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product());
    const created = await catalogue.license(policy, PERSON);
    const rows = catalogue.storage.database.native.prepare('SELECT * FROM licenses').all() as object[];
    const bytes = Buffer.concat(
      Object.values(rows[0] ?? {}).map((value) => Buffer.from(String(value), 'latin1')),
    );
    expect(rows).toHaveLength(1);
    for (const secret of [created.key, 'Jane', 'acme.example', 'Lab 3', 'Bay-2']) {
      expect(bytes.includes(secret)).toBe(false);
    }
  });

  it('carries its own entitlements and those of its policy', async () => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product());
    const { id } = await catalogue.entitlement('pro');
    const { entitlements } = await catalogue.license(policy, { entitlementIds: [id, id] });
    expect(entitlements).toEqual(['pro']);
    await expect(catalogue.license(policy, { entitlementIds: ['ent_none'] })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('has an entitlement until the time it is given, also one that its policy gives for good', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const policy = await catalogue.policy(await catalogue.product());
    const [pro, base] = [await catalogue.entitlement('pro'), await catalogue.entitlement('base')];
    await entitlePolicy(deps, operator(), { policyId: policy.id, entitlementId: base.id });
    const expiresAt = isoTime(storage.clock.wall() + DAY);
    const created = await catalogue.license(policy, {
      entitlementIds: [pro.id],
      ownEntitlements: [{ id: base.id, expiresAt }],
    });
    expect(created).toMatchObject({
      entitlements: ['base', 'pro'],
      ownEntitlements: [
        { id: base.id, code: 'base', expiresAt },
        { id: pro.id, code: 'pro', expiresAt: null },
      ],
    });
    const shown = () => showLicense(deps, operator(), created.id).view;
    expect(shown()).toEqual({ ...created, key: expect.anything() as unknown });
    storage.clock.advance(DAY);
    expect(shown()).toMatchObject({
      entitlements: ['base', 'pro'],
      ownEntitlements: [{ id: pro.id, code: 'pro', expiresAt: null }],
    });
  });

  it.each([
    ['that is over', [{ expiresAt: '2026-06-01T12:00:00Z' }], 'ownEntitlements.0.expiresAt'],
    ['twice, as it would not be known which end holds', [{}, { expiresAt: null }], 'ownEntitlements'],
  ])('is not given an entitlement %s', async (_, given, path) => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product());
    const { id } = await catalogue.entitlement('pro');
    const ownEntitlements = given.map((one) => ({ id, ...one }));
    await expect(catalogue.license(policy, { ownEntitlements })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ path }],
    });
  });

  it('has limits of its own only where its policy lets it', async () => {
    await using catalogue = await openCatalogue();
    const product = await catalogue.product();
    const strict = await catalogue.policy(product, { overridable: false });
    await expect(catalogue.license(strict, { maxMachinesOverride: 9 })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ path: 'maxMachinesOverride' }],
    });
    const loose = await catalogue.policy(product);
    expect(await catalogue.license(loose, { maxUsesOverride: 9 })).toMatchObject({ maxUsesOverride: 9 });
  });

  it('is of the product its policy belongs to', async () => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product());
    const other = await catalogue.product(catalogue.operator(), 'other');
    await expect(catalogue.license(policy, { productId: other.id })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });

  it('follows a policy of its own realm only', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const policy = await catalogue.policy(await catalogue.product());
    const request = { productId: policy.productId, policyId: policy.id };
    for (const realm of [storage.acme.test, storage.globex.live]) {
      await expect(createLicense(deps, operator(realm), request)).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    }
  });

  it('rests on the policy as it is when the unit runs', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const policy = await catalogue.policy(await catalogue.product(), { durationDays: 30 });
    const change = { id: policy.id, versions: null, change: { durationDays: 60 } };
    // Both prepare from the same version; the change is committed first.
    const [, created] = await Promise.all([
      updatePolicy(deps, operator(), change),
      catalogue.license(policy),
    ]);
    expect(created.expiresAt).toBe(isoTime(catalogue.storage.clock.wall() + 60 * DAY));
  });

  it('costs a handful of statements', async () => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product());
    await catalogue.license(policy);
    catalogue.statements();
    await catalogue.license(policy, PERSON);
    // Basis twice, limit, counter, licence, seats, usage, directory, event, entry; once for the commit: records.
    expect(catalogue.statements()).toBe(11);
  });

  it('is refused above the limit of the tenant, and fits again when another is deleted', async () => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product());
    catalogue.storage.database.native.exec("UPDATE tenants SET max_licenses = 2 WHERE code = 'acme'");
    const results = await Promise.allSettled([1, 2, 3, 4].map(() => catalogue.license(policy)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    for (const result of results.slice(2)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'TENANT_LIMIT' } });
    }
  });
});

describe('an imported key', () => {
  it('needs a right of its own', async () => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product());
    const request = { productId: policy.productId, policyId: policy.id, key: 'LEGACY-0001-XY' };
    await expect(
      createLicense(catalogue.deps, catalogue.key(['licenses:write']), request),
    ).rejects.toMatchObject({
      code: 'INSUFFICIENT_SCOPE',
      message: expect.stringContaining('import') as string,
    });
  });

  it.each([
    ['LEGACY-0001', true],
    ['q7RpWz9Lm2XvTb4KsNd8Yh', false],
  ])('%s is kept as it is and graded (weak: %s)', async (key, weakKey) => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product());
    const created = await catalogue.license(policy, { key });
    expect(created).toMatchObject({ key, weakKey });
    expect((await revealLicense(catalogue.deps, catalogue.operator(), created.id)).key).toBe(key);
  });

  it('is in use once per realm, and stays free elsewhere', async () => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product());
    await catalogue.license(policy, { key: 'SHARED-KEY-1' });
    await expect(catalogue.license(policy, { key: 'SHARED-KEY-1' })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    const counted = catalogue.storage.database.native
      .prepare('SELECT licenses FROM realm_counters')
      .pluck()
      .get();
    expect(counted).toBe(1);
  });
});

describe('looking a licence up by its key', () => {
  it.each([
    ['as it was shown', (key: string) => key],
    ['in lower case, with spaces', (key: string) => key.toLowerCase().replaceAll('-', ' ')],
  ])('finds it %s', async (_, typed) => {
    await using catalogue = await openCatalogue();
    const created = await catalogue.license(await catalogue.policy(await catalogue.product()));
    const { view } = lookupLicense(catalogue.deps, catalogue.operator(), typed(created.key));
    expect(view.id).toBe(created.id);
    expect(view.key).not.toBe(created.key);
  });

  it('finds nothing in another realm', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const created = await catalogue.license(await catalogue.policy(await catalogue.product()));
    for (const realm of [storage.acme.test, storage.globex.live]) {
      expect(() => lookupLicense(deps, operator(realm), created.key)).toThrow('no licence with this key');
    }
  });
});

describe('revealing a licence', () => {
  it('shows key and person, after the ledger has said who looked', async () => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product());
    const created = await catalogue.license(policy, PERSON);
    const revealed = await revealLicense(catalogue.deps, catalogue.operator(), created.id);
    expect(revealed).toEqual({ key: created.key, userEmail: PERSON.userEmail, userName: PERSON.userName });
    expect(catalogue.actions().at(-1)).toBe('license.revealed');
    expect(showLicense(catalogue.deps, catalogue.operator(), created.id).version).toBe(1);
  });

  it('is not what a reader without that right gets', async () => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product());
    const { id } = await catalogue.license(policy, PERSON);
    const { view } = showLicense(catalogue.deps, catalogue.key(['licenses:read']), id);
    expect(view).toMatchObject({ userEmail: 'J•••@acme.example', userName: 'J•••', name: 'Lab 3' });
  });
});
