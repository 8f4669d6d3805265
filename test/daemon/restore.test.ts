import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { restoreBackup } from '../../src/daemon/restore.ts';
import { silentLog } from '../../src/http/log.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { temporaryDirectory } from '../support/daemon.ts';

describe('a restore that fails', () => {
  it('leaves the directory it was given as it was: there, and empty', async () => {
    using directory = temporaryDirectory();
    const root = join(directory.path, 'data');
    const path = join(directory.path, 'no.backup');
    const kek = join(directory.path, 'kek');
    mkdirSync(root, { mode: 0o700 });
    writeFileSync(path, 'not a backup of this program');
    writeFileSync(kek, Buffer.alloc(32), { mode: 0o600 });
    const { config } = loadConfig({ file: '/dev/null', environment: {}, flags: { 'data.directory': root } });
    const given = {
      path,
      config,
      unsealing: { with: 'credential', path: kek },
      credentialPath: undefined,
    } as const;
    const around = { clock: systemClock, random: systemRandom, log: silentLog, onFatal: () => undefined };
    await expect(restoreBackup(given, around)).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
    expect(readdirSync(root)).toEqual([]);
  });
});
