import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mintmark, type Transcript } from '../cli/run-cli.ts';
import { temporaryDirectory } from '../support/daemon.ts';
import { makeLocalAppliance, startLocal } from '../support/local-appliance.ts';

/** operations.md, Drills: any other slot opens; `keys slot add passphrase`. */
it('passphrase forgotten: the recovery code opens the appliance, and a new passphrase opens it from then on', async () => {
  using desk = temporaryDirectory();
  const at = (name: string): string => join(desk.path, name);
  const appliance = await makeLocalAppliance(desk.path, {
    attended: true,
    passphrase: 'nobody remembers these seven words any more',
  });
  writeFileSync(at('recovery.txt'), appliance.recoveryCode.expose());
  writeFileSync(at('new.txt'), 'eleven herons polish a quiet brass trumpet');
  const run = (...args: readonly string[]): Promise<Transcript> =>
    mintmark([...args, '--data-dir', appliance.data]);
  const daemon = await startLocal(appliance);
  expect((await run('unseal', '--passphrase-file', at('new.txt'))).stderr).toContain('SLOT_SECRET_WRONG');
  expect((await run('unseal', '--recovery-file', at('recovery.txt'))).stdout).toBe('unsealed\n');
  expect((await run('keys', 'slot', 'remove', 'passphrase')).code).toBe(0);
  expect((await run('keys', 'slot', 'add', 'passphrase', '--passphrase-file', at('new.txt'))).code).toBe(0);
  await daemon.stop();
  const again = await startLocal(appliance);
  expect(again.sealed).toBe(true);
  expect((await run('unseal', '--passphrase-file', at('new.txt'))).stdout).toBe('unsealed\n');
  expect((await run('product', 'list')).code).toBe(0);
  await again.stop();
});
