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
    logLinesDropped: () => (log instanceof JsonLog ? log.dropped : 0),
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

/** Longer than a service manager needs to read the last lines, and short enough for whoever waits for the end. */
const LAST_LINES_MS = 1000;

/**
 * Ends a process whose work is done, with exit code 0: neither a handle that somebody forgot nor a reader of its log that
 * has stopped reading keeps it.
 */
export async function endProcess(log: JsonLog): Promise<never> {
  await log.end(LAST_LINES_MS);
  process.exit(EXIT.ok);
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
