import { describe, expect, it } from 'vitest';
import type { Permit } from '../../../src/access/index.ts';
import type { Fault } from '../../../src/faults.ts';
import type { Call } from '../../../src/http/route.ts';
import type { JsonObject } from '../../../src/lib/strict-json.ts';
import {
  batchAnswer,
  batchCheckAnswer,
  type BatchInput,
  batchInput,
} from '../../../src/licensing/batches/batch-schema.ts';
import { type BatchCheck, checkBatch } from '../../../src/licensing/batches/check-batch.ts';
import { type BatchView, createBatch } from '../../../src/licensing/batches/create-batch.ts';
import { rereadBatch } from '../../../src/licensing/batches/reread-batch.ts';
import { batchRoutes } from '../../../src/licensing/batches/routes.ts';
import { RunningBatches } from '../../../src/licensing/batches/running-batches.ts';
import { deleteLicense } from '../../../src/licensing/licenses/delete.ts';
import { lookupLicense } from '../../../src/licensing/licenses/lookup.ts';
import { showLicense } from '../../../src/licensing/licenses/show.ts';
import { updatePolicy } from '../../../src/licensing/policies/update.ts';
import type { PolicyView } from '../../../src/licensing/policies/policy.ts';
import { type Catalogue, openCatalogue } from '../catalogue.ts';

interface Plant {
  readonly deps: Catalogue['deps'] & { readonly batches: RunningBatches };
  readonly policy: PolicyView;
  readonly names: { readonly productId: string; readonly policyId: string };
  readonly create: (input: unknown) => Promise<BatchView>;
}

async function plantOf(catalogue: Catalogue): Promise<Plant> {
  const policy = await catalogue.policy(await catalogue.product());
  const deps = { ...catalogue.deps, batches: new RunningBatches() };
  return {
    deps,
    policy,
    names: { productId: policy.productId, policyId: policy.id },
    create: async (input) => createBatch(deps, catalogue.operator(), batchInput.parse(input)),
  };
}

const made = (catalogue: Catalogue): number =>
  catalogue.actions().filter((action) => action === 'license.created').length;

function batchEvents({ storage }: Catalogue): Record<string, unknown>[] {
  const rows = storage.database.native
    .prepare("SELECT body FROM events WHERE type = 'license.batch_created' ORDER BY position")
    .pluck()
    .all();
  return rows.map((row) => (JSON.parse(String(row)) as { data: Record<string, unknown> }).data);
}

describe('a batch', () => {
  it('creates as many licences as it says, each with a key of its own that leads to it', async () => {
    await using catalogue = await openCatalogue();
    const { deps, names, create } = await plantOf(catalogue);
    const batch = await create({ template: { ...names, name: 'Lab' }, count: 120 });
    expect(batchAnswer.parse(batch)).toEqual(batch);
    expect(batch.count).toBe(120);
    expect(new Set(batch.licenses.map(({ key }) => key)).size).toBe(120);
    for (const { id, key, name } of batch.licenses) {
      expect(name).toBe('Lab');
      expect(lookupLicense(deps, catalogue.operator(), key).view.id).toBe(id);
    }
    expect(made(catalogue)).toBe(120);
  });

  it('of items creates each as it is described, in order', async () => {
    await using catalogue = await openCatalogue();
    const { names, create } = await plantOf(catalogue);
    const pro = await catalogue.entitlement('pro');
    const expiresAt = '2099-01-31T12:00:00.000Z';
    const { licenses } = await create({
      items: [
        { ...names, name: 'One' },
        { ...names, name: 'Two', key: 'IMPORTED-KEY-2', entitlementIds: [pro.id] },
        { ...names, name: 'Three', ownEntitlements: [{ id: pro.id, expiresAt }] },
      ],
    });
    expect(licenses.map(({ name }) => name)).toEqual(['One', 'Two', 'Three']);
    expect(licenses[1]).toMatchObject({ key: 'IMPORTED-KEY-2', entitlements: ['pro'] });
    const { view } = showLicense(catalogue.deps, catalogue.operator(), licenses[2]?.id ?? '');
    expect(view.ownEntitlements).toEqual([{ id: pro.id, code: 'pro', expiresAt }]);
    expect(licenses[2]?.ownEntitlements).toEqual(view.ownEntitlements);
  });

  it('is told once, in parts that fit an event', async () => {
    await using catalogue = await openCatalogue();
    const { names, create } = await plantOf(catalogue);
    const { id, licenses } = await create({ template: names, count: 1000 });
    const events = batchEvents(catalogue);
    expect(events.map(({ batch, part, parts, count }) => ({ batch, part, parts, count }))).toEqual([
      { batch: id, part: 1, parts: 2, count: 1000 },
      { batch: id, part: 2, parts: 2, count: 1000 },
    ]);
    expect(events.flatMap(({ licenseIds }) => licenseIds)).toEqual(licenses.map((one) => one.id));
    expect(catalogue.events()).not.toContain('license.created');
  });

  it('is told licence by licence when that is asked for', async () => {
    await using catalogue = await openCatalogue();
    const { names, create } = await plantOf(catalogue);
    await create({ template: names, count: 3, events: 'each' });
    expect(catalogue.events()).toEqual(['license.created', 'license.created', 'license.created']);
  });

  it('names itself in the ledger entry of each licence', async () => {
    await using catalogue = await openCatalogue();
    const { names, create } = await plantOf(catalogue);
    const { id } = await create({ template: names, count: 2 });
    const entries = catalogue.storage.database.native
      .prepare('SELECT bytes FROM ledger_entries ORDER BY position')
      .pluck()
      .all()
      .map((bytes) => JSON.parse(String(bytes)) as { action: string; facts?: unknown });
    const created = entries.filter(({ action }) => action === 'license.created');
    expect(created.map(({ facts }) => facts)).toEqual([{ batch: id }, { batch: id }]);
  });
});

describe('a batch that cannot be done in full', () => {
  it.each([
    ['an expiry that is over', { expiresAt: '2020-01-01T00:00:00Z' }, { code: 'VALIDATION_FAILED' }],
    ['a policy that is not there', { policyId: 'pol_none' }, { code: 'NOT_FOUND' }],
    ['an entitlement that is not there', { entitlementIds: ['ent_none'] }, { code: 'NOT_FOUND' }],
  ])('because of %s leaves nothing', async (_, wrong, fault) => {
    await using catalogue = await openCatalogue();
    const { names, create } = await plantOf(catalogue);
    await expect(create({ items: [names, { ...names, ...wrong }] })).rejects.toMatchObject(fault);
    expect([made(catalogue), catalogue.events()]).toEqual([0, []]);
  });

  it('says which item was wrong, and where', async () => {
    await using catalogue = await openCatalogue();
    const { names, create } = await plantOf(catalogue);
    const over = { ...names, expiresAt: '2020-01-01T00:00:00Z' };
    await expect(create({ items: [names, over] })).rejects.toMatchObject({
      message: 'items.1: expiresAt is not in the future',
      errors: [{ path: 'items.1.expiresAt' }],
    });
  });

  it('because a key is in use names the item and leaves nothing', async () => {
    await using catalogue = await openCatalogue();
    const { names, create } = await plantOf(catalogue);
    const key = 'IMPORTED-KEY-1';
    await expect(create({ items: [{ ...names, key }, names, { ...names, key }] })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'items.2: this key is in use by another licence',
    });
    expect([made(catalogue), catalogue.events()]).toEqual([0, []]);
  });

  it('names every item that cannot be created, each with its field', async () => {
    await using catalogue = await openCatalogue();
    const { names, create } = await plantOf(catalogue);
    await create({ items: [{ ...names, key: 'IMPORTED-KEY-1' }] });
    const items = [
      { ...names, key: 'IMPORTED-KEY-1' },
      { ...names, expiresAt: '2020-01-01T00:00:00Z' },
      names,
      { ...names, policyId: 'pol_none' },
      { ...names, entitlementIds: ['ent_none'] },
      { ...names, key: 'short' },
      { ...names, key: 'IMPORTED-KEY-2' },
      { ...names, key: 'IMPORTED-KEY-2' },
      { ...names, name: '4111 1111 1111 1111' },
      { ...names, ownEntitlements: [{ id: 'ent_none' }] },
    ];
    const refused = create({ items });
    await expect(refused).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'items.0: this key is in use by another licence; 7 more cannot be created either',
    });
    const { errors } = (await refused.catch((error: unknown) => error)) as Fault;
    expect(errors.map(({ path, code }) => [path, code])).toEqual([
      ['items.0.key', 'CONFLICT'],
      ['items.1.expiresAt', 'LICENSE'],
      ['items.3.policyId', 'NOT_FOUND'],
      ['items.4.entitlementIds', 'NOT_FOUND'],
      ['items.5.key', 'LICENSE_KEY'],
      ['items.7.key', 'CONFLICT'],
      ['items.8.name', 'CARD_DATA_REFUSED'],
      ['items.9.ownEntitlements.0', 'NOT_FOUND'],
    ]);
    expect(made(catalogue)).toBe(1);
  });

  it('because a key is weak says so when weak keys are not allowed, and grades it otherwise', async () => {
    await using catalogue = await openCatalogue();
    const { names, create } = await plantOf(catalogue);
    const items = [{ ...names, key: 'password-2024' }];
    await expect(create({ items, allowWeakKeys: false })).rejects.toMatchObject({
      code: 'WEAK_KEY',
      errors: [{ path: 'items.0.key', code: 'WEAK_KEY' }],
    });
    expect((await create({ items })).licenses).toMatchObject([{ weakKey: true }]);
  });

  it('because the tenant may not have so many leaves nothing, and a smaller one still fits', async () => {
    await using catalogue = await openCatalogue();
    const { names, create } = await plantOf(catalogue);
    catalogue.storage.database.native.prepare('UPDATE tenants SET max_licenses = 10').run();
    await expect(create({ template: names, count: 11 })).rejects.toMatchObject({ code: 'TENANT_LIMIT' });
    expect(made(catalogue)).toBe(0);
    expect((await create({ template: names, count: 10 })).count).toBe(10);
    await expect(create({ template: names, count: 1 })).rejects.toMatchObject({ code: 'TENANT_LIMIT' });
  });

  it('because its policy changed in between is prepared again', async () => {
    await using catalogue = await openCatalogue();
    const { deps, policy, names, create } = await plantOf(catalogue);
    const running = create({ template: names, count: 200 });
    const change = { durationDays: 7 };
    await updatePolicy(deps, catalogue.operator(), { id: policy.id, versions: null, change });
    const { licenses } = await running;
    expect(licenses.every(({ expiresAt }) => expiresAt !== null)).toBe(true);
    expect(made(catalogue)).toBe(200);
  });
});

describe('a dry run', () => {
  it('finds what creating would find, item by item, and writes nothing', async () => {
    await using catalogue = await openCatalogue();
    const { deps, names, create } = await plantOf(catalogue);
    await create({ items: [{ ...names, key: 'IMPORTED-KEY-1' }] });
    const before = rowsOf(catalogue);
    const items = [names, { ...names, key: 'IMPORTED-KEY-1' }, { ...names, policyId: 'pol_none' }];
    const check = await checkBatch(deps, catalogue.operator(), batchInput.parse({ items, dryRun: true }));
    expect(batchCheckAnswer.parse(check)).toEqual(check);
    expect(check).toMatchObject({ dryRun: true, count: 3, good: 1 });
    expect(check.errors.map(({ path, code }) => [path, code])).toEqual([
      ['items.1.key', 'CONFLICT'],
      ['items.2.policyId', 'NOT_FOUND'],
    ]);
    expect(rowsOf(catalogue)).toEqual(before);
    expect((await create({ items: [items[0]] })).count).toBe(1);
  });

  it('counts against limits with the dry runs before it, and gives back what it counted', async () => {
    await using catalogue = await openCatalogue();
    const { deps, names, create } = await plantOf(catalogue);
    catalogue.storage.database.native.prepare('UPDATE tenants SET max_licenses = 10').run();
    const check = async (count: number, dryRunAfter: number): Promise<BatchCheck> => {
      const body = { template: names, count, dryRun: true, dryRunAfter };
      return checkBatch(deps, catalogue.operator(), batchInput.parse(body));
    };
    expect(await check(10, 0)).toMatchObject({ good: 10, errors: [] });
    expect(await check(5, 6)).toMatchObject({ good: 5, errors: [{ path: '', code: 'TENANT_LIMIT' }] });
    expect((await create({ template: names, count: 10 })).count).toBe(10);
  });

  it('of a whole that may not be is refused like the real one', async () => {
    await using catalogue = await openCatalogue();
    const { deps, names } = await plantOf(catalogue);
    const body = batchInput.parse({ items: [{ ...names, key: 'IMPORTED-KEY-1' }], dryRun: true });
    const writer = catalogue.key(['licenses:write']);
    await expect(checkBatch(deps, writer, body)).rejects.toMatchObject({ code: 'INSUFFICIENT_SCOPE' });
  });

  it('repeated under one idempotency key answers what it answered', async () => {
    await using catalogue = await openCatalogue();
    const { deps, names } = await plantOf(catalogue);
    const [route] = batchRoutes(deps);
    const body = batchInput.parse({ template: names, count: 2, dryRun: true });
    const call = { permit: catalogue.operator(), body } as unknown as Call<Permit>; // all the route looks at
    const first = await route?.handle(call);
    const kept = JSON.parse(JSON.stringify(first?.body)) as JsonObject; // as it is stored
    expect(first).toMatchObject({ status: 200, body: { data: { good: 2, errors: [] } } });
    expect(await route?.reread?.(call, kept)).toEqual(first);
  });
});

function rowsOf({ storage }: Catalogue): unknown[] {
  const tables = ['licenses', 'license_directory', 'realm_counters', 'events', 'ledger_entries'];
  return tables.map((table) => storage.database.native.prepare(`SELECT * FROM ${table}`).all());
}

describe('batches of one realm', () => {
  it('run one at a time: another is refused, and told when to come back', async () => {
    await using catalogue = await openCatalogue();
    const { names, create } = await plantOf(catalogue);
    const first = create({ template: names, count: 100 });
    await expect(create({ template: names, count: 1 })).rejects.toMatchObject({
      code: 'CONFLICT',
      retryAfterMs: 1000,
    });
    await first;
    expect((await create({ template: names, count: 1 })).count).toBe(1);
  });
});

describe('a request for a batch', () => {
  const names = { productId: 'prod_1', policyId: 'pol_1' };
  it.each([
    ['nothing', {}],
    ['a template without a count', { template: names }],
    ['a count without a template', { count: 2 }],
    ['both forms', { template: names, count: 2, items: [names] }],
    ['items and a count', { count: 2, items: [names] }],
    ['a template with a key', { template: { ...names, key: 'IMPORTED-KEY-1' }, count: 2 }],
    ['more than a thousand', { template: names, count: 1001 }],
    ['more than a thousand items', { items: Array.from({ length: 1001 }, () => names) }],
    ['no items', { items: [] }],
    ['dryRunAfter without dryRun', { items: [names], dryRunAfter: 1 }],
  ])('is refused with %s', (_, body) => {
    expect(batchInput.safeParse(body).success).toBe(false);
  });
});

describe('a repeated batch', () => {
  it('keeps ids alone, and reads its licences again without those deleted since', async () => {
    await using catalogue = await openCatalogue();
    const { deps, names, create } = await plantOf(catalogue);
    const batch = await create({ template: names, count: 60 });
    const [route] = batchRoutes(deps);
    const { kept } = route?.present?.(batch) ?? {};
    expect(kept).toEqual({ data: { id: batch.id, licenseIds: batch.licenses.map(({ id }) => id) } });
    expect(await rereadBatch(deps, catalogue.operator(), kept)).toEqual(batch);

    const [gone, ...left] = batch.licenses;
    await deleteLicense(deps, catalogue.operator(), { id: gone?.id ?? '', versions: null });
    expect(await rereadBatch(deps, catalogue.operator(), kept)).toEqual({ ...batch, licenses: left });
  });
});

describe('preparing a batch', () => {
  it('lets others have their turn: reads are answered while it runs', async () => {
    await using catalogue = await openCatalogue();
    const { names, create } = await plantOf(catalogue);
    let turns = 0;
    let running = true;
    const count = (): void => {
      turns += 1;
      if (running) setImmediate(count);
    };
    count();
    const input: BatchInput = { template: names, count: 1000, events: 'batch' };
    await create(input);
    running = false;
    expect(turns).toBeGreaterThanOrEqual(1000 / 50);
  });
});
