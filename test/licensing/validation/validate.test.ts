import { describe, expect, it } from 'vitest';
import { DAY } from '../../../src/lib/clock.ts';
import { deleteLicense } from '../../../src/licensing/licenses/delete.ts';
import { changeStatus } from '../../../src/licensing/licenses/transition.ts';
import { validateKey } from '../../../src/licensing/validation/validate-key.ts';
import { validateLicense } from '../../../src/licensing/validation/validate.ts';
import type { KeyValidationInput } from '../../../src/licensing/validation/validation-schema.ts';
import type { Permit } from '../../../src/access/index.ts';
import { openShop, type Shop } from '../shop.ts';

const PRINT = 'a-machine-of-ours';
const ADDRESS = '192.0.2.7';

const ask = (shop: Shop, permit: Permit, input: KeyValidationInput) =>
  validateKey(shop.deps, permit, { input, address: ADDRESS });

describe('a validation by key', () => {
  it('finds the one live realm that has the key, however it is typed', async () => {
    await using shop = await openShop();
    const { license, product } = await shop.sell();
    const { machine } = await shop.activate(license.id, PRINT, {
      name: 'Press',
      userEmail: 'j@acme.example',
    });
    const key = ` ${license.key.toLowerCase().replaceAll('-', '')} `;
    const answer = await ask(shop, shop.anonymous(), { key, fingerprint: PRINT });
    expect(answer).toMatchObject({
      valid: true,
      code: 'VALID',
      findings: [],
      enforcement: 'BLOCK',
    });
    const { id } = license;
    const shown = { id, status: 'active', expiresAt: null, productCode: product.code, entitlements: [] };
    expect(answer.license).toEqual(shown);
    expect(answer.machine).toEqual({ id: machine.id, status: 'alive' });
    expect(shop.state.unknown).toEqual([]);
  });

  it('compares the key that is stored now, also when it was proven before', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ requireFingerprint: false });
    const other = await shop.sell({ requireFingerprint: false });
    const { id, key } = license;
    expect((await ask(shop, shop.anonymous(), { key })).code).toBe('VALID');
    expect((await ask(shop, shop.anonymous(), { key })).code).toBe('VALID');
    shop.storage.database.native
      .prepare('UPDATE licenses SET key_sealed = (SELECT key_sealed FROM licenses WHERE id = ?) WHERE id = ?')
      .run(other.license.id, id);
    await expect(ask(shop, shop.anonymous(), { key })).rejects.toThrow();
  });

  it('answers an unknown key with NOT_FOUND and charges the address', async () => {
    await using shop = await openShop();
    await shop.sell();
    const answer = await ask(shop, shop.anonymous(), { key: 'APP-0000-0000-0000-0000' });
    expect(answer).toMatchObject({
      valid: false,
      code: 'NOT_FOUND',
      license: null,
      machine: null,
      entitlements: [],
    });
    expect(shop.state.unknown).toEqual([ADDRESS]);
  });

  it('looks into test realms only when the body says so', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ requireFingerprint: false }, {}, shop.acme.test);
    expect((await ask(shop, shop.anonymous(), { key: license.key })).code).toBe('NOT_FOUND');
    const answer = await ask(shop, shop.anonymous(), { key: license.key, environment: 'test' });
    expect(answer.code).toBe('VALID');
    const mixed = ask(shop, shop.publishableKey(), { key: license.key, environment: 'test' });
    await expect(mixed).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  });

  it('goes on for who sends a publishable key when another tenant imports the generated key, which is not refused', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ requireFingerprint: false });
    const theirs = await shop.sell({ requireFingerprint: false }, { key: license.key }, shop.globex.live);
    const unknown = await shop.sell({}, { key: 'APP-7K3M-9QXR-2TVB-H8K2' }, shop.globex.live);
    expect(Object.keys(theirs.license)).toEqual(Object.keys(unknown.license));
    const answer = await ask(shop, shop.publishableKey(), { key: license.key });
    expect(answer).toMatchObject({ code: 'VALID', license: { id: license.id } });
  });

  it('asks for a publishable key when several tenants have the key, and then keeps to its realm', async () => {
    await using shop = await openShop();
    const key = 'KX7Q-92MD-TT0P-WZ4R-EE31-Q8';
    const ours = await shop.sell({ requireFingerprint: false }, { key });
    const theirs = await shop.sell({ requireFingerprint: false }, { key }, shop.globex.live);
    await expect(ask(shop, shop.anonymous(), { key })).rejects.toMatchObject({ code: 'REALM_REQUIRED' });
    expect((await ask(shop, shop.publishableKey(), { key })).license?.id).toBe(ours.license.id);
    const globex = shop.publishableKey(shop.globex.live);
    expect((await ask(shop, globex, { key })).license?.id).toBe(theirs.license.id);
    const elsewhere = shop.publishableKey(shop.globex.test);
    expect((await ask(shop, elsewhere, { key })).code).toBe('NOT_FOUND');
  });

  it('answers nothing about a deleted licence, and the state of every other', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ requireFingerprint: false });
    await changeStatus(shop.deps, shop.operator(), { id: license.id, action: 'suspend', versions: null });
    expect((await ask(shop, shop.anonymous(), { key: license.key })).code).toBe('SUSPENDED');
    await deleteLicense(shop.deps, shop.operator(), { id: license.id, versions: null });
    expect((await ask(shop, shop.anonymous(), { key: license.key })).code).toBe('NOT_FOUND');
  });

  it('notices a directory row that was turned to another licence', async () => {
    await using shop = await openShop();
    const one = await shop.sell({ requireFingerprint: false });
    const two = await shop.sell({ requireFingerprint: false });
    const turn = shop.storage.database.native.prepare(
      'UPDATE license_directory SET license_id = ? WHERE license_id = ?',
    );
    turn.run(two.license.id, one.license.id);
    await expect(ask(shop, shop.anonymous(), { key: one.license.key })).rejects.toThrow('directory leads');
    turn.run(one.license.id, two.license.id); // both rows now name the first
    shop.storage.database.native
      .prepare(
        'UPDATE license_directory SET license_id = ? WHERE key_hash = (SELECT key_hash FROM licenses WHERE id = ?)',
      )
      .run(two.license.id, two.license.id);
  });

  it('compares identifying components that were sent with those of the activation', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    await shop.activate(license.id, PRINT, { components: { board: 'b-1', os: 'linux' } });
    const code = async (components: Record<string, string>) =>
      (await ask(shop, shop.anonymous(), { key: license.key, fingerprint: PRINT, components })).code;
    expect(await code({ board: 'b-1', os: 'windows' })).toBe('VALID');
    expect(await code({ board: 'b-2', os: 'linux' })).toBe('FINGERPRINT_NOT_FOUND');
    expect(await code({ disk: 'd-1' })).toBe('VALID');
  });
});

describe('the counting of uses', () => {
  it('waits for no disk, and reads add what is not yet written', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ requireFingerprint: false });
    const entries = shop.actions().length;
    for (let i = 0; i < 5; i++) await ask(shop, shop.anonymous(), { key: license.key });
    expect(shop.row('SELECT uses FROM license_usage')).toEqual({ uses: 0 });
    expect(shop.deps.licenseUsage.pending(shop.acme.live, license.id)).toMatchObject({
      uses: 5,
      validations: 5,
    });
    const full = await validateLicense(shop.deps, shop.operator(), { id: license.id, input: {} });
    expect(full.license?.usesCount).toBe(5);
    await shop.deps.licenseUsage.flush();
    expect(shop.row('SELECT uses, validations FROM license_usage')).toEqual({ uses: 6, validations: 6 });
    expect(shop.deps.licenseUsage.pending(shop.acme.live, license.id)).toBeUndefined();
    expect(shop.actions().length).toBe(entries);
  });

  it('never counts a use of an invalid result', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxUses: 3 });
    await ask(shop, shop.anonymous(), { key: license.key });
    await shop.deps.licenseUsage.flush();
    expect(shop.row('SELECT uses, validations FROM license_usage')).toEqual({ uses: 0, validations: 1 });
  });

  it('gives the last uses to as many callers as there are uses, each with a ledger entry', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ requireFingerprint: false, maxUses: 7 });
    const calls = Array.from({ length: 50 }, () => ask(shop, shop.anonymous(), { key: license.key }));
    const codes = (await Promise.all(calls)).map(({ code }) => code);
    expect(codes.filter((code) => code === 'VALID')).toHaveLength(7);
    expect(codes.filter((code) => code === 'USES_EXCEEDED')).toHaveLength(43);
    expect(shop.row('SELECT uses FROM license_usage')).toEqual({ uses: 7 });
    expect(shop.actions().filter((action) => action === 'license.used')).toHaveLength(7);
  });

  it('keeps what could not be written for the next time', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ requireFingerprint: false });
    await ask(shop, shop.anonymous(), { key: license.key });
    const { native } = shop.storage.database;
    native.exec("CREATE TRIGGER broken BEFORE UPDATE ON license_usage BEGIN SELECT RAISE(ABORT, 'no'); END");
    await expect(shop.deps.licenseUsage.flush()).rejects.toThrow('no');
    await ask(shop, shop.anonymous(), { key: license.key });
    native.exec('DROP TRIGGER broken');
    expect(shop.deps.licenseUsage.pending(shop.acme.live, license.id)).toMatchObject({ uses: 2 });
    await shop.deps.licenseUsage.flush();
    expect(shop.row('SELECT uses FROM license_usage')).toEqual({ uses: 2 });
  });
});

describe('a validation by id', () => {
  it('shows the publisher name, metadata and counters, and knows only ids of its realm', async () => {
    await using shop = await openShop();
    const pro = await shop.entitlement('pro');
    const expiresAt = new Date(shop.clock.wall() + DAY).toISOString();
    const given = { name: 'Plant 4', metadata: { line: 4 }, entitlementIds: [pro.id], expiresAt };
    const { license } = await shop.sell({ requireFingerprint: false }, given);
    const permit = shop.secretKey(['licenses:validate']);
    const answer = await validateLicense(shop.deps, permit, {
      id: license.id,
      input: { entitlements: ['pro'] },
    });
    expect(answer).toMatchObject({ valid: true, entitlements: ['pro'] });
    expect(answer.license).toMatchObject({
      name: 'Plant 4',
      metadata: { line: 4 },
      machineCount: 0,
      expiresAt,
    });
    const other = shop.secretKey(['licenses:validate'], shop.globex.live);
    const elsewhere = validateLicense(shop.deps, other, { id: license.id, input: {} });
    await expect(elsewhere).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
