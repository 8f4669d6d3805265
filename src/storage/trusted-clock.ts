import { readFileSync } from 'node:fs';
import { Fault } from '../faults.ts';
import { type Clock, DAY, type EpochMs, isoTime, SECOND } from '../lib/clock.ts';
import { believe, type ClockMark, judge, resume, type SuspectReason } from './clock-rules.ts';
import { statement } from './statement.ts';
import type { Reader, Tx } from './tx.ts';
import type { TrustedTime } from './unit-of-work.ts';

/** Lowering trusted time by more than this needs a second person. */
const LOWER_ALONE_MS = DAY;

/** The machine since it was switched on. */
export interface Boot {
  /** Random per boot; empty when the system does not say. */
  id(): string;
  /** Milliseconds since boot, time asleep included. */
  boottime(): number;
}

/** What a trusted clock stands on. */
export interface TrustedClockDeps {
  readonly clock: Clock;
  readonly boot: Boot;
  /** Called once when the clock becomes suspect, from inside `now` or `check`: leave the work for a later turn. */
  readonly onSuspect?: (status: ClockStatus) => void;
  /** Longest stop after which a clock that ran ahead is believed, in milliseconds. */
  readonly maxDowntimeMs?: number;
}

/** What is shown of the clock. */
export interface ClockStatus {
  readonly state: 'ok' | 'suspect';
  readonly reason: SuspectReason | null;
  readonly trusted: EpochMs;
  readonly wall: EpochMs;
  /** Trusted time of the last cause for suspicion or of its end; 0: there never was one. */
  readonly quietSince: EpochMs;
}

/** What an operator is about to accept. */
export interface ClockProposal {
  readonly before: EpochMs;
  readonly after: EpochMs;
  readonly wall: EpochMs;
  readonly reason: SuspectReason | null;
}

const READ = statement()((db) =>
  db
    .selectFrom('clock_mark')
    .select(['trusted', 'wall', 'boot_id', 'boottime', 'suspect', 'quiet_since'])
    .where('id', '=', 1),
);

const WRITE = statement<ClockMark>()((db, p) =>
  db
    .insertInto('clock_mark')
    .values({
      id: 1,
      trusted: p.trusted,
      wall: p.wall,
      boot_id: p.bootId,
      boottime: p.boottime,
      suspect: p.suspect,
      quiet_since: p.quietSince,
    })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({
        trusted: p.trusted,
        wall: p.wall,
        boot_id: p.bootId,
        boottime: p.boottime,
        suspect: p.suspect,
        quiet_since: p.quietSince,
      }),
    ),
);

/** The machine's own boot, as Linux tells it. */
export const systemBoot: Boot = {
  id: () => readText('/proc/sys/kernel/random/boot_id'),
  boottime: () => Math.floor(Number(readText('/proc/uptime').split(' ')[0] ?? '0') * SECOND),
};

/** Takes trusted time up where the last commit left it. */
export function openTrustedClock(reader: Reader, deps: TrustedClockDeps): TrustedClock {
  return new TrustedClock(deps, storedMark(reader));
}

/**
 * Trusted time T: the mark persisted with every commit, carried on by the monotonic clock. It never goes down, except
 * by an operator's word, and a wall clock that disagrees by more than five minutes makes it suspect, not different.
 */
export class TrustedClock implements TrustedTime {
  readonly #deps: TrustedClockDeps;
  readonly #bootId: string;
  /** T, monotonic clock and boot time at one moment: T is counted from there. */
  #from: { readonly trusted: EpochMs; readonly monotonic: number; readonly boottime: number };
  #suspect: SuspectReason | null;
  #quietSince: EpochMs;

  constructor(deps: TrustedClockDeps, mark: ClockMark | null) {
    this.#deps = deps;
    this.#bootId = deps.boot.id();
    const reading = { wall: deps.clock.wall(), bootId: this.#bootId, boottime: deps.boot.boottime() };
    const { trusted, suspect } = resume(mark, reading, deps.maxDowntimeMs);
    this.#from = { trusted, monotonic: deps.clock.monotonic(), boottime: reading.boottime };
    this.#suspect = suspect;
    const fresh = suspect !== null && (mark === null || mark.suspect === null);
    this.#quietSince = fresh ? trusted : (mark?.quietSince ?? 0);
  }

  /** T in milliseconds since the epoch. Looks at the wall clock each time: a step is noticed before it is used. */
  now(): EpochMs {
    const wall = this.#deps.clock.wall();
    let trusted = this.#counted();
    if (wall > trusted && judge(trusted, wall) !== null) trusted = this.#countSleep(trusted);
    const reason = judge(trusted, wall);
    if (reason !== null && this.#suspect === null) this.#enter(reason, trusted);
    return trusted;
  }

  /** Looks at the clocks; called every second by the schedule. */
  check(): ClockStatus {
    const trusted = this.now();
    return {
      state: this.#suspect === null ? 'ok' : 'suspect',
      reason: this.#suspect,
      trusted,
      wall: this.#deps.clock.wall(),
      quietSince: this.#quietSince,
    };
  }

  /** True when the clock has given no cause for suspicion for `settleMs`: what cannot be undone may be done by time. */
  isSettled(settleMs: number): boolean {
    const { state, trusted, quietSince } = this.check();
    return state === 'ok' && (quietSince === 0 || trusted - quietSince >= settleMs);
  }

  /** @throws Fault CLOCK_SUSPECT: for whoever is about to sign or to create. */
  demandTrusted(): void {
    const { reason, trusted, wall } = this.check();
    if (reason === null) return;
    throw new Fault(
      'CLOCK_SUSPECT',
      `the wall clock says ${isoTime(wall)}, trusted time is ${isoTime(trusted)}`,
    );
  }

  /** Stores the mark; the unit of work calls it inside every commit. */
  persist(tx: Tx): void {
    const monotonic = this.#deps.clock.monotonic();
    tx.run(WRITE, {
      trusted: tx.now,
      wall: this.#deps.clock.wall(),
      bootId: this.#bootId,
      boottime: Math.floor(this.#from.boottime + monotonic - this.#from.monotonic),
      suspect: this.#suspect,
      quietSince: this.#quietSince,
    });
  }

  /**
   * What accepting the wall clock would do. Changes nothing.
   * @param allow `lowerByMoreThanADay` needs a second person
   * @throws Fault CLOCK_SUSPECT when T would go back by more than 24 h and that is not allowed
   */
  propose(allow: { readonly lowerByMoreThanADay: boolean }): ClockProposal {
    const { trusted: before, wall, reason } = this.check();
    const after = believe(before, wall);
    if (before - after > LOWER_ALONE_MS && !allow.lowerByMoreThanADay) {
      throw new Fault(
        'CLOCK_SUSPECT',
        `trusted time ${isoTime(before)} would go back by more than 24 h to ${isoTime(after)}; set the clock right first`,
      );
    }
    return { before, after, wall, reason };
  }

  /** Takes the wall clock as right; called when the entry that says so is durable. */
  accept(proposal: ClockProposal): void {
    const { clock, boot } = this.#deps;
    const since = clock.wall() - proposal.wall;
    // Time went on while the entry was written; a clock that was set again meanwhile is judged anew.
    const trusted = proposal.after + Math.min(Math.max(since, 0), SECOND);
    this.#from = { trusted, monotonic: clock.monotonic(), boottime: boot.boottime() };
    this.#suspect = null;
    this.#quietSince = trusted;
  }

  #counted(): EpochMs {
    const { trusted, monotonic } = this.#from;
    return trusted + Math.floor(this.#deps.clock.monotonic() - monotonic);
  }

  /** The monotonic clock stands still while a machine sleeps, the boot clock does not. */
  #countSleep(trusted: EpochMs): EpochMs {
    const boottime = this.#deps.boot.boottime();
    const awake = Math.max(trusted, this.#from.trusted + Math.floor(boottime - this.#from.boottime));
    this.#from = { trusted: awake, monotonic: this.#deps.clock.monotonic(), boottime };
    return awake;
  }

  #enter(reason: SuspectReason, trusted: EpochMs): void {
    this.#suspect = reason;
    this.#quietSince = trusted;
    const status = { state: 'suspect', reason, trusted, wall: this.#deps.clock.wall() } as const;
    this.#deps.onSuspect?.({ ...status, quietSince: trusted });
  }
}

function storedMark(reader: Reader): ClockMark | null {
  const row = reader.get(READ, {});
  if (row === undefined) return null;
  const { boot_id: bootId, quiet_since: quietSince, suspect, ...times } = row;
  return { ...times, bootId, quietSince, suspect: suspect as SuspectReason | null }; // written by persist alone
}

/** A system without this file does not say; the mark then counts as one of another boot. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
