import { expect, it } from 'vitest';
import { startLocal } from '../support/local-appliance.ts';
import { checksOut, creates, openDesk, validates } from './desk.ts';

/** operations.md, Drills: new machine, package, backup, one slot; *After a restore*. */
it('disk dead: a backup and the recovery code make an appliance that validates at once, and issues when it was accepted', async () => {
  using desk = await openDesk();
  const daemon = await desk.start();
  expect((await desk.run(['backup', 'create', desk.at('site.backup')])).code).toBe(0);
  expect(await creates(desk, daemon)).toBe('done');
  await daemon.stop();
  const place = desk.at('new-machine');
  const data = `${place}/data`;
  const open = ['--recovery-file', desk.at('recovery.txt'), '--credential', desk.at('new-kek')];
  expect((await desk.run(['backup', 'restore', desk.at('site.backup'), ...open], data)).code).toBe(0);
  const restored = { ...desk.appliance, root: place, data, credential: desk.at('new-kek') };
  const again = await startLocal(restored);
  expect(await validates(desk, again)).toBe('VALID');
  expect([await creates(desk, again), await checksOut(desk, again)]).toEqual(['ROLLED_BACK', 'ROLLED_BACK']);
  await again.stop();
  const slot = ['--credential-file', desk.at('new-kek')];
  const shown = await desk.run(['restore', 'accept', ...slot], data);
  expect(shown.stdout).toMatch(
    /^keys and operators: .*api-key list[^]*backup: .* \(0 h old\)[^]*Nothing was changed/,
  );
  const accepted = await desk.run(['restore', 'accept', ...slot, '--reason', 'disk failed'], data);
  expect(accepted.stdout).toContain('accepted; the new branch is ');
  const last = await startLocal(restored);
  expect([await creates(desk, last), await checksOut(desk, last)]).toEqual(['done', 'done']);
  await last.stop();
});
