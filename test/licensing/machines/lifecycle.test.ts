import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DAY, HOUR, MINUTE } from '../../../src/lib/clock.ts';
import { deactivateMachine } from '../../../src/licensing/machines/deactivate.ts';
import { takeHeartbeat } from '../../../src/licensing/machines/heartbeat.ts';
import { possessionMessage, requestMessage } from '../../../src/licensing/machines/machine-key.ts';
import { rekeyMachine } from '../../../src/licensing/machines/rekey.ts';
import { listMachines, showMachine } from '../../../src/licensing/machines/show.ts';
import { sweepHeartbeats } from '../../../src/licensing/machines/sweep-heartbeats.ts';
import { isSweepHeld, releaseSweep, SWEEP_JOB } from '../../../src/licensing/machines/sweep-hold.ts';
import { updateMachine } from '../../../src/licensing/machines/update.ts';
import { validateLicense } from '../../../src/licensing/validation/validate.ts';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

const PRINT = 'a-machine-of-ours';
const BEATING = { requireHeartbeat: true, heartbeatIntervalMinutes: 60 };
/** Interval and slack of `BEATING`. */
const PATIENCE = 66 * MINUTE;
const sweep = (shop: Shop) => sweepHeartbeats(shop.deps, { job: SWEEP_JOB });

function newKey(fingerprint: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const proof = sign(null, possessionMessage(raw, fingerprint), privateKey).toString('base64url');
  return { publicKey: raw.toString('base64url'), proof, privateKey };
}

describe('a deactivation', () => {
  it('frees the seat at once when no file is outstanding', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 1 });
    const { machine } = await shop.activate(license.id, PRINT);
    const request = { id: machine.id, versions: null, signed: null };
    const { freesAt } = await deactivateMachine(shop.deps, shop.operator(), request);
    expect(Date.parse(freesAt)).toBe(shop.clock.wall());
    expect((await shop.activate(license.id, 'machine-two')).created).toBe(true);
    await expect(deactivateMachine(shop.deps, shop.operator(), request)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(shop.events()).toContain('machine.deactivated');
  });

  it('is for the holder of a licence what the policy says', async () => {
    await using shop = await openShop();
    const attempt = async (settings: object) => {
      const { license } = await shop.sell(settings);
      const { machine } = await shop.activate(license.id, PRINT);
      const request = { id: machine.id, versions: null, signed: null };
      return outcomeOf(deactivateMachine(shop.deps, shop.holder(license.id), request));
    };
    expect(await attempt({})).toBe('INSUFFICIENT_SCOPE');
    expect(await attempt({ floating: true })).toBe('done');
    expect(await attempt({ floating: true, licenseHolderMayDeactivate: false })).toBe('INSUFFICIENT_SCOPE');
    expect(await attempt({ licenseHolderMayDeactivate: true })).toBe('done');
  });

  it('heeds If-Match', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const { machine, version } = await shop.activate(license.id, PRINT);
    const request = { id: machine.id, signed: null };
    const stale = deactivateMachine(shop.deps, shop.operator(), { ...request, versions: [version + 1] });
    await expect(stale).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
    await deactivateMachine(shop.deps, shop.operator(), { ...request, versions: [version] });
    expect(shop.row('SELECT seats FROM license_seats')).toEqual({ seats: 0 });
  });
});

describe('a machine', () => {
  it('is edited without losing what was not mentioned, and shows people masked', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const said = { name: 'Press', userEmail: 'jane@acme.example', metadata: { line: 4 } };
    const { machine, version } = await shop.activate(license.id, PRINT, said);
    const permit = shop.secretKey(['machines:write']);
    const request = { id: machine.id, versions: [version], change: { hostname: 'press-4' }, signed: null };
    const { view } = await updateMachine(shop.deps, permit, request);
    expect(view).toMatchObject({
      name: 'Press',
      hostname: 'press-4',
      metadata: { line: 4 },
      userEmail: 'j•••@acme.example',
    });
    expect(showMachine(shop.deps, shop.operator(), machine.id).view.userEmail).toBe('jane@acme.example');
    await expect(updateMachine(shop.deps, permit, request)).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
  });

  it('is listed by licence and by fingerprint, to a holder only his own', async () => {
    await using shop = await openShop();
    const one = await shop.sell();
    const two = await shop.sell();
    await shop.activate(one.license.id, PRINT);
    await shop.activate(one.license.id, 'machine-two');
    await shop.activate(two.license.id, PRINT);
    const page = { before: Number.MAX_SAFE_INTEGER, limit: 10 };
    const list = (permit: ReturnType<Shop['operator']>, filter: object) =>
      listMachines(shop.deps, permit, { ...page, ...filter }).map(({ view }) => [
        view.licenseId,
        view.fingerprint,
      ]);
    const [a, b] = [one.license.id, two.license.id];
    expect(list(shop.operator(), {})).toEqual([
      [b, PRINT],
      [a, 'machine-two'],
      [a, PRINT],
    ]);
    expect(list(shop.operator(), { licenseId: a })).toEqual([
      [a, 'machine-two'],
      [a, PRINT],
    ]);
    expect(list(shop.operator(), { fingerprint: PRINT })).toEqual([
      [b, PRINT],
      [a, PRINT],
    ]);
    expect(list(shop.holder(b), {})).toEqual([[b, PRINT]]);
    expect(list(shop.holder(b), { licenseId: a })).toEqual([]);
    expect(list(shop.operator(shop.globex.live), {})).toEqual([]);
  });

  it('gets another key from the publisher, and from the holder only with the old one', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const [old, next] = [newKey(PRINT), newKey(PRINT)];
    const { machine } = await shop.activate(license.id, PRINT, {
      publicKey: old.publicKey,
      proof: old.proof,
    });
    const request = {
      id: machine.id,
      versions: null,
      publicKey: next.publicKey,
      proof: next.proof,
      signed: null,
    };
    const alone = rekeyMachine(shop.deps, shop.holder(license.id), request);
    await expect(alone).rejects.toMatchObject({ code: 'MACHINE_SIGNATURE_REQUIRED' });
    const { nonce } = shop.deps.challenges.issue(shop.acme.live, machine.id);
    const said = { method: 'POST', path: '/p', bodyDigest: Buffer.alloc(32), nonce };
    const signature = sign(null, requestMessage(said), old.privateKey).toString('base64url');
    const signed = { ...said, signature };
    const { view } = await rekeyMachine(shop.deps, shop.holder(license.id), { ...request, signed });
    expect(view.publicKey).toBe(next.publicKey);
    const gone = await rekeyMachine(shop.deps, shop.operator(), { ...request, publicKey: null, proof: null });
    expect(gone.view.publicKey).toBeNull();
  });
});

describe('heartbeats', () => {
  it('are booked in memory, shown at once, and written behind', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell(BEATING);
    const { machine } = await shop.activate(license.id, PRINT);
    const entries = shop.actions().length;
    shop.clock.advance(HOUR);
    const { view, heartbeatDueAt } = await takeHeartbeat(shop.deps, shop.holder(license.id), machine);
    expect(Date.parse(view.lastHeartbeatAt ?? '')).toBe(shop.clock.wall());
    expect(Date.parse(heartbeatDueAt ?? '')).toBe(shop.clock.wall() + PATIENCE);
    expect(shop.row('SELECT last_heartbeat_at AS at FROM machine_usage')).toEqual({ at: null });
    await shop.deps.machineUsage.flush();
    expect(shop.row('SELECT last_heartbeat_at AS at FROM machine_usage')).toEqual({ at: shop.clock.wall() });
    expect(shop.actions().length).toBe(entries);
  });

  it('that stay away end a machine and free its seat, once', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ ...BEATING, maxMachines: 1 });
    await shop.activate(license.id, PRINT);
    shop.clock.advance(PATIENCE);
    expect(await sweep(shop)).toEqual({ dead: 0, held: 0 });
    shop.clock.advance(1);
    expect(await sweep(shop)).toEqual({ dead: 1, held: 0 });
    expect(await sweep(shop)).toEqual({ dead: 0, held: 0 });
    expect(shop.events().slice(-2)).toEqual(['machine.dead', 'machine.deactivated']);
    expect(shop.row('SELECT seats FROM license_seats')).toEqual({ seats: 0 });
  });

  it('that are late keep a machine where the policy says so, dead until the next one', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ ...BEATING, heartbeatCullStrategy: 'KEEP_DEAD' });
    const { machine } = await shop.activate(license.id, PRINT);
    shop.clock.advance(PATIENCE + 1);
    expect(await sweep(shop)).toEqual({ dead: 1, held: 0 });
    const asked = { id: license.id, input: { fingerprint: PRINT } };
    expect((await validateLicense(shop.deps, shop.operator(), asked)).code).toBe('HEARTBEAT_REQUIRED');
    const { view } = await takeHeartbeat(shop.deps, shop.operator(), machine);
    expect(view.status).toBe('alive');
    expect((await validateLicense(shop.deps, shop.operator(), asked)).code).toBe('VALID');
    expect(shop.actions().filter((action) => action.startsWith('machine.'))).toEqual([
      'machine.activated',
      'machine.dead',
      'machine.revived',
    ]);
  });

  it('in memory alone keep a machine alive, and time when the appliance was down counts for nobody', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell(BEATING);
    const { machine } = await shop.activate(license.id, PRINT);
    shop.clock.advance(HOUR);
    await takeHeartbeat(shop.deps, shop.operator(), machine);
    shop.clock.advance(HOUR);
    expect((await sweep(shop)).dead).toBe(0);
    shop.clock.advance(DAY);
    shop.state.readyAt = shop.clock.wall() - MINUTE;
    expect((await sweep(shop)).dead).toBe(0);
    shop.clock.advance(PATIENCE);
    expect((await sweep(shop)).dead).toBe(1);
  });

  it('of however many machines of one licence hold the sweep of nobody', async () => {
    await using shop = await openShop();
    const { license, product, policy } = await shop.sell({ ...BEATING, maxMachines: 100 });
    for (let i = 0; i < 30; i++) await shop.activate(license.id, `machine-${String(i)}-of-many`);
    const other = await shop.license({ productId: product.id, policyId: policy.id });
    await shop.activate(other.id, PRINT);
    shop.clock.advance(DAY);
    expect(await sweep(shop)).toEqual({ dead: 31, held: 0 });
    expect(shop.events()).not.toContain('system.sweep_held');
  });

  it('of too many at once hold the sweep until an operator releases it', async () => {
    await using shop = await openShop();
    const { license, product, policy } = await shop.sell({ ...BEATING, maxMachines: 100 });
    const sold = { productId: product.id, policyId: policy.id };
    const ids = [license.id];
    for (let i = 0; i < 4; i++) ids.push((await shop.license(sold)).id);
    // Five licences, of which five machines each count at most.
    const prints = Array.from({ length: 21 }, (_, i) => `machine-${String(i)}-of-many`);
    await Promise.all(prints.map((print, i) => shop.activate(ids[i % 5] ?? '', print)));
    shop.clock.advance(DAY);
    expect(await sweep(shop)).toEqual({ dead: 0, held: 1 });
    expect(await sweep(shop)).toEqual({ dead: 0, held: 1 });
    expect(shop.events().filter((type) => type === 'system.sweep_held')).toHaveLength(1);
    expect(isSweepHeld(shop.deps, { job: SWEEP_JOB }, shop.acme.live)).toBe(true);
    await releaseSweep(shop.deps, shop.operator(), { job: SWEEP_JOB });
    expect(await sweep(shop)).toEqual({ dead: 21, held: 0 });
    expect(isSweepHeld(shop.deps, { job: SWEEP_JOB }, shop.acme.live)).toBe(false);
    const again = releaseSweep(shop.deps, shop.operator(), { job: SWEEP_JOB });
    await expect(again).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});
