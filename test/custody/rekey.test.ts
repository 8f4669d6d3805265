import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  APPLIANCE_SCOPE,
  generateLedgerKey,
  generateRecoveryCode,
  initialiseCustody,
  recoverySecret,
  registerLedgerKey,
} from '../../src/custody/index.ts';
import { Custody } from '../../src/custody/custody.ts';
import { Secret } from '../../src/lib/secret.ts';
import { SYSTEM_REALM } from '../../src/storage/realm-scope.ts';
import {
  closeKeyStore,
  type KeyStore,
  openKeyStore,
  openStoreIn,
  random,
  recorded,
  TEST_AUTHORITY,
  temporaryDirectory,
} from './custody-fixtures.ts';

const NOW = 1_700_000_000_000;
const CELL = { realm: SYSTEM_REALM, table: 'licenses', column: 'personal', row: 'lic_1' };
const LOOKUP = { purpose: 'lookup', table: 'license_directory', column: 'key_hash' } as const;
const NOTE = Buffer.from('mintmark/origin\n1\nroot\n');
/** Prepared, begun, two slots written and one removed, one key file, the unit, the end. */
const STEPS = 8;

interface Made {
  readonly directory: string;
  readonly codes: { readonly stays: string; readonly leaked: string; readonly fresh: string };
  readonly sealed: Buffer;
  readonly digest: unknown;
}

/** A store with a sealed value, a signing key and two slots, one of which has leaked. */
async function makeStore(directory: string): Promise<Made> {
  const store = await openStoreIn(directory);
  const { custody, recoveryCode } = await initialiseCustody({ directory, random, now: NOW });
  const [leaked, fresh] = [generateRecoveryCode(random), generateRecoveryCode(random)];
  await custody.addSlot({ name: 'leaked', secret: recoverySecret(leaked), now: NOW });
  const keyring = await custody.openKeyring(store.work.read);
  const key = await generateLedgerKey(keyring);
  await recorded(store, (tx) => {
    custody.createRealmKeys(tx, SYSTEM_REALM);
    registerLedgerKey(tx, keyring, key);
  });
  await custody.startCounting(store.work);
  const sealed = custody.sealer.seal(CELL, Buffer.from('text'));
  const digest = custody.indexer.digest(SYSTEM_REALM, LOOKUP, 'key');
  const codes = { stays: recoveryCode.expose(), leaked: leaked.expose(), fresh: fresh.expose() };
  await custody.stopCounting();
  await closeKeyStore(store);
  return { directory, codes, sealed, digest };
}

/** Whether a code opens everything there is: values, digests and signatures. */
async function opens(store: KeyStore, made: Made, code: string): Promise<Custody | null> {
  const custody = new Custody({ directory: store.directory, random });
  try {
    await custody.unseal(recoverySecret(new Secret(code)));
  } catch {
    return null;
  }
  custody.loadRealmKeys(store.work.read);
  expect(custody.sealer.open(CELL, made.sealed).toString()).toBe('text');
  expect(custody.indexer.digest(SYSTEM_REALM, LOOKUP, 'key')).toEqual(made.digest);
  const keyring = await custody.openKeyring(store.work.read);
  expect(await keyring.signAs('ledger', APPLIANCE_SCOPE, NOTE)).toHaveLength(64);
  return custody;
}

/** Runs the replacement in a process that ends itself at a step; resolves with what it printed. */
async function runKilledAt(made: Made, directory: string, step: number): Promise<string> {
  const script = new URL('rekey-until-killed.ts', import.meta.url).pathname;
  const { stays, fresh } = made.codes;
  const child = spawn(process.execPath, [script, directory, stays, fresh, String(step)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more));
  await new Promise((resolve) => child.once('close', resolve));
  return text;
}

const desk = mkdtempSync(join(tmpdir(), 'mintmark-rekey-'));
let made: Made;
/** What became of a copy of the store for each step at which the replacement was killed; the last one was not. */
let killed: readonly { readonly directory: string; readonly printed: string }[];

beforeAll(async () => {
  mkdirSync(join(desk, 'source'));
  const source = await makeStore(join(desk, 'source'));
  const copy = (_: unknown, step: number): string => {
    const directory = join(desk, `killed-${String(step)}`);
    cpSync(source.directory, directory, { recursive: true });
    return directory;
  };
  made = source;
  const places = Array.from({ length: STEPS + 1 }, copy);
  killed = await Promise.all(
    places.map(async (directory, step) => ({
      directory,
      printed: await runKilledAt(source, directory, step),
    })),
  );
});

afterAll(() => {
  rmSync(desk, { recursive: true, force: true });
});

describe('replacing the key-encryption key', () => {
  it('has as many steps as are killed here', () => {
    expect(killed.map(({ printed }) => printed)).toEqual([
      ...Array<string>(STEPS).fill(''),
      `${String(STEPS)} steps\n`,
    ]);
  });

  it.each(Array.from({ length: STEPS + 1 }, (_, step) => step))(
    'killed at step %i loses nothing: a slot that stays opens everything, and the rest is done then',
    async (step) => {
      const directory = killed[step]?.directory ?? '';
      const store = await openKeyStore(directory);
      const { stays, leaked, fresh } = made.codes;
      const custody = await opens(store, made, stays);
      const begun = step > 0;
      expect([custody?.rekeying, existsSync(join(directory, 'rekey.json'))]).toEqual(
        begun && step < STEPS - 1 ? [true, true] : [false, false],
      );
      await custody?.finishRekey({ work: store.work, authority: TEST_AUTHORITY });
      expect(existsSync(join(directory, 'rekey.json'))).toBe(false);
      expect((await opens(store, made, stays)) !== null).toBe(true);
      expect([
        (await opens(store, made, fresh)) !== null,
        (await opens(store, made, leaked)) !== null,
      ]).toEqual(begun ? [true, false] : [false, true]);
    },
  );

  it('leaves nothing that the old key opens', async () => {
    const done = killed.at(-1)?.directory ?? '';
    const store = await openKeyStore(done);
    // Whoever has the leaked code and kept its slot file has the old key.
    cpSync(join(made.directory, 'slots', 'leaked.json'), join(done, 'slots', 'leaked.json'));
    const custody = new Custody({ directory: done, random });
    await custody.unseal(recoverySecret(new Secret(made.codes.leaked)));
    expect(() => custody.loadRealmKeys(store.work.read)).toThrow('wrapped under another key');
    const old = await custody.openKeyring(store.work.read).catch((error: unknown) => error);
    expect(String(old)).toContain('is damaged, or belongs to another key');
  });

  it('is begun by no file of somebody who has no key, nor by one that was changed', async () => {
    const other = temporaryDirectory();
    cpSync(made.directory, other, { recursive: true });
    const custody = new Custody({ directory: other, random });
    const { stays, leaked } = made.codes;
    const secret = recoverySecret(new Secret(stays));
    await custody.unseal(secret);
    const { journal } = await custody.prepareRekey({
      keep: [
        { name: 'recovery', secret },
        { name: 'leaked', secret: recoverySecret(new Secret(leaked)) },
      ],
      ...{ drop: [], add: [], now: NOW },
    });
    const whole = JSON.parse(journal.toString('utf8')) as { slots: unknown[]; id: string };
    const [first] = whole.slots;
    for (const changed of [
      { ...whole, slots: [first] },
      { ...whole, id: 'a'.repeat(32) },
      { ...whole, previous: '' },
    ]) {
      writeFileSync(join(other, 'rekey.json'), JSON.stringify(changed));
      await expect(custody.unseal(secret)).rejects.toThrow('rekey.json is damaged');
    }
    writeFileSync(join(other, 'rekey.json'), journal);
    expect(await custody.unseal(secret)).toBe('recovery');
  });

  it('gives the new key to nobody who has the old one: what is to go opens nothing once it is begun', async () => {
    const begun = temporaryDirectory();
    cpSync(made.directory, begun, { recursive: true });
    const custody = new Custody({ directory: begun, random });
    const { stays, leaked } = made.codes;
    const keep = [{ name: 'recovery', secret: recoverySecret(new Secret(stays)) }];
    await custody.unseal(recoverySecret(new Secret(stays)));
    const prepared = await custody.prepareRekey({ keep, drop: ['leaked'], add: [], now: NOW });
    expect(Object.keys(JSON.parse(prepared.journal.toString('utf8')) as object)).toEqual([
      ...['v', 'id', 'previous', 'slots', 'mac'],
    ]);
    custody.beginRekey(prepared);
    expect(existsSync(join(begun, 'slots', 'leaked.json'))).toBe(true);
    await expect(custody.unseal(recoverySecret(new Secret(leaked)))).rejects.toThrow('does not open slot');
    expect(await custody.unseal(recoverySecret(new Secret(stays)))).toBe('recovery');
  });

  it('is not begun again by its file that is put back: later slots stay, and the old key opens nothing', async () => {
    const directory = temporaryDirectory();
    cpSync(made.directory, directory, { recursive: true });
    const secret = recoverySecret(new Secret(made.codes.stays));
    const before = await openKeyStore(directory);
    const first = new Custody({ directory, random });
    await first.unseal(secret);
    first.loadRealmKeys(before.work.read);
    const keep = [{ name: 'recovery', secret }];
    const prepared = await first.prepareRekey({ keep, drop: ['leaked'], add: [], now: NOW });
    first.beginRekey(prepared);
    await first.finishRekey({ work: before.work, authority: TEST_AUTHORITY });
    await first.addSlot({ name: 'later', secret: recoverySecret(generateRecoveryCode(random)), now: NOW });
    await closeKeyStore(before);

    writeFileSync(join(directory, 'rekey.json'), prepared.journal);
    const store = await openKeyStore(directory);
    const custody = await opens(store, made, made.codes.stays);
    await custody?.finishRekey({ work: store.work, authority: TEST_AUTHORITY });
    expect(custody?.listSlots().map(({ name }) => name)).toEqual(['later', 'recovery']);
    expect(existsSync(join(directory, 'rekey.json'))).toBe(false);
    await closeKeyStore(store);

    writeFileSync(join(directory, 'rekey.json'), prepared.journal);
    wrapAsBefore(join(made.directory, 'mintmark.db'), join(directory, 'mintmark.db'));
    const changed = await openKeyStore(directory);
    const last = new Custody({ directory, random });
    await last.unseal(secret);
    expect(() => last.loadRealmKeys(changed.work.read)).toThrow('wrapped under another key');
  });
});

/** Puts the data keys of another database, wrapped as they are there, into one. */
function wrapAsBefore(from: string, into: string): void {
  const source = new BetterSqlite3(from, { readonly: true });
  const rows = source.prepare('SELECT wrapped, realm_id, version FROM data_keys').raw().all() as unknown[][];
  source.close();
  const db = new BetterSqlite3(into);
  const put = db.prepare('UPDATE data_keys SET wrapped = ? WHERE realm_id = ? AND version = ?');
  for (const row of rows) put.run(...row);
  db.close();
}

describe('a plan', () => {
  async function planned(plan: {
    keep?: string[];
    drop?: string[];
    add?: string[];
    swap?: boolean;
  }): Promise<unknown> {
    const custody = new Custody({ directory: made.directory, random });
    const { stays, leaked, fresh } = made.codes;
    const codes: Readonly<Record<string, string>> = {
      recovery: stays,
      leaked: plan.swap === true ? fresh : leaked,
    };
    await custody.unseal(recoverySecret(new Secret(stays)));
    const named = (names: string[] = []) =>
      names.map((name) => ({ name, secret: recoverySecret(new Secret(codes[name] ?? fresh)) }));
    const { keep, drop = [], add } = plan;
    return custody
      .prepareRekey({ keep: named(keep), drop, add: named(add), now: NOW })
      .catch((error: unknown) => (error as Error).message);
  }

  it.each([
    [
      'that is silent on a slot',
      { keep: ['recovery'] },
      'give the secret of leaked, or say that it is to go',
    ],
    [
      'that leaves no slot that recovers',
      { drop: ['recovery', 'leaked'] },
      'no slot that recovers would be left',
    ],
    ['of a slot that is not there', { keep: ['recovery', 'leaked', 'x'] }, 'there is no slot x'],
    [
      'of more slots than there can be',
      {
        keep: ['recovery', 'leaked'],
        add: Array.from({ length: 31 }, (_, number) => `slot-${String(number)}`),
      },
      'there would be more than 32 slots',
    ],
    ['that names a slot twice', { keep: ['recovery', 'leaked'], add: ['leaked'] }, 'each slot is named once'],
    [
      'with a secret that does not open its slot',
      { keep: ['leaked'], drop: ['recovery'], add: ['fresh'] },
      undefined,
    ],
  ])('%s is refused, and nothing is written', async (_what, plan, words) => {
    if (words === undefined) expect(await planned(plan)).toMatchObject({ id: expect.any(String) as string });
    else expect(await planned(plan)).toContain(words);
    expect(existsSync(join(made.directory, 'rekey.json'))).toBe(false);
  });
});
