import { describe, expect, it } from 'vitest';
import { missingForTokens } from '../../support/softhsm.ts';
import { random } from '../custody-fixtures.ts';
import { newTokenStore } from './tokens.ts';

const missing = missingForTokens();
const LICENSE = { purpose: 'license', algorithm: 'ed25519' } as const;
const SECOND = '00000000000000b2';
const title = 'a second token';

describe.skipIf(missing !== null)(missing === null ? title : `${title}: NOT TRIED, ${missing}`, () => {
  function stores() {
    const store = newTokenStore();
    const [first = ''] = store.hsm.serials();
    const copy = { token: `pkcs11:serial=${SECOND}`, pinSource: store.hsm.pinFile };
    const token = `pkcs11:token=mintmark;serial=${first}`;
    return { ...store, first, both: store.custodian({ settings: { token, copy } }) };
  }

  it('is believed when the copy has signed, and names where it is', async () => {
    const { hsm, both, first } = stores();
    const key = await both.generate(LICENSE);
    await expect(both.copyOf(key)).rejects.toMatchObject({ code: 'KEY_NOT_COPIED' });
    hsm.cloneToken(first, SECOND);
    const { token, reference } = await both.copyOf(key);
    expect(token).toBe(`pkcs11:token=mintmark;serial=${SECOND}`);
    expect(reference).toBe(key.reference.replace(first, SECOND));
  });

  it('is not believed when another key lies under the name', async () => {
    const { hsm, both, first, custodian } = stores();
    const id = random.bytes(16);
    hsm.cloneToken(first, SECOND);
    const { handle } = await both.make(LICENSE, id);
    const there = custodian({ settings: { token: `pkcs11:serial=${SECOND}` } });
    expect((await there.make(LICENSE, id)).handle.kid).not.toBe(handle.kid);
    await expect(both.copyOf(handle)).rejects.toMatchObject({ code: 'KEY_NOT_COPIED' });
  });

  it('holds the key that is named to be there, and the first one need not work', async () => {
    const { hsm, both, first } = stores();
    const key = await both.generate(LICENSE);
    hsm.cloneToken(first, SECOND);
    const { reference } = await both.copyOf(key);
    hsm.loseToken(first);
    const found = await both.find({ ...key, reference });
    expect(await both.sign(found, Buffer.from('license/AAAA.BBBB.CCCC'))).toHaveLength(64);
    expect(both.health()).toMatchObject({
      state: 'ready',
      detail: expect.stringContaining(SECOND) as string,
    });
  });

  it('finds a key that was made under a chosen id, instead of making another', async () => {
    const { both } = stores();
    const id = random.bytes(16);
    const made = await both.make(LICENSE, id);
    const again = await both.make(LICENSE, id);
    expect([made.found, again.found]).toEqual([false, true]);
    expect(again.handle.kid).toBe(made.handle.kid);
    expect(await both.evidence(again.handle)).toEqual({
      ...{ local: true, sensitive: true, alwaysSensitive: true },
      ...{ extractable: false, neverExtractable: true },
    });
  });
});
