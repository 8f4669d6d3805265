import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { startLocal } from '../support/local-appliance.ts';
import { checksOut, creates, openDesk, stateOf, validates } from './desk.ts';

const YEAR = 365 * 86_400_000;

/** operations.md, Drills: clock-suspect; validation at trusted time; setting it right, or `clock set-trusted`. */
describe.each([
  { what: 'battery dead: 1970', by: -systemClock.wall() },
  { what: 'set years ahead', by: 20 * YEAR },
])('clock $what', ({ by }) => {
  it('signs nothing and ends nothing while it is wrong, and goes on when it was set right', async () => {
    using desk = await openDesk();
    const wrong = { ...systemClock, wall: () => systemClock.wall() + by };
    const daemon = await startLocal(desk.appliance, { clock: wrong });
    expect(await stateOf(desk)).toBe('clock-suspect');
    expect(await validates(desk, daemon)).toBe('VALID');
    expect([await creates(desk, daemon), await checksOut(desk, daemon)]).toEqual([
      'CLOCK_SUSPECT',
      'CLOCK_SUSPECT',
    ]);
    await daemon.stop();
    // The operator sets the clock, and says at the console that it is right now.
    const again = await desk.start();
    expect((await desk.run(['clock', 'set-trusted', '--reason', 'battery changed'])).code).toBe(0);
    expect([await stateOf(desk), await creates(desk, again)]).toEqual(['ready', 'done']);
    expect(await validates(desk, again)).toBe('VALID');
    await again.stop();
  });
});
