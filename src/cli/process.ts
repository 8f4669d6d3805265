import { readFileSync } from 'node:fs';
import { JsonLog, type Log, type LogLevel, silentLog } from '../http/log.ts';
import { systemClock } from '../lib/clock.ts';
import { systemRandom } from '../lib/random.ts';
import type { Surroundings } from '../daemon/parts.ts';
import { EXIT } from './exit-code.ts';

/** The machine's own clock and randomness, and a log. */
export function surroundings(log: Log): Surroundings {
  return {
    clock: systemClock,
    random: systemRandom,
    log,
    // Whoever waits for an answer asks again after the restart and gets the truth from the file itself.
    onFatal: (error) => {
      log.error('the disk cannot be trusted; ending without answering', { error });
      process.exit(EXIT.internal);
    },
  };
}

/** The log of a daemon: JSON lines on standard output. */
export function daemonLog(level: LogLevel): JsonLog {
  return new JsonLog({ sink: process.stdout, clock: systemClock, level });
}

/** For commands that open an appliance themselves and report in their own words. */
export const commandLog: Log = silentLog;

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const signals = ['SIGTERM', 'SIGINT'] as const;
    for (const signal of signals) {
      process.once(signal, () => {
        resolve(signal);
        process.once(signal, () => process.exit(EXIT.internal));
      });
    }
  });
}

/** Whether the file descriptor of standard output leads into a journal or a pipe rather than to a person. */
export function isTerminal(): boolean {
  return process.stdout.isTTY;
}

/** Reads a small file that must be there; `name` says what it is. */
export function readSmallFile(path: string): string {
  return readFileSync(path, 'utf8').trim();
}
