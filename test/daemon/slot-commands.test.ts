import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditDatabase } from '../campaigns/audit-database.ts';
import { mintmark, type Transcript } from '../cli/run-cli.ts';
import {
  type InitialisedAppliance,
  initAppliance,
  serveAppliance,
  type ServedAppliance,
} from '../support/appliance-process.ts';
import { temporaryDirectory } from '../support/daemon.ts';
import { entriesOf } from '../support/ledger-entries.ts';

const desk = temporaryDirectory();
const at = (name: string): string => join(desk.path, name);
let appliance: InitialisedAppliance;
let daemon: ServedAppliance;

beforeAll(async () => {
  appliance = await initAppliance(desk.path);
  daemon = await serveAppliance(appliance);
});
afterAll(async () => {
  await daemon.stop();
  desk[Symbol.dispose]();
});

const slot = (...args: readonly string[]): Promise<Transcript> => {
  const place = ['--data-dir', appliance.data, '--set', `custody.credential=${appliance.credential}`];
  return mintmark(['keys', 'slot', ...args, ...place]);
};

const names = (): string[] =>
  readdirSync(join(appliance.data, 'slots')).map((file) => file.replace('.json', ''));

describe('a slot', () => {
  it('is added with a passphrase that is strong enough, and named by its kind', async () => {
    writeFileSync(at('weak'), 'password123');
    const weak = await slot('add', 'passphrase', '--passphrase-file', at('weak'));
    expect([weak.code, weak.stderr]).toEqual([1, expect.stringContaining('VALIDATION_FAILED')]);
    writeFileSync(at('strong'), 'seven otters juggle nineteen copper teapots');
    const added = await slot('add', 'passphrase', '--passphrase-file', at('strong'));
    expect([added.code, added.stdout]).toEqual([0, 'added slot passphrase\n']);
    expect(names().toSorted()).toEqual(['credential', 'passphrase', 'recovery']);
  });

  it('with a generated secret leaves it in a file of its own, which opens it', async () => {
    const added = await slot('add', 'recovery', '--secret-out', at('second-code'));
    expect([added.code, added.stdout]).toEqual([0, 'added slot recovery-2\n']);
    expect(statSync(at('second-code')).mode & 0o777).toBe(0o600);
    const words = await slot(
      'add',
      'passphrase',
      '--name',
      'words',
      '--generate',
      '--secret-out',
      at('words'),
    );
    expect(words.code, words.stderr).toBe(0);
    expect(readFileSync(at('words'), 'utf8').trim().split(' ')).toHaveLength(7);
    expect((await slot('test', 'words', '--passphrase-file', at('words'))).code).toBe(0);
  });

  it('that is refused leaves no secret behind', async () => {
    const taken = await slot('add', 'recovery', '--name', 'words', '--secret-out', at('none'));
    expect([taken.code, taken.stderr]).toEqual([1, expect.stringContaining('there is a slot words already')]);
    const credential = await slot('add', 'credential', '--name', 'words', '--credential', at('none'));
    expect(credential.code).toBe(1);
    expect(existsSync(at('none'))).toBe(false);
  });

  it('with a credential opens the appliance at its next start', async () => {
    const added = await slot('add', 'credential', '--name', 'spare', '--credential', at('spare'));
    expect(added.code, added.stderr).toBe(0);
    expect(await daemon.stop()).toBe(0);
    daemon = await serveAppliance({ data: appliance.data, credential: at('spare') });
  });

  it('is never shown its secret in a pipe', async () => {
    const shown = await slot('add', 'recovery', '--name', 'piped');
    expect([shown.code, shown.stdout]).toEqual([2, '']);
    expect(names()).not.toContain('piped');
  });
});

describe('testing a slot', () => {
  it('tells a wrong secret, which is a no, from a damaged file', async () => {
    const wrong = await slot('test', 'recovery', '--recovery-file', at('second-code'));
    expect([wrong.code, wrong.stderr]).toEqual([3, expect.stringContaining('SLOT_SECRET_WRONG')]);
    const file = join(appliance.data, 'slots', 'words.json');
    const whole = readFileSync(file, 'utf8');
    writeFileSync(file, whole.replace('"v": 1', '"v": 2'));
    const damaged = await slot('test', 'words', '--passphrase-file', at('words'));
    expect([damaged.code, damaged.stderr]).toEqual([1, expect.stringContaining('slot words is damaged')]);
    expect((await slot('list')).stdout).toMatch(/^words +DAMAGED/m);
    writeFileSync(file, whole);
  });

  it('takes the credential of the configuration for the slot of that kind', async () => {
    expect((await slot('test', 'credential')).code).toBe(0);
  });
});

describe('removing slots', () => {
  it('ends at the last one that recovers, and says that backups still open', async () => {
    const removed = await slot('remove', 'recovery-2');
    expect([removed.code, removed.stderr]).toEqual([0, expect.stringContaining('still open with it')]);
    const last = await slot('remove', 'recovery');
    expect([last.code, last.stderr]).toEqual([1, expect.stringContaining('the last way to recover')]);
    expect(names()).toContain('recovery');
  });
});

describe('the ledger', () => {
  it('has each slot that was added, proven or removed, under a checkpoint before the answer', () => {
    const database = join(appliance.data, 'mintmark.db');
    const { entries, signed, problems } = auditDatabase(database);
    expect([problems, signed]).toEqual([[], entries]);
    const told = entriesOf(database, /^slot\./).map(({ action, target }) => `${action} ${target.id}`);
    const before = ['slot.added credential', 'slot.added recovery', 'slot.added passphrase'];
    expect(told).toEqual([
      ...before,
      ...['slot.added recovery-2', 'slot.added words', 'slot.tested words'],
      ...['slot.added spare', 'slot.tested credential'],
      'slot.removed recovery-2',
    ]);
  });
});
