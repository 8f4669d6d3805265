import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Daemon } from '../../src/daemon.ts';
import { Custody } from '../../src/custody/custody.ts';
import { generateRecoveryCode, recoverySecret } from '../../src/custody/index.ts';
import { verifyBackup } from '../../src/daemon/backup.ts';
import { oneAtATime } from '../../src/daemon/one-at-a-time.ts';
import { rekey } from '../../src/daemon/rekey.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { Secret } from '../../src/lib/secret.ts';
import { auditDatabase } from '../campaigns/audit-database.ts';
import { mintmark } from '../cli/run-cli.ts';
import { TEST_AUTHORITY } from '../custody/custody-fixtures.ts';
import { type Answered, send, temporaryDirectory } from '../support/daemon.ts';
import { entriesOf } from '../support/ledger-entries.ts';
import { type LocalAppliance, makeLocalAppliance, startLocal } from '../support/local-appliance.ts';
import { sendAsOperator } from '../support/operator-socket.ts';

const desk = temporaryDirectory();
const at = (name: string): string => join(desk.path, name);
let appliance: LocalAppliance;
let daemon: Daemon;

beforeAll(async () => {
  appliance = await makeLocalAppliance(desk.path);
  daemon = await startLocal(appliance);
});
afterAll(async () => {
  await daemon.stop();
  desk[Symbol.dispose]();
});

const operator = (method: string, path: string, body?: unknown): Promise<Answered> =>
  sendAsOperator(appliance.data, { method, path, body });
const codeOf = ({ status, body }: Answered): unknown[] => [status, body['code']];
const product = (code: string): Promise<Answered> =>
  send(
    { url: daemon.places.api, key: appliance.secretKey.expose() },
    { method: 'POST', path: '/products', body: { name: code, code } },
  );
const recovery = (code: string) => recoverySecret(new Secret(code));
const opensBackup = (path: string, code: string): Promise<boolean> =>
  verifyBackup(path, recovery(code)).then(
    () => true,
    () => false,
  );

describe('mintmark rekey', () => {
  it('names the slots whose secrets are missing, and changes nothing', async () => {
    const place = ['--data-dir', appliance.data, '--set', `custody.credential=${appliance.credential ?? ''}`];
    const refused = await mintmark(['rekey', ...place]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--secret recovery=<file>')]);
    const silent = await operator('POST', '/system/rekey', { drop: ['credential'] });
    expect(codeOf(silent)).toEqual([422, 'VALIDATION_FAILED']);
  });

  it('replaces the key while requests are served; what opened before no longer does', async () => {
    const old = appliance.recoveryCode.expose();
    expect((await operator('POST', '/system/backups', { path: at('before.backup') })).status).toBe(200);
    const place = ['--data-dir', appliance.data, '--set', `custody.credential=${appliance.credential ?? ''}`];
    const [told, ...answers] = await Promise.all([
      mintmark(['rekey', '--new-recovery', at('new.txt'), ...place]),
      ...Array.from({ length: 20 }, (_, i) => product(`during-${String(i)}`)),
    ]);
    expect([told.code, told.stdout], told.stderr).toEqual([
      0,
      expect.stringContaining('opens with: credential, recovery'),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
    const fresh = readFileSync(at('new.txt'), 'utf8').trim();
    await daemon.stop();
    daemon = await startLocal(appliance);
    expect([daemon.sealed, (await product('after')).status]).toEqual([false, 201]);
    expect((await operator('POST', '/system/backups', { path: at('after.backup') })).status).toBe(200);
    const opened = [old, fresh].map(async (code) => [
      await opensBackup(at('before.backup'), code),
      await opensBackup(at('after.backup'), code),
    ]);
    expect(await Promise.all(opened)).toEqual([
      [true, false],
      [false, true],
    ]);
  });

  it('never runs beside a backup: whichever comes second is refused', async () => {
    const directory = {} as never; // only its identity counts
    let end = (): void => undefined;
    const first = oneAtATime({ directory }, 'another backup is being made', () => {
      return new Promise<void>((resolve) => (end = resolve));
    });
    const parts = { directory } as never; // refused before anything of it is looked at
    const second = rekey(parts, TEST_AUTHORITY, { keep: [], drop: [], add: [] });
    await expect(second).rejects.toThrow('another backup is being made; wait until that is done');
    end();
    await first;
    expect(await oneAtATime({ directory }, 'a third', () => Promise.resolve('done'))).toBe('done');
  });
});

describe('a replacement that could not be finished', () => {
  it('lets nobody change slots, which it would undo', async () => {
    const custody = new Custody({ directory: appliance.data, random: systemRandom });
    const fresh = recovery(readFileSync(at('new.txt'), 'utf8').trim());
    await custody.unseal(fresh);
    const keep = [{ name: 'recovery', secret: fresh }];
    const { journal } = await custody.prepareRekey({ keep, drop: ['credential'], add: [], now: 0 });
    writeFileSync(join(appliance.data, 'rekey.json'), journal);
    const code = generateRecoveryCode(systemRandom).expose();
    const added = await operator('POST', '/system/slots', { secret: { kind: 'recovery', code } });
    expect(codeOf(added)).toEqual([409, 'CONFLICT']);
    expect(codeOf(await operator('DELETE', '/system/slots/credential'))).toEqual([409, 'CONFLICT']);
    rmSync(join(appliance.data, 'rekey.json'));
    expect((await operator('GET', '/system/slots')).body['data']).toMatchObject([
      { name: 'credential' },
      { name: 'recovery' },
    ]);
  });
});

describe('a start after a replacement was interrupted', () => {
  it('waits for a slot that there will be, finishes it before anything is served, and records it', async () => {
    await daemon.stop();
    const custody = new Custody({ directory: appliance.data, random: systemRandom });
    const code = readFileSync(at('new.txt'), 'utf8').trim();
    await custody.unseal(recovery(code));
    const third = generateRecoveryCode(systemRandom);
    const plan = {
      keep: [],
      drop: ['credential', 'recovery'],
      add: [{ name: 'third', secret: recoverySecret(third) }],
    };
    custody.beginRekey(await custody.prepareRekey({ ...plan, now: 0 }));
    await custody[Symbol.asyncDispose]();
    daemon = await startLocal(appliance);
    expect([daemon.sealed, existsSync(join(appliance.data, 'rekey.json'))]).toEqual([true, true]);
    await daemon.stop();
    daemon = await startLocal(appliance, { unsealing: { with: 'recovery', code: third } });
    expect([daemon.sealed, existsSync(join(appliance.data, 'rekey.json'))]).toEqual([false, false]);
    expect((await operator('GET', '/system/slots')).body['data']).toMatchObject([{ name: 'third' }]);
    expect((await product('third')).status).toBe(201);
    await daemon.stop();
    const database = join(appliance.data, 'mintmark.db');
    const { entries, signed, problems } = auditDatabase(database);
    expect([problems, signed]).toEqual([[], entries]);
    const told = entriesOf(database, /^kek\./).map(({ action, actor }) => `${action} (${actor.via})`);
    expect(told).toEqual(['kek.replacing (socket)', 'kek.replaced (socket)', 'kek.replaced (job)']);
    writeFileSync(at('third.txt'), third.expose());
    daemon = await startLocal(appliance, { unsealing: { with: 'recovery', code: third } });
    expect(daemon.sealed).toBe(false);
  });
});
