import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TokenError } from '../../../src/custody/pkcs11/cryptoki.ts';
import { algorithmOfPoint, spkiOfPoint } from '../../../src/custody/pkcs11/ec-point.ts';
import { modulePath } from '../../../src/custody/pkcs11/module-file.ts';
import { readPin } from '../../../src/custody/pkcs11/pin-file.ts';
import { type PinAttempt, PinRecord } from '../../../src/custody/pkcs11/pin-record.ts';
import { temporaryDirectory } from '../custody-fixtures.ts';

const KEY = Buffer.alloc(32, 1);
const SETUP: unknown = expect.objectContaining({ of: 'setup' });

function fileOf(bytes: string | Buffer, mode = 0o600): string {
  const path = join(temporaryDirectory(), 'file');
  writeFileSync(path, bytes);
  chmodSync(path, mode);
  return path;
}

describe('the file of a PIN', () => {
  it('is its one line, whichever end that has', () => {
    for (const text of ['1234', '1234\n', '1234\r\n'])
      expect(readPin(fileOf(text), KEY).pin.expose()).toBe('1234');
    expect(readPin(fileOf(' pass phrase '), KEY).pin.expose()).toBe(' pass phrase ');
  });

  it.each([
    ['\n'],
    [''],
    ['12\n34\n'],
    ['1234\n\n'],
    ['12\u000034'],
    ['12\t34'],
    [Buffer.from([0x31, 0xff])],
    ['x'.repeat(2000)],
  ])('is refused as %j, before it costs an attempt', (content) => {
    expect(() => readPin(fileOf(content), KEY)).toThrow(SETUP);
  });

  it('is refused when others can read it, and when it is not there', () => {
    expect(() => readPin(fileOf('1234', 0o640), KEY)).toThrow(SETUP);
    expect(() => readPin('/nowhere/pin', KEY)).toThrow(SETUP);
  });

  it('is told from another by a digest that needs the key', () => {
    const digest = (pin: string, key = KEY): string => readPin(fileOf(pin), key).digest.toString('hex');
    expect(digest('1234\n')).toBe(digest('1234'));
    expect(digest('1235')).not.toBe(digest('1234'));
    expect(digest('1234', Buffer.alloc(32, 2))).not.toBe(digest('1234'));
  });
});

describe('the record of the PIN that was tried', () => {
  const attempt = { serial: 's', digest: Buffer.from('d'), countsWrong: false };
  const newRecord = () => {
    const path = join(temporaryDirectory(), 'pin-tried');
    const open = (): PinRecord => new PinRecord(path);
    /** Whether a PIN may be tried, in a process that knows nothing but the disk. */
    const mayTry = (changed: Partial<PinAttempt> = {}): boolean => {
      try {
        open().begin({ ...attempt, ...changed }, 0);
        return true;
      } catch (error) {
        expect(error).toMatchObject({ of: 'pin' });
        return false;
      }
    };
    return { path, open, mayTry };
  };

  it('holds back a PIN that was refused, and no other: not of another token, not another PIN', () => {
    const { open, mayTry } = newRecord();
    const refused = (): void => {
      open().refused(attempt, 'CKR_PIN_INCORRECT', 0);
    };
    expect(mayTry()).toBe(true);
    refused();
    expect([mayTry(), mayTry()]).toEqual([false, false]);
    expect(mayTry({ serial: 't' })).toBe(true);
    refused();
    expect(mayTry({ digest: Buffer.from('e') })).toBe(true);
  });

  it('lets an attempt that nobody saw the end of be made again, unless the token counts a wrong PIN', () => {
    const { mayTry } = newRecord();
    expect([mayTry(), mayTry(), mayTry({ countsWrong: true })]).toEqual([true, true, false]);
  });

  it('lets a PIN be tried although somebody mistyped one by hand', () => {
    expect(newRecord().mayTry({ countsWrong: true })).toBe(true);
  });

  it('is forgotten with the first success', () => {
    const { open, mayTry } = newRecord();
    expect(mayTry()).toBe(true);
    open().settled();
    expect(mayTry({ countsWrong: true })).toBe(true);
  });

  it('says nothing when it is damaged', () => {
    const { path, mayTry } = newRecord();
    for (const text of ['', '{', '{"v":2}', 'null']) {
      writeFileSync(path, text);
      expect(mayTry({ countsWrong: true })).toBe(true);
    }
  });
});

describe('the file of a module', () => {
  it('is found behind links, by its whole path alone', () => {
    const path = fileOf('');
    symlinkSync(path, `${path}.link`);
    expect(modulePath(`${path}.link`)).toBe(path);
    for (const wrong of ['libsofthsm2.so', './module.so', '/nowhere/module.so']) {
      expect(() => modulePath(wrong)).toThrow(SETUP);
    }
  });

  it('is refused when others can write it or its directory, except in one like /tmp', () => {
    expect(() => modulePath(fileOf('', 0o602))).toThrow(SETUP);
    expect(() => modulePath(fileOf('', 0o620))).toThrow(SETUP);
    const directory = join(temporaryDirectory(), 'open');
    mkdirSync(directory);
    const path = join(directory, 'module.so');
    writeFileSync(path, '', { mode: 0o600 });
    chmodSync(directory, 0o777);
    expect(() => modulePath(path)).toThrow(SETUP);
    chmodSync(directory, 0o1777);
    expect(modulePath(path)).toBe(path);
  });
});

describe('a public key as modules give it', () => {
  const bare = {
    ed25519: Buffer.alloc(32, 7),
    'ecdsa-p256': Buffer.concat([Buffer.of(4), Buffer.alloc(64, 7)]),
  };

  it.each([
    ['ed25519', '', '0420', '032100'],
    ['ecdsa-p256', '', '0441', '034200'],
  ] as const)('%s is the same bare, as OCTET STRING and as BIT STRING', (algorithm, ...heads) => {
    const keys = heads.map((head) => {
      const point = Buffer.concat([Buffer.from(head, 'hex'), bare[algorithm]]);
      expect(algorithmOfPoint(point)).toBe(algorithm);
      return spkiOfPoint(algorithm, point).toString('hex');
    });
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]?.endsWith(bare[algorithm].toString('hex'))).toBe(true);
  });

  it('is read by its length: a bare key that begins like a wrapper is a key', () => {
    const tricky = Buffer.concat([Buffer.from('041e', 'hex'), Buffer.alloc(30, 1)]);
    expect(spkiOfPoint('ed25519', tricky).subarray(-32)).toEqual(tricky);
  });

  it('is refused in any other form', () => {
    const wrong = [
      Buffer.alloc(0),
      Buffer.alloc(31),
      Buffer.concat([Buffer.from('0421', 'hex'), bare.ed25519]),
      Buffer.concat([bare.ed25519, Buffer.of(0)]),
    ];
    for (const point of wrong) expect(() => spkiOfPoint('ed25519', point)).toThrow(TokenError);
    expect(() => spkiOfPoint('ecdsa-p256', Buffer.alloc(65, 2))).toThrow(TokenError);
    expect(algorithmOfPoint(Buffer.alloc(31))).toBeUndefined();
  });
});
