import { Fault } from '../../faults.ts';

/** How many may wait, and how long. */
export interface TurnLimits {
  readonly most: number;
  readonly waitMs: number;
}

interface Waiting {
  readonly enter: () => void;
  readonly timer: NodeJS.Timeout;
}

/** One at a time, in the order of coming; a line that is too long or too slow turns people away. */
export class Turns {
  readonly #limits: TurnLimits;
  readonly #line = new Set<Waiting>();
  #taken = false;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#line.size;
  }

  /** Does `work` when its turn comes. @throws Fault SIGNER_BUSY when it does not come in time */
  async take<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #enter(): Promise<void> {
    if (!this.#taken) {
      this.#taken = true;
      return Promise.resolve();
    }
    if (this.#line.size >= this.#limits.most) {
      return Promise.reject(busy(`${this.#limits.most} signatures wait already`));
    }
    return new Promise((enter, reject) => {
      const timer = setTimeout(() => {
        this.#line.delete(waiting);
        reject(busy(`the signer was busy for ${this.#limits.waitMs} ms`));
      }, this.#limits.waitMs);
      const waiting: Waiting = { enter, timer };
      this.#line.add(waiting);
    });
  }

  #leave(): void {
    const [next] = this.#line;
    if (next === undefined) {
      this.#taken = false;
      return;
    }
    this.#line.delete(next);
    clearTimeout(next.timer);
    next.enter();
  }
}

function busy(why: string): Fault {
  return new Fault('SIGNER_BUSY', why, { retryAfterMs: 1000 });
}
