import { join } from 'node:path';
import { expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { Database } from '../../src/storage/database.ts';
import { mintmark } from '../cli/run-cli.ts';
import { startDaemon, temporaryDirectory } from '../support/daemon.ts';

const JOB = 'revoke-lapsed-licenses';

/** What the sweep leaves when it would revoke too many: it runs once a minute, longer than a test should take. */
function hold(file: string): void {
  const database = Database.openWriter(file);
  const { native } = database;
  const live = native.prepare("SELECT realm_id FROM realms WHERE environment = 'live'").pluck().get();
  native.prepare("INSERT INTO job_state VALUES (?, 'held', 0)").run(`${JOB}:${String(live)}`);
  database.close();
}

it('a held sweep is shown by status and released once, in the realm that is named', async () => {
  using directory = temporaryDirectory();
  const appliance = join(directory.path, 'appliance');
  const first = await startDaemon(appliance);
  const data = join(first.dir, 'data');
  expect(await first.stop()).toBe(0);
  hold(join(data, 'mintmark.db'));
  const daemon = await startDaemon(appliance);
  const run = (...args: string[]) => mintmark([...args, '--data-dir', data]);
  try {
    expect((await run('status')).stdout).toMatch(/held sweeps:\s+revoke-lapsed-licenses \(\w+\/live\)/);
    expect((await run('sweep', 'list')).stdout).toMatch(/revoke-lapsed-licenses\s+\w+\s+live/);
    const elsewhere = await run('sweep', 'release', JOB, '--environment', 'test');
    expect(elsewhere).toMatchObject({
      code: EXIT.refused,
      stderr: expect.stringContaining('not held') as string,
    });
    const released = await run('sweep', 'release', JOB, '--environment', 'live', '--json');
    expect(JSON.parse(released.stdout)).toMatchObject({ data: { job: JOB, environment: 'live' } });
    expect((await run('status')).stdout).not.toContain('held sweeps');
    const again = await run('sweep', 'release', JOB, '--environment', 'live');
    expect(again.code).toBe(EXIT.refused);
    const unknown = await run('sweep', 'release', 'no-such-sweep', '--environment', 'live');
    expect(unknown.code).not.toBe(EXIT.ok);
  } finally {
    expect(await daemon.stop()).toBe(0);
  }
});
