import { describe, expect, it } from 'vitest';
import type { Scope } from '../../../src/access/index.ts';
import { DAY, HOUR, isoTime, MINUTE } from '../../../src/lib/clock.ts';
import { changeStatus } from '../../../src/licensing/licenses/transition.ts';
import { entitleLicense } from '../../../src/licensing/licenses/entitle.ts';
import type { PolicyPatch } from '../../../src/licensing/policies/policy-schema.ts';
import { updatePolicy } from '../../../src/licensing/policies/update.ts';
import { type Explanation, explainLicense } from '../../../src/licensing/validation/explain.ts';
import type { ExplanationInput } from '../../../src/licensing/validation/explanation-schema.ts';
import { validationRoutes } from '../../../src/licensing/validation/routes.ts';
import { validateLicense } from '../../../src/licensing/validation/validate.ts';
import { openShop, type Shop } from '../shop.ts';

const PRINT = 'a-machine-of-ours';

const explain = (shop: Shop, id: string, input: ExplanationInput = {}): Explanation =>
  explainLicense(shop.deps, shop.operator(), { id, input });

const rule = ({ rules }: Explanation, code: string) => rules.find((one) => one.code === code);

/** Everything a validation could leave: every row, and what waits in memory to be written. */
function traces(shop: Shop, licenseId: string) {
  const tables = shop.rows("SELECT name FROM sqlite_schema WHERE type = 'table'") as { name: string }[];
  const rows = tables.map(({ name }) => [name, shop.rows(`SELECT * FROM "${name}"`)]);
  const pending = shop.deps.licenseUsage.pending(shop.acme.live, licenseId);
  return { rows, pending, changes: shop.row('SELECT total_changes() AS n') };
}

describe('an explanation', () => {
  it('counts nothing: every row and every counter is as it was', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxUses: 3, requireHeartbeat: true });
    const { machine } = await shop.activate(license.id, PRINT);
    await shop.deps.licenseUsage.flush();
    await shop.deps.machineUsage.flush();
    await shop.deps.validationCounts.flush();
    const before = traces(shop, license.id);
    for (const fingerprint of [PRINT, 'another-machine', undefined])
      explain(shop, license.id, { fingerprint });
    await shop.deps.licenseUsage.flush();
    await shop.deps.machineUsage.flush();
    await shop.deps.validationCounts.flush();
    expect(traces(shop, license.id)).toEqual(before);
    expect(shop.deps.machineUsage.pending(shop.acme.live, machine.id)).toBeUndefined();
    await validateLicense(shop.deps, shop.operator(), { id: license.id, input: { fingerprint: PRINT } });
    expect(traces(shop, license.id)).not.toEqual(before);
  });

  it.each<[ExplanationInput]>([[{}], [{ fingerprint: PRINT }], [{ fingerprint: 'some-other-machine' }]])(
    'of %j decides as the validation does',
    async (input) => {
      await using shop = await openShop();
      const { license } = await shop.sell({ maxUses: 1, graceDays: 2 }, { expiresAt: inTime(shop, DAY) });
      await shop.activate(license.id, PRINT);
      shop.clock.advance(2 * DAY);
      const { valid, code, rules } = explain(shop, license.id, input);
      const answer = await validateLicense(shop.deps, shop.operator(), { id: license.id, input });
      expect({ valid, code }).toEqual({ valid: answer.valid, code: answer.code });
      const found = rules.filter(({ outcome }) => outcome === 'blocking' || outcome === 'remark');
      expect(found.map((one) => one.code)).toEqual(answer.findings);
    },
  );

  it('lists every rule in the order of precedence, with its outcome', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxUses: 2 });
    const explanation = explain(shop, license.id);
    expect(explanation.rules.map(({ code, outcome }) => `${code} ${outcome}`)).toEqual([
      'BANNED passed',
      'REVOKED passed',
      'SUSPENDED passed',
      'EXPIRED not_applicable',
      'FINGERPRINT_REQUIRED blocking',
      'FINGERPRINT_NOT_FOUND not_applicable',
      'HEARTBEAT_REQUIRED not_applicable',
      'MACHINE_LIMIT_EXCEEDED not_applicable',
      'ENTITLEMENTS_MISSING not_applicable',
      'USES_EXCEEDED passed',
    ]);
    expect(rule(explanation, 'USES_EXCEEDED')?.detail).toBe('0 of 2 uses are counted');
    expect(explanation.limits).toEqual({ maxMachines: 2, seats: 0, maxUses: 2, uses: 0 });
  });

  it('says when a licence expires, until when its grace lasts, and when that ended', async () => {
    await using shop = await openShop();
    const expiresAt = inTime(shop, 10 * DAY);
    const { license } = await shop.sell({ requireFingerprint: false, graceDays: 3 }, { expiresAt });
    const said = () => {
      const { valid, code, ...explanation } = explain(shop, license.id);
      return { valid, code, detail: rule({ valid, code, ...explanation }, 'EXPIRED')?.detail };
    };
    const grace = isoTime(Date.parse(expiresAt) + 3 * DAY);
    expect(said()).toEqual({ valid: true, code: 'VALID', detail: `expires on ${expiresAt}, in 10 days` });
    shop.clock.setWall(Date.parse(expiresAt) + 3 * HOUR);
    const inGrace = `expired on ${expiresAt}, 3 hours ago; in grace until ${grace}`;
    expect(said()).toEqual({ valid: true, code: 'EXPIRED', detail: inGrace });
    shop.clock.setWall(Date.parse(expiresAt) + 5 * DAY);
    const over = `expired on ${expiresAt}, 5 days ago; its grace ended on ${grace}`;
    expect(said()).toEqual({ valid: false, code: 'EXPIRED', detail: over });
    expect(explain(shop, license.id).license).toMatchObject({ status: 'expired', graceUntil: grace });
  });

  it.each([
    ['a term, and for what', { durationDays: 30 }, 'the term of 30 days begins with the first activation'],
    [
      'a trial',
      { durationDays: 365, isTrial: true, trialDurationDays: 14 },
      'the trial of 14 days begins with the first activation',
    ],
    ['no term', {}, 'the licence never expires'],
  ])('says that a licence without an expiry waits for %s', async (_, settings, detail) => {
    await using shop = await openShop();
    const { license } = await shop.sell({ expirationBasis: 'FROM_FIRST_ACTIVATION', ...settings });
    expect(rule(explain(shop, license.id), 'EXPIRED')).toMatchObject({ outcome: 'not_applicable', detail });
  });

  it('says what the licence waits for, not what its policy would have others wait for', async () => {
    await using shop = await openShop();
    const { license, policy, product } = await shop.sell({
      expirationBasis: 'FROM_FIRST_VALIDATION',
      durationDays: 30,
    });
    const names = { productId: product.id, policyId: policy.id };
    const endless = await shop.license({ ...names, expiresAt: null });
    const said = (id: string) => rule(explain(shop, id), 'EXPIRED')?.detail;
    const update = (change: PolicyPatch) =>
      updatePolicy(shop.deps, shop.operator(), { id: policy.id, change, versions: null });
    expect(said(endless.id)).toBe('the licence never expires');
    await update({ expirationBasis: 'FROM_CREATION', durationDays: 7 });
    expect(said(license.id)).toBe('the term of 7 days begins with the first validation');
    await update({ durationDays: null });
    expect(said(license.id)).toBe(
      'its term begins with the first validation, and has no end: the policy gives it no days',
    );
  });

  it('says since when a licence has its state, and the way out', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ requireFingerprint: false });
    shop.clock.advance(DAY);
    const at = isoTime(shop.clock.wall());
    await changeStatus(shop.deps, shop.operator(), { id: license.id, action: 'suspend', versions: null });
    shop.clock.advance(DAY);
    const explanation = explain(shop, license.id);
    expect(explanation).toMatchObject({ valid: false, code: 'SUSPENDED', license: { statusSince: at } });
    expect(rule(explanation, 'SUSPENDED')).toEqual({
      code: 'SUSPENDED',
      outcome: 'blocking',
      detail: `the licence is suspended since ${at}`,
      remedy: 'reinstate the licence when the reason is gone',
    });
  });

  it('names the machine of the fingerprint, and the components that are not its own', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const { machine } = await shop.activate(license.id, PRINT, {
      components: { board: 'b-1', disk: 'd-1', os: 'linux' },
    });
    const same = explain(shop, license.id, { fingerprint: PRINT, components: { board: 'b-1' } });
    expect(rule(same, 'FINGERPRINT_NOT_FOUND')).toMatchObject({
      outcome: 'passed',
      detail: `the fingerprint is that of machine ${machine.id}`,
    });
    const components = { board: 'b-2', disk: 'd-1', os: 'windows' };
    const other = explain(shop, license.id, { fingerprint: PRINT, components });
    expect(rule(other, 'FINGERPRINT_NOT_FOUND')).toMatchObject({ outcome: 'blocking' });
    expect(rule(other, 'FINGERPRINT_NOT_FOUND')?.detail).toContain(`${machine.id} has this fingerprint`);
    expect(rule(other, 'FINGERPRINT_NOT_FOUND')?.detail).toContain(
      'differs in board: it is not the hardware',
    );
    expect(other.machine?.components.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual([
      { name: 'board', matches: false },
      { name: 'disk', matches: true },
    ]);
    const unknown = explain(shop, license.id, { fingerprint: 'some-other-machine' });
    expect(rule(unknown, 'FINGERPRINT_NOT_FOUND')?.detail).toBe(
      'no machine of this licence has this fingerprint',
    );
  });

  it('says that a machine was recognised by its components, where the policy allows that', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ fingerprintMatching: 'MATCH_TWO' });
    const components = { board: 'b-1', disk: 'd-1', mac: 'm-1' };
    const { machine } = await shop.activate(license.id, PRINT, { components });
    const moved = { fingerprint: 'after-a-new-disk', components: { ...components, disk: 'd-2' } };
    const found = rule(explain(shop, license.id, moved), 'FINGERPRINT_NOT_FOUND');
    expect(found).toMatchObject({ outcome: 'passed' });
    expect(found?.detail).toBe(
      `machine ${machine.id} is recognised by its components, as MATCH_TWO allows; its fingerprint is another`,
    );
  });

  it('says when a machine was last seen', async () => {
    await using shop = await openShop();
    const settings = { requireHeartbeat: true, heartbeatIntervalMinutes: 60 };
    const { license } = await shop.sell(settings);
    await shop.activate(license.id, PRINT);
    const seen = isoTime(shop.clock.wall());
    shop.clock.advance(90 * MINUTE);
    const late = rule(explain(shop, license.id, { fingerprint: PRINT }), 'HEARTBEAT_REQUIRED');
    expect(late).toMatchObject({ outcome: 'blocking' });
    expect(late?.detail).toContain(`last seen 90 minutes ago, on ${seen} (alive for 66 minutes after`);
  });

  it('names the entitlements that are missing and when they ended', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ requireFingerprint: false });
    const { id } = await shop.entitlement('export-pdf');
    const ends = shop.clock.wall() + DAY;
    const given = { licenseId: license.id, entitlementId: id, expiresAt: isoTime(ends) };
    await entitleLicense(shop.deps, shop.operator(), given);
    const asked = { entitlements: ['export-pdf', 'unheard-of'] };
    shop.clock.setWall(ends + HOUR);
    const lacking = rule(explain(shop, license.id, asked), 'ENTITLEMENTS_MISSING');
    expect(lacking).toMatchObject({
      outcome: 'blocking',
      detail: `the licence lacks export-pdf (ended on ${isoTime(ends)}), unheard-of`,
    });
  });

  it('of a licence of another realm does not exist', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({}, {}, shop.globex.live);
    expect(() => explain(shop, license.id)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });

  it('is for who may read licences', async () => {
    await using shop = await openShop();
    const routes = validationRoutes(shop.deps as unknown as Parameters<typeof validationRoutes>[0]); // only its table is read
    const demand = routes.find(({ path }) => path.endsWith('/explain'))?.demand;
    expect(demand).toEqual({ scope: 'licenses:read' satisfies Scope, also: [] });
  });
});

const inTime = (shop: Shop, ms: number): string => isoTime(shop.clock.wall() + ms);
