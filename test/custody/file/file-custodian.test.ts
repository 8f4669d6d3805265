import { readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileCustodian } from '../../../src/custody/file/file-custodian.ts';
import { Kek } from '../../../src/custody/kek.ts';
import { describeCustodian } from '../custodian-contract.ts';
import { flipBit, random, temporaryDirectory } from '../custody-fixtures.ts';

const MESSAGE = Buffer.from('license/AAAA.BBBB.CCCC');

function newStore() {
  const directory = temporaryDirectory();
  const kek = Kek.generate(random);
  const custodian = (key: Kek | null = kek): FileCustodian =>
    new FileCustodian({ directory, random, kek: () => key });
  return { directory, kek, custodian, open: () => Promise.resolve(custodian()) };
}

async function withKey() {
  const store = newStore();
  const key = await store.custodian().generate({ purpose: 'license', algorithm: 'ed25519' });
  const { reference, purpose, publicKey } = key;
  return { ...store, key, stored: { reference, purpose, publicKey }, path: pathOf(store.directory, key.kid) };
}

const pathOf = (directory: string, kid: string): string => join(directory, 'keys', `${kid}.key`);

describeCustodian({ name: 'file', algorithms: ['ed25519', 'ecdsa-p256'], newStore });

describe('a key file', () => {
  it('is of mode 0600 in a directory of mode 0700, and the only file of its key', async () => {
    const { directory, path, key } = await withKey();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'keys')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(directory, 'keys'))).toEqual([`${key.kid}.key`]);
  });

  it('shows its header and nothing of the private key', async () => {
    const { path, key } = await withKey();
    const [header, body] = readFileSync(path, 'utf8').split('\n');
    expect(JSON.parse(header ?? '')).toEqual({
      ...{ v: 1, kid: key.kid, purpose: 'license', algorithm: 'ed25519' },
      publicKey: key.publicKey.toString('base64'),
    });
    // An Ed25519 PKCS#8 is 48 bytes (RFC 8410 §7); sealed it is longer by nonce and tag.
    expect(Buffer.from(body ?? '', 'base64')).toHaveLength(12 + 48 + 16);
  });

  it('refuses every single-bit flip', async () => {
    const { custodian, path, stored } = await withKey();
    const bytes = readFileSync(path);
    const accepted: number[] = [];
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      writeFileSync(path, flipBit(bytes, bit));
      const code = await custodian()
        .find(stored)
        .then(() => 'none')
        .catch((error: unknown) => (error as { code?: string }).code); // asserted below
      if (code !== 'KEY_STORAGE') accepted.push(bit);
    }
    expect(accepted).toEqual([]);
    writeFileSync(path, bytes);
    await expect(custodian().find(stored)).resolves.toMatchObject({ kid: stored.reference });
  });

  it('is refused when lines were added or taken', async () => {
    const { custodian, path, stored } = await withKey();
    const text = readFileSync(path, 'utf8');
    for (const wrong of [
      '',
      '\n',
      text.trimEnd(),
      `${text}\n`,
      `${text}${text}`,
      text.replace('\n', '\r\n'),
    ]) {
      writeFileSync(path, wrong);
      await expect(custodian().find(stored)).rejects.toMatchObject({ code: 'KEY_STORAGE' });
    }
  });

  it('is refused in the place of another, under another key-encryption key, and when it is gone', async () => {
    const { directory, custodian, path, stored, key } = await withKey();
    const other = await custodian().generate({ purpose: 'license', algorithm: 'ed25519' });
    await expect(custodian(Kek.generate(random)).find(stored)).rejects.toMatchObject({ code: 'KEY_STORAGE' });
    renameSync(path, pathOf(directory, other.kid));
    const { reference, purpose, publicKey } = other;
    await expect(custodian().find({ reference, purpose, publicKey })).rejects.toMatchObject({
      code: 'KEY_STORAGE',
    });
    await expect(custodian().find(stored)).rejects.toThrow(`key file ${key.kid}.key is missing`);
  });
});

describe('the file custodian', () => {
  it('refuses everything while sealed', async () => {
    const { custodian, stored } = await withKey();
    const sealed = custodian(null);
    expect(sealed.health()).toEqual({ state: 'unavailable', detail: 'sealed' });
    await expect(sealed.find(stored)).rejects.toMatchObject({ code: 'SEALED' });
    await expect(sealed.generate({ purpose: 'license', algorithm: 'ed25519' })).rejects.toMatchObject({
      code: 'SEALED',
    });
  });

  it('signs again with a handle given before it was sealed and unsealed', async () => {
    const { directory, kek, stored } = await withKey();
    let open: Kek | null = kek;
    const custodian = new FileCustodian({ directory, random, kek: () => open });
    const key = await custodian.find(stored);
    custodian.lock();
    open = null;
    await expect(custodian.sign(key, MESSAGE)).rejects.toMatchObject({ code: 'SEALED' });
    open = kek;
    expect(await custodian.sign(key, MESSAGE)).toHaveLength(64);
  });

  it('never touches the file when it signs with a key it has read', async () => {
    const { custodian, path, stored } = await withKey();
    const ready = custodian();
    const key = await ready.find(stored);
    unlinkSync(path);
    expect(await ready.sign(key, MESSAGE)).toHaveLength(64);
  });
});
