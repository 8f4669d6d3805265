import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkoutMachine } from '../../src/issuing/index.ts';
import { possessionMessage } from '../../src/licensing/machines/machine-key.ts';
import { rekeyMachine } from '../../src/licensing/machines/rekey.ts';
import { updateMachine } from '../../src/licensing/machines/update.ts';
import { openShop } from '../licensing/shop.ts';

const PRINT = 'a-machine-of-ours';
const PLAIN = { ttlSeconds: undefined, form: 'file', encrypt: true, signed: null, raw: false } as const;

function machineKey() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const proof = sign(null, possessionMessage(raw, PRINT), privateKey).toString('base64url');
  return { publicKey: raw.toString('base64url'), proof };
}

describe('a checkout', () => {
  it('is not kept from a machine by whoever edits it while it is signed; by another key it is', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const { machine } = await shop.activate(license.id, PRINT);
    const request = { id: machine.id, versions: null, signed: null };
    let edits = 0;
    const edited = {
      sign: async (kid: string, message: Buffer) => {
        const change = { name: `Press ${String((edits += 1))}` };
        await updateMachine(shop.deps, shop.holder(license.id), { ...request, change });
        return shop.keyring.sign(kid, message);
      },
    };
    const asked = { machineId: machine.id, ...PLAIN };
    await checkoutMachine({ ...shop.deps, signer: edited }, shop.holder(license.id), asked);
    expect(edits).toBe(1);
    let keys = 0;
    const rekeyed = {
      sign: async (kid: string, message: Buffer) => {
        keys += 1;
        await rekeyMachine(shop.deps, shop.operator(), { ...request, ...machineKey() });
        return shop.keyring.sign(kid, message);
      },
    };
    const stolen = checkoutMachine({ ...shop.deps, signer: rekeyed }, shop.operator(), asked);
    await expect(stolen).rejects.toMatchObject({ code: 'CONFLICT' });
    expect([keys, shop.row('SELECT count(*) AS files FROM issued_files')]).toEqual([3, { files: 1 }]);
  });
});
