import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY, HOUR, MINUTE, SECOND } from '../../src/lib/clock.ts';
import { type ClockMark, TOLERANCE_MS } from '../../src/storage/clock-rules.ts';
import { setClockTrusted } from '../../src/storage/set-clock-trusted.ts';
import {
  type Boot,
  type ClockStatus,
  openTrustedClock,
  systemBoot,
  TrustedClock,
} from '../../src/storage/trusted-clock.ts';
import { UnitOfWork } from '../../src/storage/unit-of-work.ts';
import { HeldClock, NOON } from '../support/held-clock.ts';
import { openTestStorage, type TestStorage, testAuthority } from '../support/storage.ts';

/** A machine: its boot clock runs with the held clock, and also while it sleeps. */
class Machine implements Boot {
  readonly clock = new HeldClock();
  #boot = 1;
  #offset: number = HOUR;

  id(): string {
    return `boot-${String(this.#boot)}`;
  }

  boottime(): number {
    return this.clock.monotonic() + this.#offset;
  }

  sleep(ms: number): void {
    this.#offset += ms;
    this.clock.setWall(this.clock.wall() + ms);
  }

  reboot(): void {
    this.#boot += 1;
    this.#offset = -this.clock.monotonic();
  }
}

function clockOf(machine: Machine, mark: ClockMark | null = null): TrustedClock {
  return new TrustedClock({ clock: machine.clock, boot: machine }, mark);
}

describe('trusted time while running', () => {
  it('goes on with the monotonic clock, whatever the wall clock does', () => {
    const machine = new Machine();
    const clock = clockOf(machine);
    machine.clock.advance(10 * SECOND);
    machine.clock.setWall(NOON + 4 * MINUTE);
    expect(clock.now()).toBe(NOON + 10 * SECOND);
    machine.clock.setWall(0);
    expect(clock.now()).toBe(NOON + 10 * SECOND);
    machine.clock.advance(SECOND);
    expect(clock.now()).toBe(NOON + 11 * SECOND);
  });

  it.each([
    ['ahead by more than 5 min', 5 * MINUTE + 1, 'wall-ahead'],
    ['behind by more than 5 min', -5 * MINUTE - 1, 'wall-behind'],
    ['back in 1970', -NOON, 'wall-behind'],
    ['in 2040', Date.UTC(2040, 0, 1) - NOON, 'wall-ahead'],
  ] as const)('is suspect with a wall clock %s, and tells once', (_, step, reason) => {
    const machine = new Machine();
    const told: ClockStatus[] = [];
    const clock = new TrustedClock(
      { clock: machine.clock, boot: machine, onSuspect: (status) => told.push(status) },
      null,
    );
    machine.clock.setWall(NOON + step);
    clock.now();
    clock.now();
    expect(told).toEqual([{ state: 'suspect', reason, trusted: NOON, wall: NOON + step, quietSince: NOON }]);
    expect(() => clock.demandTrusted()).toThrow(expect.objectContaining({ code: 'CLOCK_SUSPECT' }) as Error);
  });

  it('adds up small steps: a clock creeping ahead is noticed', () => {
    const machine = new Machine();
    const clock = clockOf(machine);
    machine.clock.setWall(NOON + 4 * MINUTE);
    expect(clock.check().state).toBe('ok');
    machine.clock.setWall(NOON + 8 * MINUTE);
    expect(clock.check().reason).toBe('wall-ahead');
  });

  it('stays suspect when the wall clock comes back: only an operator ends it', () => {
    const machine = new Machine();
    const clock = clockOf(machine);
    machine.clock.setWall(NOON + DAY);
    clock.now();
    machine.clock.setWall(NOON);
    expect(clock.check().state).toBe('suspect');
  });

  it('takes a sleeping machine for what it is', () => {
    const machine = new Machine();
    const clock = clockOf(machine);
    machine.sleep(3 * HOUR);
    expect(clock.check()).toMatchObject({ state: 'ok', trusted: NOON + 3 * HOUR });
  });

  it('is settled from the start, and again a day after a suspicion has ended', () => {
    const machine = new Machine();
    const clock = clockOf(machine);
    expect(clock.isSettled(DAY)).toBe(true);
    machine.clock.setWall(NOON + HOUR);
    clock.now();
    expect(clock.isSettled(DAY)).toBe(false);
    clock.accept(clock.propose({ lowerByMoreThanADay: false }));
    machine.clock.advance(DAY - 1);
    expect(clock.isSettled(DAY)).toBe(false);
    machine.clock.advance(1);
    expect(clock.isSettled(DAY)).toBe(true);
  });

  it('does not go back by more than a day on one word', () => {
    const machine = new Machine();
    const clock = clockOf(machine);
    machine.clock.setWall(NOON - DAY - SECOND);
    expect(() => clock.propose({ lowerByMoreThanADay: false })).toThrow('set the clock right first');
    expect(clock.propose({ lowerByMoreThanADay: true }).after).toBe(NOON - DAY - SECOND);
  });
});

function workOn(storage: TestStorage, clock: TrustedClock): UnitOfWork<{ readonly size: number }> {
  const { database, journal } = storage;
  return new UnitOfWork({ database, journal, time: clock, onFatal: () => undefined, monotonic: () => 0 });
}

describe('the mark in the database', () => {
  it('is stored with every commit, and the next process goes on from it', async () => {
    await using storage = await openTestStorage();
    const machine = new Machine();
    const clock = openTrustedClock(storage.work.read, { clock: machine.clock, boot: machine });
    machine.clock.advance(MINUTE);
    expect(await workOn(storage, clock).keep('test', (tx) => tx.now)).toBe(NOON + MINUTE);
    machine.clock.advance(HOUR);
    machine.clock.setWall(NOON + MINUTE + HOUR + 2 * SECOND);
    const next = openTrustedClock(storage.work.read, { clock: machine.clock, boot: machine });
    expect(next.check()).toMatchObject({ state: 'ok', trusted: NOON + MINUTE + HOUR });
  });

  it('keeps a suspicion over a reboot, until the operator ends it with an entry', async () => {
    await using storage = await openTestStorage();
    const machine = new Machine();
    const clock = openTrustedClock(storage.work.read, { clock: machine.clock, boot: machine });
    machine.clock.setWall(NOON + DAY);
    await workOn(storage, clock).keep('test', () => undefined);
    machine.reboot();
    const after = openTrustedClock(storage.work.read, { clock: machine.clock, boot: machine });
    expect(after.check().state).toBe('suspect');

    const work = workOn(storage, after);
    await setClockTrusted({ work, clock: after }, testAuthority(null), {
      reason: 'battery replaced',
      lowerByMoreThanADay: false,
    });
    expect(after.check()).toMatchObject({ state: 'ok', trusted: NOON + DAY });
    const stored = storage.database.native.prepare('SELECT suspect, trusted FROM clock_mark').get();
    expect(stored).toEqual({ suspect: null, trusted: NOON + DAY });
    const entry = storage.database.native
      .prepare('SELECT bytes FROM ledger_entries ORDER BY position DESC')
      .pluck()
      .get();
    expect(JSON.parse(String(entry))).toMatchObject({ action: 'clock.trusted', outcome: 'done' });
  });

  it('reads the boot of this machine', () => {
    expect(systemBoot.id()).toMatch(/^[0-9a-f-]{36}$/);
    const first = systemBoot.boottime();
    expect(first).toBeGreaterThan(0);
    expect(systemBoot.boottime()).toBeGreaterThanOrEqual(first);
  });
});

type Act =
  | { readonly act: 'advance' | 'sleep'; readonly ms: number }
  | { readonly act: 'step'; readonly ms: number }
  | { readonly act: 'restart' | 'reboot' | 'accept' };

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    fc.record({ act: fc.constantFrom('advance', 'sleep'), ms: fc.integer({ min: 0, max: 3 * DAY }) }),
    fc.record({ act: fc.constant('step'), ms: fc.integer({ min: -40 * DAY, max: 40 * DAY }) }),
    fc.record({ act: fc.constant('step'), ms: fc.integer({ min: -6 * MINUTE, max: 6 * MINUTE }) }),
    fc.record({ act: fc.constantFrom('restart', 'reboot', 'accept') }),
  ), // the three records are the three members of the union
  { maxLength: 40 },
);

/** Lives through the acts; the mark of a restart is what the last commit stored. */
function live(machine: Machine, run: readonly Act[], look: (clock: TrustedClock, act: Act) => void): void {
  let clock = clockOf(machine);
  for (const act of run) {
    const before = clock.check();
    const mark: ClockMark = {
      trusted: before.trusted,
      wall: before.wall,
      bootId: machine.id(),
      boottime: machine.boottime(),
      suspect: before.reason,
      quietSince: before.quietSince,
    };
    if (act.act === 'advance') machine.clock.advance(act.ms);
    else if (act.act === 'sleep') machine.sleep(act.ms);
    else if (act.act === 'step') machine.clock.setWall(machine.clock.wall() + act.ms);
    else if (act.act === 'accept') clock.accept(clock.propose({ lowerByMoreThanADay: true }));
    else {
      if (act.act === 'reboot') machine.reboot();
      clock = clockOf(machine, mark);
    }
    look(clock, act);
  }
}

describe('trusted time, whatever happens', () => {
  it('never goes down but by the word of an operator', () => {
    fc.assert(
      fc.property(acts, (run) => {
        let last = 0;
        live(new Machine(), run, (clock, act) => {
          const now = clock.now();
          if (act.act !== 'accept') expect(now).toBeGreaterThanOrEqual(last);
          last = now;
        });
      }),
      { numRuns: 1000 },
    );
  });

  it('is within 5 min of the wall clock, or suspect', () => {
    fc.assert(
      fc.property(acts, (run) => {
        const machine = new Machine();
        live(machine, run, (clock) => {
          const { state, trusted, wall } = clock.check();
          if (state === 'ok') expect(Math.abs(trusted - wall)).toBeLessThanOrEqual(TOLERANCE_MS);
        });
      }),
      { numRuns: 1000 },
    );
  });
});
