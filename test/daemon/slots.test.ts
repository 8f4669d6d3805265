import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditDatabase } from '../campaigns/audit-database.ts';
import { mintmark } from '../cli/run-cli.ts';
import { type InitialisedAppliance, initAppliance, serveAppliance } from '../support/appliance-process.ts';
import { temporaryDirectory } from '../support/daemon.ts';
import { entriesOf } from '../support/ledger-entries.ts';

const directory = temporaryDirectory();
let appliance: InitialisedAppliance;
const recovery = join(directory.path, 'recovery.txt');
const backup = join(directory.path, 'site.backup');

beforeAll(async () => {
  appliance = await initAppliance(directory.path);
});
afterAll(() => {
  directory[Symbol.dispose]();
});

/** `action name`, and who did it, of every entry about a slot or a restore, in order. */
function slotEntries(data: string): string[] {
  const database = join(data, 'mintmark.db');
  expect(auditDatabase(database).problems).toEqual([]);
  return entriesOf(database, /^slot\.|^restore\./).map(({ action, target, actor }) =>
    action.startsWith('slot.') ? `${action} ${target.id} (${actor.via})` : action,
  );
}

const MADE = ['slot.added credential (init)', 'slot.added recovery (init)'];
const USED = 'slot.used recovery (job)';

describe('the ledger', () => {
  it('knows every slot that an appliance was made with, and says nothing of a start as usual', async () => {
    const daemon = await serveAppliance(appliance);
    expect(await daemon.stop()).toBe(0);
    expect(slotEntries(appliance.data)).toEqual(MADE);
  });

  it('says that a start used the recovery slot, and no checkpoint leaves it out', async () => {
    const daemon = await serveAppliance(appliance, [], { flags: ['--recovery-file', recovery] });
    const made = await mintmark(['backup', 'create', backup, '--data-dir', appliance.data]);
    expect([made.code, made.stderr]).toEqual([0, '']);
    expect(await daemon.stop()).toBe(0);
    expect(slotEntries(appliance.data)).toEqual([...MADE, USED]);
    const { entries, signed } = auditDatabase(join(appliance.data, 'mintmark.db'));
    expect(signed).toBe(entries);
  });

  it('says that a restore used the recovery slot and replaced the credential, on the new branch', async () => {
    const restored = join(directory.path, 'restored');
    const credential = join(directory.path, 'new-kek');
    const told = await mintmark([
      ...['backup', 'restore', backup, '--data-dir', restored],
      ...['--recovery-file', recovery, '--credential', credential],
    ]);
    expect(told.code, told.stderr).toBe(0);
    expect(slotEntries(restored)).toEqual([
      ...MADE,
      USED,
      'restore.completed',
      'slot.used recovery (restore)',
      'slot.replaced credential (restore)',
    ]);
    const daemon = await serveAppliance({ data: restored, credential });
    expect(await daemon.stop()).toBe(0);
  });
});

describe('status', () => {
  it('shows custodians and slots, and warns until there is a backup', async () => {
    const place = join(directory.path, 'fresh');
    mkdirSync(place);
    const fresh = await initAppliance(place);
    const daemon = await serveAppliance(fresh);
    const at = ['--data-dir', fresh.data];
    const before = await mintmark(['status', ...at]);
    expect(before.stdout).toMatch(/^custodians: +file \(ready\)$/m);
    expect(before.stdout).toMatch(
      /^slots: +credential \(credential, since \d{4}-\d\d-\d\d\), recovery \(recovery, since \d{4}-\d\d-\d\d\)$/m,
    );
    expect(before.stdout).toMatch(/^warnings: +no backup was ever made$/m);
    expect((await mintmark(['backup', 'create', join(directory.path, 'fresh.backup'), ...at])).code).toBe(0);
    expect((await mintmark(['status', ...at])).stdout).toMatch(/^warnings: +-$/m);
    expect(await daemon.stop()).toBe(0);
  });
});
