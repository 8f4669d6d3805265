import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Permit } from '../../../src/access/index.ts';
import { Fault } from '../../../src/faults.ts';
import { checkoutLicense } from '../../../src/issuing/index.ts';
import { DAY } from '../../../src/lib/clock.ts';
import { activateMachine } from '../../../src/licensing/machines/activate.ts';
import { deactivateMachine } from '../../../src/licensing/machines/deactivate.ts';
import { takeHeartbeat } from '../../../src/licensing/machines/heartbeat.ts';
import { possessionMessage, requestMessage } from '../../../src/licensing/machines/machine-key.ts';
import { rekeyMachine } from '../../../src/licensing/machines/rekey.ts';
import { updateMachine } from '../../../src/licensing/machines/update.ts';
import type { PolicyInput } from '../../../src/licensing/policies/policy-schema.ts';
import { validateLicense } from '../../../src/licensing/validation/validate.ts';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

/** Changes a day of a licence with one seat, as holder-changes.ts has it: 50, and 50 for the seat. */
const ONE_SEAT = 100;
const PRINT = 'a-machine-of-ours';
const ROUND = { maxMachines: 1, floating: true, licenseHolderMayDeactivate: true };

async function sell(shop: Shop, settings: Partial<PolicyInput> = {}) {
  const { license } = await shop.sell({ ...ROUND, ...settings });
  const permit = shop.holder(license.id);
  const as = (permit: Permit) => ({
    activate: (fingerprint: string) =>
      activateMachine(shop.deps, permit, { licenseId: license.id, input: { fingerprint } }),
    rename: (id: string, name: string) =>
      updateMachine(shop.deps, permit, { id, versions: null, change: { name }, signed: null }),
    remove: (id: string) => deactivateMachine(shop.deps, permit, { id, versions: null, signed: null }),
  });
  return { id: license.id, permit, as, ...as(permit) };
}

/** Activates machine after machine and removes each; how often that went well, and how it ended. */
async function comeAndGo(buyer: Awaited<ReturnType<typeof sell>>): Promise<readonly [number, string]> {
  for (let round = 0; round < 1000; round++) {
    try {
      const { machine } = await buyer.activate(`print-${String(round)}`);
      await buyer.remove(machine.id);
    } catch (error) {
      if (error instanceof Fault) return [round, error.code];
      throw error;
    }
  }
  return [1000, 'never refused'];
}

function rows(shop: Shop): readonly unknown[] {
  return ['ledger_entries', 'events', 'machines', 'license_fingerprints'].map((table) =>
    shop.row(`SELECT count(*) AS rows FROM ${table}`),
  );
}

describe('changes of its machines by the holder of a licence', () => {
  it('end for the day at 50 and 50 for each seat, also when each frees its seat again', async () => {
    await using shop = await openShop();
    expect(await comeAndGo(await sell(shop))).toEqual([ONE_SEAT, 'CHANGE_LIMIT_EXCEEDED']);
    expect(await comeAndGo(await sell(shop, { maxMachines: 2 }))).toEqual([150, 'CHANGE_LIMIT_EXCEEDED']);
  });

  it('count edits, new keys and checkouts that activate, and no activation that finds its machine', async () => {
    await using shop = await openShop();
    const buyer = await sell(shop);
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    const proof = sign(null, possessionMessage(raw, PRINT), privateKey).toString('base64url');
    const key = { publicKey: raw.toString('base64url'), proof };
    const counted = () => shop.row('SELECT changes_today AS changes FROM license_usage');
    const options = { ttlSeconds: undefined, form: 'file', encrypt: true, signed: null, raw: false } as const;
    const wanted = { licenseId: buyer.id, fingerprint: PRINT, components: undefined, ...options };
    const { machineId } = await checkoutLicense(shop.deps, buyer.permit, wanted);
    const id = String(machineId);
    expect(counted()).toEqual({ changes: 1 });
    await buyer.activate(PRINT);
    await checkoutLicense(shop.deps, buyer.permit, wanted);
    expect(counted()).toEqual({ changes: 1 });
    await buyer.rename(id, 'Press 4');
    await buyer.rename(id, 'Press 4');
    expect(counted()).toEqual({ changes: 2 });
    await rekeyMachine(shop.deps, shop.operator(), { id, versions: null, ...key, signed: null });
    expect(counted()).toEqual({ changes: 2 });
    const { nonce } = shop.deps.challenges.issue(shop.acme.live, id);
    const said = { method: 'POST', path: '/p', bodyDigest: Buffer.alloc(32), nonce };
    const signed = { ...said, signature: sign(null, requestMessage(said), privateKey).toString('base64url') };
    await rekeyMachine(shop.deps, buyer.permit, { id, versions: null, ...key, signed });
    expect(counted()).toEqual({ changes: 3 });
  });

  it('are refused without growing anything but one entry and one event a day, until midnight UTC', async () => {
    await using shop = await openShop();
    const buyer = await sell(shop);
    const { machine } = await buyer.activate(PRINT);
    for (let i = 1; i < ONE_SEAT; i++) await buyer.rename(machine.id, `name ${String(i)}`);
    const [actions, events] = [shop.actions().length, shop.events().length];
    const midnight = (Math.floor(shop.clock.wall() / DAY) + 1) * DAY;
    await expect(buyer.rename(machine.id, 'once more')).rejects.toMatchObject({
      code: 'CHANGE_LIMIT_EXCEEDED',
      message: expect.stringContaining(
        `the next day begins at ${new Date(midnight).toISOString()}`,
      ) as string,
      retryAfterMs: midnight - shop.clock.wall(),
    });
    expect(shop.actions().slice(actions)).toEqual(['machine.change']);
    expect(shop.events().slice(events)).toEqual(['license.limit_reached']);
    const told = rows(shop);
    for (let i = 0; i < 10; i++) {
      expect(await outcomeOf(buyer.rename(machine.id, 'again'))).toBe('CHANGE_LIMIT_EXCEEDED');
      expect(await outcomeOf(buyer.activate(`new-machine-${String(i)}`))).toBe('CHANGE_LIMIT_EXCEEDED');
    }
    expect(rows(shop)).toEqual(told);
    shop.clock.advance(midnight - shop.clock.wall());
    expect(await outcomeOf(buyer.rename(machine.id, 'tomorrow'))).toBe('done');
  });

  it('leave removal, heartbeats and validation alone, and what the publisher does', async () => {
    await using shop = await openShop();
    const buyer = await sell(shop);
    const { machine } = await buyer.activate(PRINT);
    const { id } = machine;
    for (let i = 1; i < ONE_SEAT; i++) await buyer.rename(id, `name ${String(i)}`);
    expect(await outcomeOf(buyer.rename(id, 'once more'))).toBe('CHANGE_LIMIT_EXCEEDED');
    for (const permit of [shop.operator(), shop.secretKey(['machines:write'])]) {
      expect(await outcomeOf(buyer.as(permit).rename(id, `by ${permit.actor.kind}`))).toBe('done');
    }
    expect(await outcomeOf(takeHeartbeat(shop.deps, buyer.permit, { id }))).toBe('done');
    const asked = { id: buyer.id, input: { fingerprint: PRINT } };
    expect(await validateLicense(shop.deps, buyer.permit, asked)).toMatchObject({ valid: true });
    expect(await outcomeOf(buyer.remove(id))).toBe('done');
    expect(await outcomeOf(buyer.activate(PRINT))).toBe('CHANGE_LIMIT_EXCEEDED');
    expect(await outcomeOf(buyer.as(shop.publishableKey()).activate(PRINT))).toBe('CHANGE_LIMIT_EXCEEDED');
    expect(await outcomeOf(buyer.as(shop.operator()).activate(PRINT))).toBe('done');
    expect(await outcomeOf((await sell(shop)).activate('a-machine-of-theirs'))).toBe('done');
  });
});
