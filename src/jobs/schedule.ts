import type { Clock } from '../lib/clock.ts';

/** A piece of timed work. Features list theirs in their `jobs.ts`. */
export interface Job {
  /** Stable name; also the actor under which it writes. */
  readonly name: string;
  /** Time between the end of one run and the start of the next, in milliseconds. */
  readonly everyMs: number;
  /** Does one run, in slices if it is long. What it throws is logged, and the next run comes all the same. */
  readonly run: () => Promise<void>;
  /** Whether it may run now; asked before each run. Absent: always. */
  readonly mayRun?: () => boolean;
}

/** What the schedule needs. */
export interface ScheduleDeps {
  readonly clock: Clock;
  readonly onError: (job: string, error: unknown) => void;
}

/** When a job last ran, for `status` and metrics. */
export interface JobReport {
  readonly name: string;
  readonly runs: number;
  readonly failures: number;
  /** Monotonic milliseconds of the last run's end, or null. */
  readonly lastEnd: number | null;
}

/**
 * The one owner of timers. A job never overlaps itself; `stop` lets running ones end and starts no more.
 */
export class Schedule {
  readonly #deps: ScheduleDeps;
  readonly #entries: Entry[] = [];
  #stopped = false;

  constructor(deps: ScheduleDeps) {
    this.#deps = deps;
  }

  /** Starts timing a job; its first run comes after one interval. */
  add(job: Job): void {
    const entry: Entry = { job, timer: undefined, running: null, runs: 0, failures: 0, lastEnd: null };
    this.#entries.push(entry);
    this.#arm(entry);
  }

  /** One line per job. */
  report(): JobReport[] {
    return this.#entries.map(({ job, runs, failures, lastEnd }) => ({
      name: job.name,
      runs,
      failures,
      lastEnd,
    }));
  }

  /** Ends all timers and waits for the runs under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const entry of this.#entries) clearTimeout(entry.timer);
    await Promise.all(this.#entries.flatMap(({ running }) => (running === null ? [] : [running])));
  }

  #arm(entry: Entry): void {
    if (this.#stopped) return;
    entry.timer = setTimeout(() => {
      entry.running = this.#run(entry);
    }, entry.job.everyMs);
    // A waiting timer alone does not keep the process alive.
    entry.timer.unref();
  }

  async #run(entry: Entry): Promise<void> {
    const { job } = entry;
    try {
      if (job.mayRun === undefined || job.mayRun()) {
        entry.runs += 1;
        await job.run();
      }
    } catch (error) {
      entry.failures += 1;
      this.#deps.onError(job.name, error);
    } finally {
      entry.lastEnd = this.#deps.clock.monotonic();
      entry.running = null;
      this.#arm(entry);
    }
  }
}

interface Entry {
  readonly job: Job;
  timer: NodeJS.Timeout | undefined;
  running: Promise<void> | null;
  runs: number;
  failures: number;
  lastEnd: number | null;
}
