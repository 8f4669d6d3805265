import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  generateTenantKeys,
  generatePassphrase,
  initialiseCustody,
  openBackupKey,
  openCustody,
  passphraseSecret,
  realmScope,
  recoverySecret,
  registerTenantKeys,
} from '../../src/custody/index.ts';
import { DataKeys } from '../../src/custody/data-keys.ts';
import { IndexKeys } from '../../src/custody/index-keys.ts';
import { Kek } from '../../src/custody/kek.ts';
import { writeCredential } from '../../src/custody/slots/credential.ts';
import { credentialSecret } from '../../src/custody/slots/slot-secret.ts';
import { Secret } from '../../src/lib/secret.ts';
import { SYSTEM_REALM } from '../../src/storage/realm-scope.ts';
import {
  addTenant,
  closeKeyStore,
  faultCode,
  flipBit,
  openKeyStore,
  random,
  recorded,
  settled,
  temporaryDirectory,
} from './custody-fixtures.ts';

const NOW = 1_700_000_000_000;
const CELL = { realm: SYSTEM_REALM, table: 'licenses', column: 'personal', row: 'lic_1' };
const LOOKUP = { purpose: 'lookup', table: 'license_directory', column: 'key_hash' } as const;
const MESSAGE = Buffer.from('license/AAAA.BBBB.CCCC');

/** An appliance with one tenant, initialised as `init` does it: all three slots, keys, counted uses. */
async function initialised() {
  const store = await openKeyStore();
  const credentialPath = join(temporaryDirectory(), 'kek');
  const passphrase = generatePassphrase(random);
  const { directory } = store;
  const given = { directory, random, now: NOW, credentialPath, passphrase };
  const { custody, recoveryCode } = await initialiseCustody(given);
  const keyring = await custody.openKeyring(store.work.read);
  const keys = await generateTenantKeys(keyring);
  const place = await recorded(store, (tx) => {
    custody.createRealmKeys(tx, SYSTEM_REALM);
    const place = { tenantId: 'ten_1', ...addTenant(tx, 'ten_1'), notBefore: NOW };
    for (const realm of [place.live, place.test]) custody.createRealmKeys(tx, realm);
    registerTenantKeys(tx, keyring, { keys, place });
    return place;
  });
  await custody.startCounting(store.work);
  return { store, custody, keyring, place, recoveryCode, passphrase, credentialPath };
}

describe('an appliance’s keys', () => {
  it('are opened again by each slot, and give the same values and digests', async () => {
    const { store, custody, recoveryCode, passphrase, credentialPath } = await initialised();
    const sealed = custody.sealer.seal(CELL, Buffer.from('text'));
    const digest = custody.indexer.digest(SYSTEM_REALM, LOOKUP, 'key');
    for (const unsealing of [
      { with: 'credential', path: credentialPath },
      { with: 'passphrase', passphrase },
      { with: 'recovery', code: recoveryCode },
    ] as const) {
      const later = await openCustody({ directory: store.directory, random }, unsealing);
      later.loadRealmKeys(store.work.read);
      expect(later.sealer.open(CELL, sealed).toString()).toBe('text');
      expect(later.indexer.digest(SYSTEM_REALM, LOOKUP, 'key')).toEqual(digest);
    }
  });

  it('are made once: a directory with slots is refused, and nothing in it changes', async () => {
    const { store, custody } = await initialised();
    const before = custody.listSlots();
    const again = initialiseCustody({ directory: store.directory, random, now: NOW });
    await expect(again).rejects.toThrow('has key slots already');
    expect(custody.listSlots()).toEqual(before);
  });

  it('are not made with a passphrase that is easily guessed', async () => {
    const directory = temporaryDirectory();
    const passphrase = new Secret('correct horse battery staple');
    const weak = initialiseCustody({ directory, random, now: NOW, passphrase });
    await expect(weak).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    expect(readdirSync(directory)).toEqual([]);
  });

  it('are gone from use after seal, and come back with unseal', async () => {
    const { store, custody, keyring, place, recoveryCode } = await initialised();
    const sealed = custody.sealer.seal(CELL, Buffer.from('text'));
    custody.seal();
    expect(custody.state).toBe('sealed');
    expect(faultCode(() => custody.sealer.open(CELL, sealed))).toBe('SEALED');
    expect(faultCode(() => custody.indexer.digest(SYSTEM_REALM, LOOKUP, 'key'))).toBe('SEALED');
    expect(faultCode(() => custody.newBackupKey())).toBe('SEALED');
    expect(faultCode(() => custody.loadRealmKeys(store.work.read))).toBe('SEALED');
    await expect(keyring.signAs('license', realmScope(place.live), MESSAGE)).rejects.toMatchObject({
      code: 'SEALED',
    });
    expect(await custody.unseal(recoverySecret(recoveryCode))).toBe('recovery');
    custody.loadRealmKeys(store.work.read);
    await custody.startCounting(store.work);
    expect(custody.sealer.open(CELL, sealed).toString()).toBe('text');
    expect(custody.sealer.seal(CELL, Buffer.from('text'))).toHaveLength(sealed.length);
    expect(await keyring.signAs('license', realmScope(place.live), MESSAGE)).toHaveLength(64);
  });

  it('stay out of reach of the keys of another appliance', async () => {
    const [one, other] = [await initialised(), await initialised()];
    const sealed = one.custody.sealer.seal(CELL, Buffer.from('text'));
    expect(faultCode(() => other.custody.sealer.open(CELL, sealed))).toBe('KEY_STORAGE');
    const mixed = await openCustody(
      { directory: other.store.directory, random },
      { with: 'recovery', code: other.recoveryCode },
    );
    expect(faultCode(() => mixed.loadRealmKeys(one.store.work.read))).toBe('KEY_STORAGE');
    await expect(mixed.openKeyring(one.store.work.read)).rejects.toMatchObject({ code: 'KEY_STORAGE' });
  });
});

describe('slots of an appliance', () => {
  it('are added while unsealed, tested and removed', async () => {
    const { custody } = await initialised();
    const path = join(temporaryDirectory(), 'second');
    const secret = credentialSecret(writeCredential(path, temporaryDirectory(), random));
    await custody.addSlot({ name: 'second', secret, now: NOW });
    await expect(custody.testSlot('second', secret)).resolves.toBeUndefined();
    custody.removeSlot('second');
    expect(custody.listSlots().map(({ name }) => name)).toEqual(['credential', 'passphrase', 'recovery']);
    custody.seal();
    const late = custody.addSlot({ name: 'late', secret, now: NOW });
    await expect(late).rejects.toMatchObject({ code: 'SEALED' });
  });
});

describe('the key of a backup', () => {
  it('is found with the secret of every slot, and with the header alone', async () => {
    const { custody, recoveryCode, passphrase, credentialPath } = await initialised();
    const { key, header } = custody.newBackupKey();
    custody.seal();
    const credential = credentialSecret(new Secret(readFileSync(credentialPath)));
    for (const secret of [recoverySecret(recoveryCode), passphraseSecret(passphrase), credential]) {
      const opened = await openBackupKey(header, secret);
      expect(opened.slot).toBe(secret.kind);
      expect(opened.key.expose()).toEqual(key.expose());
    }
    expect(key.expose()).toHaveLength(32);
  });

  it('is another for each backup', async () => {
    const { custody } = await initialised();
    const [one, other] = [custody.newBackupKey(), custody.newBackupKey()];
    expect(one.key.expose()).not.toEqual(other.key.expose());
  });

  it('is refused to any other secret, and when its header is damaged', async () => {
    const [{ custody }, other] = [await initialised(), await initialised()];
    const { header, key } = custody.newBackupKey();
    const wrong = openBackupKey(header, recoverySecret(other.recoveryCode));
    await expect(wrong).rejects.toMatchObject({ code: 'SLOT_SECRET_WRONG' });
    const damaged = openBackupKey(header.subarray(1), recoverySecret(other.recoveryCode));
    await expect(damaged).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
    expect(header.includes(key.expose())).toBe(false);
  });

  it('is never a wrong one: a flipped bit of the header is refused or changes nothing', async () => {
    const { custody, recoveryCode } = await initialised();
    const { header, key } = custody.newBackupKey();
    const secret = recoverySecret(recoveryCode);
    const wrong: number[] = [];
    for (let bit = 0; bit < header.length * 8; bit++) {
      const opened = await openBackupKey(flipBit(header, bit), secret).catch(() => undefined);
      if (opened !== undefined && !opened.key.expose().equals(key.expose())) wrong.push(bit);
    }
    expect(wrong).toEqual([]);
  });
});

describe('nothing of a secret is left in view', () => {
  it('no file of the data directory holds a sealed text, a key or a slot secret in clear', async () => {
    const { store, custody, keyring, place, recoveryCode, passphrase, credentialPath } = await initialised();
    const canaries = Array.from({ length: 50 }, (_, at) => `canary-${at}-${random.bytes(8).toString('hex')}`);
    await store.work.keep('canary', (tx) => {
      for (const [at, canary] of canaries.entries()) {
        const sealed = custody.sealer.seal({ ...CELL, row: `lic_${at}` }, Buffer.from(canary));
        custody.indexer.digest(SYSTEM_REALM, LOOKUP, canary);
        store.database.native
          .prepare('INSERT INTO job_state (job, state, updated_at) VALUES (?, ?, ?)')
          .run(`canary ${at}`, sealed.toString('latin1'), tx.now);
      }
    });
    await keyring.signAs('license', realmScope(place.live), MESSAGE);
    await settled(store);
    const credential = readFileSync(credentialPath);
    const codes = [recoveryCode.expose(), recoveryCode.expose().replaceAll('-', '')];
    const secrets = [...canaries, ...codes, passphrase.expose()].map((text) => Buffer.from(text));
    const everything = filesBelow(store.directory).map((path) => ({ path, bytes: readFileSync(path) }));
    expect(everything.length).toBeGreaterThan(10);
    const needles = [...secrets, credential, Buffer.from(credential.toString('base64'))];
    const found = everything.filter(({ bytes }) => needles.some((needle) => bytes.includes(needle)));
    expect(found.map(({ path }) => path)).toEqual([]);
  });

  it('every file with keys in it is of mode 0600', async () => {
    const { store, credentialPath } = await initialised();
    const guarded = ['keys', 'slots'].flatMap((name) => filesBelow(join(store.directory, name)));
    expect(guarded).toHaveLength(8 + 3);
    for (const path of [...guarded, credentialPath]) expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('no object shows a key when it is inspected, printed, serialised or cloned', async () => {
    const { custody, keyring, recoveryCode, passphrase } = await initialised();
    const bytes = Buffer.alloc(32, 0xc5);
    const kek = new Kek(new Secret(bytes));
    const [dataKeys, indexKeys] = [new DataKeys({ random }), new IndexKeys({ random })];
    const store = await openKeyStore();
    for (const keys of [dataKeys, indexKeys]) {
      keys.begin(kek);
      await recorded(store, (tx) => keys.create(tx, SYSTEM_REALM));
    }
    const backup = custody.newBackupKey();
    const shown = [
      ...[custody, keyring, keyring.list(), custody.sealer, custody.indexer, custody.health(), kek],
      ...[dataKeys, indexKeys, passphraseSecret(passphrase), recoverySecret(recoveryCode), passphrase],
      ...[credentialSecret(new Secret(bytes)), backup.key, recoveryCode],
    ].map((object) => views(object));
    const secrets = [bytes, Buffer.from(recoveryCode.expose()), Buffer.from(passphrase.expose())];
    const spellings = [...secrets, backup.key.expose()].flatMap((secret) => [
      secret.toString('utf8'),
      secret.toString('hex'),
      secret.toString('base64'),
      secret.toString('base64url'),
      [...secret.subarray(0, 8)].join(','),
      inspect(secret).slice(8, 40),
    ]);
    for (const text of shown) expect(spellings.filter((spelling) => text.includes(spelling))).toEqual([]);
  });
});

describe('uses of a data key', () => {
  it('are never more than the stored number after a kill in the middle', async () => {
    const { store, custody, credentialPath } = await initialised();
    custody.seal();
    await closeKeyStore(store);
    const script = new URL('seal-until-killed.ts', import.meta.url).pathname;
    let used = 0;
    for (const target of [100, 37, 333]) {
      const credential = readFileSync(credentialPath).toString('hex');
      const child = spawn(process.execPath, [script, store.directory, credential], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      used += await killAfter(child, target);
      const reopened = await openKeyStore(store.directory);
      const reserved = reopened.database.native
        .prepare('SELECT reserved FROM data_key_usage WHERE realm_id = 0')
        .pluck()
        .get() as number;
      expect(reserved).toBeGreaterThanOrEqual(used);
      await closeKeyStore(reopened);
    }
    expect(used).toBeGreaterThanOrEqual(470);
  });
});

/** Kills the child when it says it has used `target`, and returns the last number it said. */
async function killAfter(child: ReturnType<typeof spawn>, target: number): Promise<number> {
  let text = '';
  const last = (): number => Number(text.slice(0, text.lastIndexOf('\n')).split('\n').at(-1) ?? '0');
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    if (last() >= target) child.kill('SIGKILL');
  });
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  return last();
}

function views(object: unknown): string {
  const all = [
    inspect(object, { depth: 12, showHidden: true, getters: true, maxStringLength: null }),
    JSON.stringify(object),
    String(object),
  ];
  try {
    all.push(inspect(structuredClone(object), { depth: 12 }));
  } catch {
    all.push('an object that cannot be cloned shows nothing');
  }
  return all.join('\n');
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
