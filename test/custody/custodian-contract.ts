import { createPublicKey, verify } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { KeyAlgorithm, KeyCustodian, KeyHandle } from '../../src/custody/custodian.ts';
import { kidOf, jwkOf } from '../../src/custody/key-id.ts';
import { Fault } from '../../src/faults.ts';
import { InvariantViolation } from '../../src/lib/invariant.ts';
import { ed25519Verify } from './second-implementation.ts';
import { jwsInput, MESSAGE_KINDS, PURPOSES } from './purpose-messages.ts';

/** An implementation under test, with the means to open it again on the same store. */
export interface CustodianUnderTest {
  readonly name: string;
  /** What it makes keys of, best first. */
  readonly algorithms: readonly [KeyAlgorithm, ...KeyAlgorithm[]];
  /** A store with nothing in it; each `open` is a new process looking at it. */
  newStore(): { open(): Promise<KeyCustodian> };
}

const JOSE = { ed25519: 'EdDSA', 'ecdsa-p256': 'ES256' } as const;
const LICENSE_MESSAGE = Buffer.from('license/AAAA.BBBB.CCCC');

/** What every custodian must do, whatever holds its keys. */
export function describeCustodian(under: CustodianUnderTest): void {
  describe(`custodian ${under.name}`, () => {
    describeKeys(under);
    describeSigning(under);
  });
}

function describeKeys(under: CustodianUnderTest): void {
  const open = (): Promise<KeyCustodian> => under.newStore().open();
  const [algorithm] = under.algorithms;
  describe('keys', () => {
    it('goes by its name', async () => {
      await using custodian = await open();
      expect(custodian.name).toBe(under.name);
      expect(custodian.health().state).toBe('ready');
    });

    it.each(under.algorithms)('makes %s keys that are named by their public key', async (algorithm) => {
      await using custodian = await open();
      const [one, other] = [
        await custodian.generate({ purpose: 'license', algorithm }),
        await custodian.generate({ purpose: 'license', algorithm }),
      ];
      expect(one).toMatchObject({ purpose: 'license', algorithm, kid: kidOf(jwkOf(one.publicKey)) });
      expect(one.kid).toMatch(/^[A-Za-z0-9_-]{16}$/);
      expect(other.kid).not.toBe(one.kid);
    });

    it('gives handles that cannot be changed and hold nothing secret', async () => {
      await using custodian = await open();
      const key = await custodian.generate({ purpose: 'license', algorithm });
      expect(Object.isFrozen(key)).toBe(true);
      expect(Object.keys(key).sort()).toEqual(['algorithm', 'kid', 'publicKey', 'purpose', 'reference']);
      expect(inspect(custodian, { depth: 9, showHidden: true })).not.toMatch(/privatekey|pkcs8|kek/i);
    });

    it('finds its keys again in another process', async () => {
      const store = under.newStore();
      const { reference, purpose, publicKey } = await made(under, store);
      await using later = await store.open();
      const found = await later.find({ reference, purpose, publicKey });
      const signature = await later.sign(found, LICENSE_MESSAGE);
      expect(verifies(found, LICENSE_MESSAGE, signature)).toBe(true);
    });

    it('refuses to find a key that is not there, or is not the one stored', async () => {
      const store = under.newStore();
      const [one, other] = [await made(under, store), await made(under, store)];
      const absent = await made(under, under.newStore());
      await using later = await store.open();
      const wanted = [
        { reference: absent.reference, purpose: absent.purpose, publicKey: absent.publicKey },
        { reference: one.reference, purpose: one.purpose, publicKey: other.publicKey },
        { reference: one.reference, purpose: 'root' as const, publicKey: one.publicKey },
        { reference: '../../etc/passwd', purpose: one.purpose, publicKey: one.publicKey },
        { reference: one.reference, purpose: one.purpose, publicKey: Buffer.from('no key') },
      ];
      for (const stored of wanted) {
        await expect(later.find(stored)).rejects.toThrow(Fault);
        await expect(later.find(stored)).rejects.toMatchObject({ code: 'KEY_STORAGE' });
      }
    });
  });
}

function describeSigning(under: CustodianUnderTest): void {
  const open = (): Promise<KeyCustodian> => under.newStore().open();
  const [algorithm] = under.algorithms;
  describe('signing', () => {
    it.each(under.algorithms)('signs with %s: 64 raw bytes that others verify', async (algorithm) => {
      await using custodian = await open();
      const key = await custodian.generate({ purpose: 'license', algorithm });
      const signature = await custodian.sign(key, LICENSE_MESSAGE);
      expect(signature).toHaveLength(64);
      expect(verifies(key, LICENSE_MESSAGE, signature)).toBe(true);
      expect(verifies(key, Buffer.from('license/AAAA.BBBB.CCCD'), signature)).toBe(false);
    });

    it.each(PURPOSES)('lets a %s key sign the messages of its purpose and no other', async (purpose) => {
      await using custodian = await open();
      const key = await custodian.generate({ purpose, algorithm });
      const named = { kid: key.kid, jose: JOSE[key.algorithm] };
      for (const kind of MESSAGE_KINDS) {
        const message = kind.message(named);
        const signing = custodian.sign(key, message);
        if (kind.signedBy.includes(purpose)) expect(verifies(key, message, await signing)).toBe(true);
        else await expect(signing).rejects.toThrow(InvariantViolation);
      }
      await expect(custodian.sign(key, Buffer.from('anything else'))).rejects.toThrow(InvariantViolation);
    });

    it.each(under.algorithms)('proves that the private half of a key of %s is there', async (algorithm) => {
      const store = under.newStore();
      await using custodian = await store.open();
      const key = await custodian.generate({ purpose: 'token', algorithm });
      await expect(custodian.prove(key)).resolves.toBeUndefined();
      await using later = await store.open();
      await expect(later.prove(await later.find(key))).resolves.toBeUndefined();
    });

    it('proves no key of another custodian', async () => {
      await using mine = await open();
      await using theirs = await open();
      const key = await theirs.generate({ purpose: 'token', algorithm });
      await expect(mine.prove(key)).rejects.toThrow(InvariantViolation);
    });

    it('refuses a handle of another custodian, and one that was made up', async () => {
      await using mine = await open();
      await using theirs = await open();
      const key = await theirs.generate({ purpose: 'root', algorithm });
      const message = jwsInput({ kid: key.kid, jose: JOSE[algorithm] }, 'mm-trust+jws');
      expect(verifies(key, message, await theirs.sign(key, message))).toBe(true);
      await expect(mine.sign(key, message)).rejects.toThrow(InvariantViolation);
      await expect(theirs.sign({ ...key, purpose: 'license' }, LICENSE_MESSAGE)).rejects.toThrow(
        InvariantViolation,
      );
    });
  });
}

async function made(under: CustodianUnderTest, store: { open(): Promise<KeyCustodian> }): Promise<KeyHandle> {
  await using custodian = await store.open();
  return await custodian.generate({ purpose: 'license', algorithm: under.algorithms[0] });
}

function verifies(key: KeyHandle, message: Buffer, signature: Buffer): boolean {
  if (key.algorithm === 'ed25519') return ed25519Verify(key.publicKey, message, signature);
  const publicKey = createPublicKey({ key: key.publicKey, format: 'der', type: 'spki' });
  return verify('sha256', message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
}
