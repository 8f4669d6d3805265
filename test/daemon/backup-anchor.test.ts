import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { slotSecret } from '../../src/custody/index.ts';
import { unpackBackup } from '../../src/daemon/backup.ts';
import { parseCheckpoint } from '../../src/ledger/checkpoint.ts';
import { send, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { sendAsOperator } from '../support/operator-socket.ts';

describe('a backup under traffic', () => {
  it('never holds an anchor that is ahead of its database: it would be taken for one that was put back', async () => {
    using directory = temporaryDirectory();
    const daemon = await startDaemon(join(directory.path, 'appliance'));
    let going = true;
    const key = { name: 'signed before it is answered', scopes: ['licenses:read'] };
    const busy = Array.from({ length: 8 }, async () => {
      const target = { url: daemon.url, key: daemon.live.secretKey };
      while (going) await send(target, { method: 'POST', path: '/api-keys', body: key });
    });
    try {
      const secret = slotSecret({ with: 'credential', path: join(daemon.dir, 'kek') }, '');
      for (let round = 0; round < 3; round++) {
        const [path, into] = ['backup', 'unpacked'].map((name) =>
          join(directory.path, `${String(round)}.${name}`),
        );
        const body = { path };
        const made = await sendAsOperator(join(daemon.dir, 'data'), {
          method: 'POST',
          path: '/system/backups',
          body,
        });
        expect(made.status).toBe(200);
        mkdirSync(String(into));
        await unpackBackup(String(path), secret, String(into));
        const anchor = parseCheckpoint(readFileSync(join(String(into), 'anchor'), 'utf8'));
        const database = new Database(join(String(into), 'mintmark.db'), { readonly: true });
        const { entries } = database.prepare('SELECT count(*) AS entries FROM ledger_entries').get() as {
          entries: number;
        };
        database.close();
        expect(anchor.size).toBeLessThanOrEqual(entries);
      }
    } finally {
      going = false;
      await Promise.allSettled(busy);
      await daemon.stop();
    }
  });
});
