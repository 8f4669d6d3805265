import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePkcs11Uri, pkcs11Uri } from '../../../src/custody/pkcs11/pkcs11-uri.ts';
import { tokenSettings } from '../../../src/custody/pkcs11/token-settings.ts';

describe('a PKCS#11 URI', () => {
  it('is read as tools write it', () => {
    expect(
      parsePkcs11Uri(
        'pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=5ad3f3b1;token=mint%2fmark',
      ),
    ).toEqual({
      ...{ model: 'SoftHSM v2', manufacturer: 'SoftHSM project' },
      ...{ serial: '5ad3f3b1', token: 'mint/mark' },
    });
    expect(
      parsePkcs11Uri('pkcs11:id=%00%FFa;type=private?module-path=/usr/lib/x.so&pin-source=file:/etc/pin'),
    ).toEqual({
      ...{ id: Buffer.from([0, 255, 0x61]), type: 'private' },
      ...{ 'module-path': '/usr/lib/x.so', 'pin-source': 'file:/etc/pin' },
    });
    expect(parsePkcs11Uri('pkcs11:')).toEqual({});
  });

  it('means what was written into it, whatever that is', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/\p{Cc}/u.test(text));
    const id = fc.uint8Array({ minLength: 1, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(name, name, id, (token, object, bytes) => {
        const parts = { token, object, id: bytes };
        expect(parsePkcs11Uri(pkcs11Uri(parts))).toEqual(parts);
      }),
    );
  });

  it.each([
    ['slot-id=1', 'slot numbers change'],
    ['token=a?pin-value=1234', 'a PIN in a URI'],
    ['token=a?module-name=softhsm2', 'whole path'],
    ['token=a;token=b', 'twice'],
    ['token=a;vendor=b', 'no attribute'],
    ['token=a?token=b', 'no attribute'],
    ['module-path=/x', 'no attribute'],
    ['token=a?', 'one \\? at most'],
    ['token=a?pin-source=/x?pin-source=/y', 'one \\? at most'],
    ['token', 'no attribute'],
    ['token=', 'empty or badly'],
    ['token=%4', 'empty or badly'],
    ['token=a b', 'empty or badly'],
    ['token=ä', 'empty or badly'],
    ['token=%FF', 'no plain UTF-8'],
    ['token=a%0Ab', 'no plain UTF-8'],
    ['token=%00', 'no plain UTF-8'],
    [';token=a', 'no attribute'],
    [`token=${'a'.repeat(2048)}`, 'begin'],
  ])('%s is refused', (rest, why) => {
    expect(() => parsePkcs11Uri(`pkcs11:${rest}`)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(why) as string }),
    );
  });
});

const COPY = { copyToken: null, copyPinSource: null };

describe('the settings of a token', () => {
  const named = {
    module: '/m.so',
    parameters: null,
    token: 'mintmark',
    pinSource: '/pin',
    ...COPY,
    environment: [],
  };

  it('take a label or a URI, with its files in either', () => {
    expect(tokenSettings(named)).toEqual({
      ...{ module: '/m.so', parameters: '', token: 'pkcs11:token=mintmark' },
      ...{ pinSource: '/pin', environment: {} },
    });
    const token = 'pkcs11:serial=1?module-path=/m.so&pin-source=file:///pin';
    expect(tokenSettings({ ...named, module: null, pinSource: null, token })).toEqual({
      ...{ module: '/m.so', parameters: '', token: 'pkcs11:serial=1', pinSource: '/pin', environment: {} },
    });
    const none = { ...named, module: null, token: null, pinSource: null, environment: ['A=b'] };
    expect(tokenSettings(none)).toBeUndefined();
    const parameters = "configdir='sql:/var/lib/nss' certPrefix='' secmod='' flags=''";
    expect(tokenSettings({ ...named, parameters })?.parameters).toBe(parameters);
    expect(tokenSettings({ ...named, environment: ['SOFTHSM2_CONF=/x=y', 'LIB_B='] })?.environment).toEqual({
      ...{ SOFTHSM2_CONF: '/x=y', LIB_B: '' },
    });
  });

  it.each([
    [{ token: null }, 'pkcs11.token is missing'],
    [{ module: null }, 'pkcs11.module is missing'],
    [{ pinSource: null }, 'pkcs11.pinSource is missing'],
    [{ token: 'pkcs11:' }, 'says nothing of the token'],
    [{ token: 'pkcs11:token=a;object=b' }, 'not a key'],
    [{ token: 'pkcs11:token=a?module-path=/other.so' }, 'different files'],
    [{ token: 'pkcs11:token=a?pin-source=%7Ccat%20/pin' }, 'by its whole path'],
    [{ environment: ['NODE_OPTIONS=--require=/x'] }, 'no variable of Node'],
    [{ environment: ['lower=1'] }, 'NAME=value'],
    [{ environment: ['NAME'] }, 'NAME=value'],
    [{ parameters: '' }, 'pkcs11.parameters'],
    [{ parameters: "configdir='/a' " }, 'pkcs11.parameters'],
    [{ parameters: "configdir='/a'  flags=''" }, 'pkcs11.parameters'],
    [{ parameters: "library='/evil.so'" }, 'pkcs11.parameters'],
    [{ parameters: "configdir='/a\u0000b'" }, 'pkcs11.parameters'],
    [{ parameters: 'configdir=/a' }, 'pkcs11.parameters'],
  ])('%j is refused', (change, why) => {
    expect(() => tokenSettings({ ...named, ...change })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(why) as string }),
    );
  });
});
