import type { Clock } from '../lib/clock.ts';
import { isoTime } from '../lib/clock.ts';

/**
 * `debug`: what a developer wants to see; `info`: what happened, one line a request; `warn`: works, but somebody should
 * look; `error`: did not work, and somebody must look.
 */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

/** A level of the log. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What stands beside a message. Never a secret, a query string, or a path with its values. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where a part says what happens: a constant message, and fields beside it. */
export type Log = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

/** Where lines go: standard output, or a test's own. */
export interface LogSink {
  /** False when the reader does not keep up. */
  write(text: string): boolean;
}

/** Lines are handed over together: one system call for many requests. */
const FLUSH_CHARACTERS = 32 * 1024;
const FLUSH_AFTER_MS = 50;
/** A reader that has stopped reading costs this much memory, then lines below `warn`, which are counted. */
const BACKLOG_CHARACTERS = 4 * 1024 * 1024;
const STACK_DEPTH = 4;

/** JSON lines: `{ time, level, message, … }`. */
export class JsonLog implements Log {
  readonly #sink: LogSink;
  readonly #clock: Clock;
  readonly #least: number;
  #lines: string[] = [];
  #characters = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #slow = false;
  #lastTime = Number.NaN;
  #lastText = '';

  constructor(to: { readonly sink: LogSink; readonly clock: Clock; readonly level: LogLevel }) {
    this.#sink = to.sink;
    this.#clock = to.clock;
    this.#least = LOG_LEVELS.indexOf(to.level);
  }

  readonly debug = (message: string, fields?: LogFields): void => this.#add('debug', message, fields);
  readonly info = (message: string, fields?: LogFields): void => this.#add('info', message, fields);
  readonly warn = (message: string, fields?: LogFields): void => this.#add('warn', message, fields);
  readonly error = (message: string, fields?: LogFields): void => this.#add('error', message, fields);

  /** Hands over everything that waits; at stop, and after anything worse than `info`. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.length === 0) return;
    if (this.#dropped > 0)
      this.#lines.push(this.#line('warn', 'log lines were dropped', { count: this.#dropped }));
    const text = this.#lines.join('');
    this.#lines = [];
    this.#characters = 0;
    this.#dropped = 0;
    this.#slow = !this.#sink.write(text);
  }

  #add(level: LogLevel, message: string, fields?: LogFields): void {
    if (LOG_LEVELS.indexOf(level) < this.#least) return;
    const urgent = level === 'warn' || level === 'error';
    if (!urgent && this.#characters > BACKLOG_CHARACTERS) {
      this.#dropped++;
      return;
    }
    const line = this.#line(level, message, fields);
    this.#lines.push(line);
    this.#characters += line.length;
    if (urgent) this.flush();
    else this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#characters > FLUSH_CHARACTERS && !this.#slow) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), FLUSH_AFTER_MS).unref();
  }

  #line(level: LogLevel, message: string, fields?: LogFields): string {
    const replacer = level === 'error' || level === 'warn' ? showErrors : undefined;
    return `${JSON.stringify({ time: this.#time(), level, message, ...fields }, replacer)}\n`;
  }

  /** Many lines fall into one millisecond; it is written out once. */
  #time(): string {
    const now = this.#clock.wall();
    if (now !== this.#lastTime) {
      this.#lastTime = now;
      this.#lastText = isoTime(now);
    }
    return this.#lastText;
  }
}

/** An error as a log shows it: name, message, stack and what caused it. */
function showErrors(_key: string, value: unknown): unknown {
  return value instanceof Error ? shownError(value, STACK_DEPTH) : value;
}

function shownError(error: Error, depth: number): object {
  const code = 'code' in error ? String(error.code) : undefined;
  const cause = error.cause instanceof Error && depth > 0 ? shownError(error.cause, depth - 1) : undefined;
  return { name: error.name, message: error.message, code, stack: error.stack, cause };
}

/** A log nobody reads, for tests and for parts that are given none. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
