import { describe, expect, it } from 'vitest';
import { DAY, MINUTE } from '../../../src/lib/clock.ts';
import { expireLicenses } from '../../../src/licensing/licenses/expire.ts';
import { renewLicense } from '../../../src/licensing/licenses/renew.ts';
import { REVOKE_JOB, revokeLapsed } from '../../../src/licensing/licenses/revoke-lapsed.ts';
import { showLicense } from '../../../src/licensing/licenses/show.ts';
import { transferLicense } from '../../../src/licensing/licenses/transfer.ts';
import { isSweepHeld, releaseSweep } from '../../../src/licensing/machines/sweep-hold.ts';
import { updatePolicy } from '../../../src/licensing/policies/update.ts';
import { testSealing } from '../../support/sealing.ts';
import { type Catalogue, openCatalogue } from '../catalogue.ts';

const ANY = { versions: null };
const REVOKING = { durationDays: 10, expirationStrategy: 'REVOKE', graceDays: 3 } as const;

async function sweep({ deps, storage }: Catalogue) {
  await expireLicenses(deps, storage.acme.live);
  return revokeLapsed(deps, storage.acme.live);
}

const count = (catalogue: Catalogue, type: string): number =>
  catalogue.events().filter((event) => event === type).length;

async function withLicenses(catalogue: Catalogue, many: number, settings: object = REVOKING) {
  const policy = await catalogue.policy(await catalogue.product(), settings);
  const licenses = await Promise.all(Array.from({ length: many }, () => catalogue.license(policy)));
  const [first] = licenses;
  const id = first?.id ?? '';
  return { policy, id, status: () => showLicense(catalogue.deps, catalogue.operator(), id).view.status };
}

describe('a policy that revokes what expires', () => {
  it('does so at expiry and grace, once, and lets it be renewed until then', async () => {
    await using catalogue = await openCatalogue();
    const { id, status } = await withLicenses(catalogue, 1);
    const { clock } = catalogue.storage;
    clock.advance(13 * DAY - 1);
    expect(await sweep(catalogue)).toEqual({ revoked: 0, held: 0 });
    expect(status()).toBe('expired');
    await renewLicense(catalogue.deps, catalogue.operator(), { id, ...ANY, days: 10 });
    clock.advance(10 * DAY + 1);
    const swept = await Promise.all([sweep(catalogue), sweep(catalogue)]);
    expect(swept.reduce((sum, { revoked }) => sum + revoked, 0)).toBe(1);
    expect(status()).toBe('revoked');
    expect([count(catalogue, 'license.expired'), count(catalogue, 'license.revoked')]).toEqual([2, 1]);
    const renewal = renewLicense(catalogue.deps, catalogue.operator(), { id, ...ANY, days: 10 });
    await expect(renewal).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('is judged as it is now: what it says later holds for what expired before, and the other way', async () => {
    await using catalogue = await openCatalogue();
    const { policy, status } = await withLicenses(catalogue, 1, { durationDays: 10 });
    const change = (settings: object) =>
      updatePolicy(catalogue.deps, catalogue.operator(), { id: policy.id, ...ANY, change: settings });
    catalogue.storage.clock.advance(11 * DAY);
    expect(await sweep(catalogue)).toEqual({ revoked: 0, held: 0 });
    await change({ expirationStrategy: 'REVOKE', graceDays: 2 });
    expect(await sweep(catalogue)).toEqual({ revoked: 0, held: 0 });
    catalogue.storage.clock.advance(DAY);
    await change({ expirationStrategy: 'ALLOW_ACCESS' });
    expect(await sweep(catalogue)).toEqual({ revoked: 0, held: 0 });
    await change({ expirationStrategy: 'REVOKE' });
    expect(await sweep(catalogue)).toEqual({ revoked: 1, held: 0 });
    expect(status()).toBe('revoked');
  });

  it('reaches a licence that is transferred to it after its expiry', async () => {
    await using catalogue = await openCatalogue();
    const { policy, id, status } = await withLicenses(catalogue, 1, { durationDays: 10 });
    const sibling = { ...(await catalogue.product(catalogue.operator(), 'x')), id: policy.productId };
    const revoking = await catalogue.policy(sibling, REVOKING);
    catalogue.storage.clock.advance(20 * DAY);
    await sweep(catalogue);
    const request = { id, ...ANY, policyId: revoking.id, keepExpiry: true };
    await transferLicense(catalogue.deps, catalogue.operator(), request);
    expect(await sweep(catalogue)).toEqual({ revoked: 1, held: 0 });
    expect(status()).toBe('revoked');
  });

  it('is no reason to revoke the same words in a name', async () => {
    await using catalogue = await openCatalogue();
    const { status } = await withLicenses(catalogue, 1, { durationDays: 10, name: 'REVOKE', code: 'REVOKE' });
    catalogue.storage.clock.advance(11 * DAY);
    expect(await sweep(catalogue)).toEqual({ revoked: 0, held: 0 });
    expect(status()).toBe('expired');
  });

  it('waits while the clock is in doubt, also in the middle of a sweep', async () => {
    await using catalogue = await openCatalogue();
    await withLicenses(catalogue, 20);
    catalogue.storage.clock.advance(14 * DAY);
    let asked = 0;
    catalogue.deps.mayActIrreversibly = () => asked++ < 1;
    expect(await sweep(catalogue)).toEqual({ revoked: 0, held: 20 });
    expect(count(catalogue, 'license.revoked')).toBe(0);
    catalogue.deps.mayActIrreversibly = () => true;
    expect(await sweep(catalogue)).toEqual({ revoked: 20, held: 0 });
  });
});

describe('a sweep that would revoke many', () => {
  it('is held above 20 and 5 % of the realm, told once, and runs once when it is released', async () => {
    await using catalogue = await openCatalogue();
    await withLicenses(catalogue, 21);
    const { deps, operator, storage } = catalogue;
    const holds = { job: REVOKE_JOB };
    storage.clock.advance(14 * DAY);
    for (let run = 0; run < 3; run += 1) {
      expect(await sweep(catalogue)).toEqual({ revoked: 0, held: 21 });
      storage.clock.advance(MINUTE);
    }
    expect(isSweepHeld(deps, holds, storage.acme.live)).toBe(true);
    expect(count(catalogue, 'system.sweep_held')).toBe(1);
    const elsewhere = releaseSweep(deps, operator(storage.acme.test), holds);
    await expect(elsewhere).rejects.toMatchObject({ code: 'CONFLICT' });
    await releaseSweep(deps, operator(), holds);
    expect(await sweep(catalogue)).toEqual({ revoked: 21, held: 0 });
    expect(isSweepHeld(deps, holds, storage.acme.live)).toBe(false);
    expect(count(catalogue, 'license.revoked')).toBe(21);
  });

  it('runs for 20, and for 5 % of many', async () => {
    await using catalogue = await openCatalogue();
    const { policy } = await withLicenses(catalogue, 20);
    catalogue.storage.clock.advance(14 * DAY);
    expect(await sweep(catalogue)).toEqual({ revoked: 20, held: 0 });
    await Promise.all(Array.from({ length: 21 }, () => catalogue.license(policy)));
    // 41 licences are there, and 400 that stay.
    const staying = { expiresAt: null };
    await Promise.all(Array.from({ length: 400 }, () => catalogue.license(policy, staying)));
    catalogue.storage.clock.advance(14 * DAY);
    expect(await sweep(catalogue)).toEqual({ revoked: 21, held: 0 });
  });

  it('stays held across a restart, and is released by whoever comes after it', async () => {
    const sealing = testSealing();
    await using first = await openCatalogue({ sealing });
    await withLicenses(first, 21);
    first.storage.clock.advance(14 * DAY);
    await sweep(first);
    await first.storage.work.stop();
    await using next = await openCatalogue({ directory: first.storage.directory, sealing });
    next.storage.clock.advance(14 * DAY);
    expect(await sweep(next)).toEqual({ revoked: 0, held: 21 });
    expect(count(next, 'system.sweep_held')).toBe(1);
    await releaseSweep(next.deps, next.operator(), { job: REVOKE_JOB });
    expect(await sweep(next)).toEqual({ revoked: 21, held: 0 });
    expect([count(next, 'license.expired'), count(next, 'license.revoked')]).toEqual([21, 21]);
  });
});
