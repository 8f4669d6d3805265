import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningDaemon, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { sendAsOperator } from '../support/operator-socket.ts';

describe('the operator', () => {
  const directory = temporaryDirectory();
  let daemon: RunningDaemon;
  beforeAll(async () => {
    daemon = await startDaemon(join(directory.path, 'appliance'));
  });
  afterAll(async () => {
    await daemon.stop();
    directory[Symbol.dispose]();
  });
  const data = () => join(daemon.dir, 'data');
  const ask = (path: string, body: object) => sendAsOperator(data(), { method: 'POST', path, body });
  const backUp = (path: string) => ask('/system/backups', { path });

  it('makes one backup at a time, each of them with the whole database', async () => {
    // A copy is packed closer than what it is of, but an empty one is none.
    const most = statSync(join(data(), 'mintmark.db')).size / 2;
    // The later ones come while the first copies, and while it packs: both lost it its copy, unnoticed.
    const answers = await Promise.all(
      Array.from({ length: 12 }, async (_, i) => {
        await new Promise((resolve) => setTimeout(resolve, i * 20));
        return backUp(join(directory.path, `${String(i)}.backup`));
      }),
    );
    const made = answers.filter(({ status }) => status === 200);
    expect(made.length).toBeGreaterThan(0);
    for (const { body } of made) {
      expect((body['data'] as { bytes: number }).bytes).toBeGreaterThan(most);
    }
    for (const { status, body } of answers.filter((answer) => !made.includes(answer))) {
      expect([status, body['code']]).toEqual([409, 'CONFLICT']);
    }
  });

  it('never puts a backup beside what it is of, nor where nobody would look for it', async () => {
    for (const path of [join(data(), 'mintmark.db'), join(data(), 'keys', 'x'), 'x.backup', '/a\0b']) {
      const { status, body } = await backUp(path);
      expect([path, status, body['code']]).toEqual([path, 422, 'VALIDATION_FAILED']);
    }
  });

  it('never writes a backup over a file, and says so of a directory that is not there', async () => {
    const taken = join(directory.path, 'notes.txt');
    writeFileSync(taken, 'mine');
    const over = await backUp(taken);
    expect([over.status, over.body['code']]).toEqual([409, 'FILE_EXISTS']);
    expect(readFileSync(taken, 'utf8')).toBe('mine');
    const astray = await backUp(join(directory.path, 'absent', 'x.backup'));
    expect([astray.status, astray.body['code']]).toEqual([422, 'VALIDATION_FAILED']);
    expect(astray.body['detail']).toContain('is missing');
  });

  it('gets the ledger of one tenant only when one is named, never that of all instead', async () => {
    const tenant = { method: 'POST', path: '/tenants', body: { name: 'Globex', code: 'globex' } };
    expect((await sendAsOperator(data(), tenant)).status).toBe(201);
    const wanted = { directory: join(directory.path, 'export'), realmOnly: true };
    expect((await ask('/system/audit-exports', wanted)).body['code']).toBe('REALM_REQUIRED');
  });
});
