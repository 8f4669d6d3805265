import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { serveAppliance } from '../support/appliance-process.ts';
import { send } from '../support/daemon.ts';
import { MACHINE, openDesk } from './desk.ts';

/** Another machine id, in a mount namespace of its own: what the copy of a machine has after its first start. */
const AS_OTHER = (file: string): string[] => [
  ...['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/machine-id && exec "$@"', file],
];
const isMissing = spawnSync('unshare', ['--mount', 'true']).status !== 0;

/** operations.md, Drills: clone-suspect on the one that moved; `instance accept --moved` on one, the other is wiped. */
it.skipIf(isMissing)(
  `VM cloned: the copy validates and issues nothing, until somebody says that it is the one${isMissing ? ': NOT TRIED, no mount namespaces here' : ''}`,
  async () => {
    using desk = await openDesk();
    writeFileSync(desk.at('machine-id'), '0123456789abcdef0123456789abcdef\n');
    const made = { data: desk.appliance.data, credential: String(desk.appliance.credential) };
    const program = AS_OTHER(desk.at('machine-id'));
    const copy = await serveAppliance(made, [], { program });
    const target = { url: copy.url, key: desk.appliance.secretKey.expose() };
    const validated = await send(target, {
      ...{ method: 'POST', path: '/licenses/validate-key' },
      body: { key: desk.license.key, ...MACHINE },
    });
    expect(validated.body['data']).toMatchObject({ code: 'VALID' });
    const refused = await send(target, { method: 'POST', path: '/licenses', body: desk.stock });
    expect([refused.status, refused.body['code']]).toEqual([503, 'CLONE_SUSPECT']);
    expect(await copy.stop()).toBe(0);
    const [command = '', ...flags] = program;
    const accept = [
      'instance',
      'accept',
      '--moved',
      '--reason',
      'the other was wiped',
      '--data-dir',
      made.data,
    ];
    const accepted = spawnSync(
      command,
      [...flags, 'scripts/mintmark', ...accept, '--credential-file', made.credential],
      {
        cwd: new URL('../..', import.meta.url),
        env: { ...process.env, MINTMARK_CONFIG: '/dev/null' },
        encoding: 'utf8',
      },
    );
    expect(accepted.stdout).toContain('accepted; the new branch is ');
    // The machine it came from is the copy now.
    const old = await desk.start();
    const here = await desk.to(old).post('/licenses', desk.stock);
    expect([here.status, here.body['code']]).toEqual([503, 'CLONE_SUSPECT']);
    await old.stop();
  },
);
