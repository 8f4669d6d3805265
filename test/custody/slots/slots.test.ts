import { createHash } from 'node:crypto';
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Kek } from '../../../src/custody/kek.ts';
import { openSlotFile } from '../../../src/custody/slots/slot-file.ts';
import {
  credentialSecret,
  passphraseSecret,
  recoverySecret,
  type SlotSecret,
} from '../../../src/custody/slots/slot-secret.ts';
import {
  addSlot,
  listSlots,
  openFirst,
  readSlotFiles,
  removeSlot,
  testSlot,
} from '../../../src/custody/slots/slots.ts';
import { formatRecoveryCode } from '../../../src/custody/slots/recovery-code.ts';
import { Fault } from '../../../src/faults.ts';
import { Secret } from '../../../src/lib/secret.ts';
import { faultCode, flipBit, random, temporaryDirectory } from '../custody-fixtures.ts';

const NOW = 1_700_000_000_000;
const credential = (fill: number): SlotSecret => credentialSecret(new Secret(Buffer.alloc(32, fill)));
const recovery = (fill: number): SlotSecret =>
  recoverySecret(new Secret(formatRecoveryCode(Buffer.alloc(32, fill))));
const openAnySlot = (directory: string, secret: SlotSecret) => openFirst(readSlotFiles(directory), secret);
const passphrase = (text: string): SlotSecret => passphraseSecret(new Secret(text));

/** What a key-encryption key is known by: what it wraps, it unwraps. */
const sameKek = (a: Kek, b: Kek): boolean => {
  const key = random.bytes(32);
  return b.unwrap('test', a.wrap('test', key)).equals(key);
};

async function withSlots(secrets: Readonly<Record<string, SlotSecret>>) {
  const directory = temporaryDirectory();
  const kek = Kek.generate(random);
  for (const [name, secret] of Object.entries(secrets)) {
    await addSlot(directory, { name, secret, kek, now: NOW }, random);
  }
  const path = (name: string): string => join(directory, 'slots', `${name}.json`);
  return { directory, kek, path };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return 'none';
}

describe('slots', () => {
  it('open the same key-encryption key, each with its own secret', async () => {
    const secrets = { paper: recovery(1), machine: credential(2), person: passphrase('seven typed words') };
    const { directory, kek } = await withSlots(secrets);
    for (const [name, secret] of Object.entries(secrets)) {
      const opened = await openAnySlot(directory, secret);
      expect(opened.slot).toBe(name);
      expect(sameKek(kek, opened.kek)).toBe(true);
    }
  });

  it('are files of mode 0600 in a directory of mode 0700', async () => {
    const { directory, path } = await withSlots({ paper: recovery(1) });
    expect(statSync(path('paper')).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'slots')).mode & 0o777).toBe(0o700);
  });

  it('are listed without a secret, damaged ones as such', async () => {
    const { directory, path } = await withSlots({ paper: recovery(1), machine: credential(2) });
    writeFileSync(path('machine'), 'nonsense');
    expect(listSlots(directory)).toEqual([
      { name: 'machine', damaged: true },
      { name: 'paper', damaged: false, kind: 'recovery', createdAt: '2023-11-14T22:13:20.000Z' },
    ]);
  });

  it('tell a wrong secret from a damaged file', async () => {
    const { directory, path } = await withSlots({ machine: credential(2), paper: recovery(1) });
    expect(await codeOf(testSlot(directory, 'machine', credential(2)))).toBe('none');
    expect(await codeOf(testSlot(directory, 'machine', credential(3)))).toBe('SLOT_SECRET_WRONG');
    expect(await codeOf(testSlot(directory, 'machine', recovery(1)))).toBe('SLOT_SECRET_WRONG');
    expect(await codeOf(testSlot(directory, 'none', recovery(1)))).toBe('NOT_FOUND');
    expect(await codeOf(testSlot(directory, '../keys/x', recovery(1)))).toBe('NOT_FOUND');
    writeFileSync(path('machine'), readFileSync(path('machine')).subarray(1));
    expect(await codeOf(testSlot(directory, 'machine', credential(2)))).toBe('KEY_STORAGE');
  });

  it('are opened past a damaged one of the same kind', async () => {
    const { directory, path } = await withSlots({ a: credential(2), b: credential(2), c: recovery(1) });
    writeFileSync(path('a'), 'nonsense');
    expect((await openAnySlot(directory, credential(2))).slot).toBe('b');
    writeFileSync(path('b'), 'nonsense');
    expect(await codeOf(openAnySlot(directory, credential(2)))).toBe('KEY_STORAGE');
    expect(await codeOf(openAnySlot(directory, passphrase('any')))).toBe('KEY_STORAGE');
    expect(await codeOf(openAnySlot(directory, recovery(9)))).toBe('SLOT_SECRET_WRONG');
  });

  it('are never overwritten, nor added under a name that is no name', async () => {
    const { directory, kek } = await withSlots({ paper: recovery(1) });
    const before = readSlotFiles(directory);
    const add = (name: string): Promise<string> =>
      codeOf(addSlot(directory, { name, secret: recovery(2), kek, now: NOW }, random));
    expect(await add('paper')).toBe('CONFLICT');
    expect(await add('../escape')).toBe('VALIDATION_FAILED');
    expect(await add('')).toBe('VALIDATION_FAILED');
    expect(readSlotFiles(directory)).toEqual(before);
  });

  it('are removed, but not the last one that recovers', async () => {
    const { directory, kek } = await withSlots({ paper: recovery(1), machine: credential(2) });
    expect(faultCode(() => removeSlot(directory, 'paper'))).toBe('CONFLICT');
    removeSlot(directory, 'machine');
    expect(await codeOf(openAnySlot(directory, credential(2)))).toBe('KEY_STORAGE');
    expect(faultCode(() => removeSlot(directory, 'machine'))).toBe('NOT_FOUND');
    await addSlot(directory, { name: 'second', secret: recovery(5), kek, now: NOW }, random);
    removeSlot(directory, 'paper');
    expect(listSlots(directory).map(({ name }) => name)).toEqual(['second']);
  });

  it('do not count a damaged recovery slot as one that recovers', async () => {
    const { directory, path } = await withSlots({ paper: recovery(1), second: recovery(2) });
    writeFileSync(path('second'), 'nonsense');
    expect(faultCode(() => removeSlot(directory, 'paper'))).toBe('CONFLICT');
    removeSlot(directory, 'second');
    expect(listSlots(directory)).toHaveLength(1);
  });
});

describe('a slot file', () => {
  it.each([
    ['credential', credential(2)],
    ['recovery', recovery(2)],
    ['passphrase', passphrase('seven typed words')],
  ])('refuses every single-bit flip (%s)', async (name, secret) => {
    const { path } = await withSlots({ [name]: secret });
    const bytes = readFileSync(path(name));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      expect(await codeOf(openSlotFile(name, flipBit(bytes, bit), secret))).toBe('KEY_STORAGE');
    }
  });

  it('refuses what somebody changed who could make the digest fit again', async () => {
    const { path } = await withSlots({ machine: credential(2) });
    const record = JSON.parse(readFileSync(path('machine'), 'utf8')) as Record<string, string>;
    const forge = (change: Record<string, string>): Buffer => {
      const { digest: _, ...before } = { ...record, ...change };
      const digest = createHash('sha256').update(JSON.stringify(before)).digest('base64');
      return Buffer.from(`${JSON.stringify({ ...before, digest }, null, 2)}\n`);
    };
    expect(await codeOf(openSlotFile('machine', forge({}), credential(2)))).toBe('none');
    const wrapped = flipBit(Buffer.from(record['wrapped'] ?? '', 'base64'), 7).toString('base64');
    const changes: readonly [Record<string, string>, string][] = [
      [{ createdAt: '2020-01-01T00:00:00.000Z' }, 'KEY_STORAGE'],
      [{ wrapped }, 'KEY_STORAGE'],
      [{ mac: Buffer.alloc(32).toString('base64') }, 'KEY_STORAGE'],
      [{ salt: Buffer.alloc(32).toString('base64') }, 'SLOT_SECRET_WRONG'],
      [{ check: Buffer.alloc(16).toString('base64') }, 'SLOT_SECRET_WRONG'],
      [{ kind: 'recovery' }, 'SLOT_SECRET_WRONG'],
    ];
    for (const [change, code] of changes) {
      expect(await codeOf(openSlotFile('machine', forge(change), credential(2)))).toBe(code);
    }
  });

  it('opens under its own name only', async () => {
    const { directory, path } = await withSlots({ machine: credential(2), paper: recovery(1) });
    renameSync(path('machine'), path('other'));
    expect(await codeOf(testSlot(directory, 'other', credential(2)))).toBe('KEY_STORAGE');
  });

  it('is written in one spelling and read in no other', async () => {
    const { path } = await withSlots({ machine: credential(2) });
    const record = JSON.parse(readFileSync(path('machine'), 'utf8')) as Record<string, unknown>;
    const { v, ...others } = record;
    for (const text of [
      JSON.stringify(record),
      `${JSON.stringify(record, null, 2)}\n\n`,
      `${JSON.stringify({ ...others, v }, null, 2)}\n`,
      `${JSON.stringify({ ...record, more: 1 }, null, 2)}\n`,
    ]) {
      expect(await codeOf(openSlotFile('machine', Buffer.from(text), credential(2)))).toBe('KEY_STORAGE');
    }
  });
});
