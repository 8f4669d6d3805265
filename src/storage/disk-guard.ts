import { statfsSync } from 'node:fs';
import type { Ballast } from './ballast.ts';

/** Left only with this much more than the reserve, so that a disk on the edge does not change its state every second. */
const HYSTERESIS = 1.1;

/** Room on the disk of the data directory. */
export interface DiskStatus {
  readonly state: 'ok' | 'full';
  readonly freeBytes: number;
  readonly reserveBytes: number;
  readonly ballast: 'held' | 'freed';
}

/** What the guard watches. */
export interface DiskGuardDeps {
  readonly ballast: Ballast;
  /** Below this much free space the appliance takes no further writes but those that clean up. */
  readonly reserveBytes: number;
  /** Free bytes that this user may use. */
  readonly freeBytes: () => number;
  /** True while SQLite itself was refused room (`UnitOfWork.diskFull`). */
  readonly writesFail: () => boolean;
}

/** Free bytes of the file system that holds `directory`, as far as this user may use them. */
export function freeBytesOf(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

/**
 * Notices a disk that runs full before writes fail. On entering it gives up the ballast, so that clean-up can run; when
 * there is room for both again, it takes the ballast back.
 */
export class DiskGuard {
  readonly #deps: DiskGuardDeps;
  #state: DiskStatus['state'] = 'ok';

  constructor(deps: DiskGuardDeps) {
    this.#deps = deps;
  }

  /** As the last look found it. */
  get state(): DiskStatus['state'] {
    return this.#state;
  }

  /** Looks at the disk; called every second by the schedule, and at start. */
  async check(): Promise<DiskStatus> {
    const { ballast, reserveBytes, freeBytes, writesFail } = this.#deps;
    const hadBallast = ballast.held;
    const free = freeBytes();
    // What the ballast gave is lent: without it the disk would be as full as before.
    const own = hadBallast ? free : free - ballast.bytes;
    const needed = this.#state === 'full' ? reserveBytes * HYSTERESIS : reserveBytes;
    this.#state = writesFail() || own < needed ? 'full' : 'ok';
    if (this.#state === 'full') ballast.free();
    else if (!hadBallast) await ballast.hold();
    return { state: this.#state, freeBytes: free, reserveBytes, ballast: ballast.held ? 'held' : 'freed' };
  }
}
