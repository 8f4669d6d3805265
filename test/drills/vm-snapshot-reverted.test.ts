import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { checksOut, creates, openDesk, stateOf, validates } from './desk.ts';

/** operations.md, Drills: rolled-back by any anchor off the disk; without one it is not noticed. */
it('VM snapshot reverted: an anchor off the disk notices it; nothing is issued until the loss was accepted', async () => {
  using desk = await openDesk();
  const anchors = { 'ledger.anchors': [desk.at('stick')] };
  const sets = ['--set', `ledger.anchors=${desk.at('stick')}`];
  execFileSync('cp', ['-a', desk.appliance.data, desk.at('snapshot')]);
  const daemon = await desk.start(anchors);
  expect([await creates(desk, daemon), await checksOut(desk, daemon)]).toEqual(['done', 'done']);
  await daemon.stop();
  rmSync(desk.appliance.data, { recursive: true });
  execFileSync('cp', ['-a', desk.at('snapshot'), desk.appliance.data]);
  const reverted = await desk.start(anchors);
  expect(await stateOf(desk)).toBe('rolled-back');
  expect(await validates(desk, reverted)).toBe('VALID');
  expect([await creates(desk, reverted), await checksOut(desk, reverted)]).toEqual([
    'ROLLED_BACK',
    'ROLLED_BACK',
  ]);
  await reverted.stop();
  const slot = ['--credential-file', String(desk.appliance.credential)];
  const accepted = await desk.run(['restore', 'accept', ...slot, ...sets, '--reason', 'snapshot of Monday']);
  expect(accepted.stdout).toMatch(/entries lost: +[1-9]\d*/);
  const again = await desk.start(anchors);
  expect([await stateOf(desk), await creates(desk, again)]).toEqual(['ready', 'done']);
  await again.stop();
});

it('VM snapshot reverted: without an anchor off the disk it is not noticed, as the page says', async () => {
  using desk = await openDesk();
  execFileSync('cp', ['-a', desk.appliance.data, desk.at('snapshot')]);
  const daemon = await desk.start();
  expect(await creates(desk, daemon)).toBe('done');
  await daemon.stop();
  rmSync(desk.appliance.data, { recursive: true });
  execFileSync('cp', ['-a', desk.at('snapshot'), desk.appliance.data]);
  const reverted = await desk.start();
  expect(await stateOf(desk)).toBe('ready');
  await reverted.stop();
});
