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
  /** Takes text without waiting for its reader. */
  write(text: string): unknown;
  /** How much was taken and not read yet, in characters or bytes. */
  readonly writableLength: number;
}

/** Lines are handed over together: one system call for many requests. */
const FLUSH_CHARACTERS = 32 * 1024;
const FLUSH_AFTER_MS = 50;
/** No more is handed over while this much waits in a pipe that nobody reads. */
const UNREAD = 1024 * 1024;
/** A reader that has stopped reading costs this much memory, then lines below `warn`, which are counted. */
const BACKLOG_CHARACTERS = 4 * 1024 * 1024;
/** And at last every line: a log must never take the memory of what it tells of. */
const MOST_CHARACTERS = 2 * BACKLOG_CHARACTERS;
/** How often somebody who waits for the reader looks. */
const LOOK_EVERY_MS = 10;
const STACK_DEPTH = 4;

/** JSON lines: `{ time, level, message, … }`. */
export class JsonLog implements Log {
  readonly #sink: LogSink;
  readonly #clock: Clock;
  readonly #least: number;
  #lines: string[] = [];
  #characters = 0;
  #dropped = 0;
  #droppedBefore = 0;
  #timer: NodeJS.Timeout | undefined;
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

  /** How many lines were given up since the start because nobody read them. */
  get dropped(): number {
    return this.#droppedBefore + this.#dropped;
  }

  /** Hands over everything that waits, unless its reader has stopped; by itself after anything worse than `info`. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.length === 0) return;
    if (this.#unread) {
      this.#flushLater();
      return;
    }
    if (this.#dropped > 0)
      this.#lines.push(this.#line('warn', 'log lines were dropped', { count: this.#dropped }));
    const text = this.#lines.join('');
    this.#lines = [];
    this.#characters = 0;
    this.#droppedBefore += this.#dropped;
    this.#dropped = 0;
    this.#sink.write(text);
  }

  /**
   * Resolves when every line was read, or after `waitMs`: a reader that has stopped must not keep alive a process that is
   * over.
   */
  async end(waitMs: number): Promise<void> {
    const until = this.#clock.monotonic() + waitMs;
    this.flush();
    while (this.#waits && this.#clock.monotonic() < until) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      this.flush();
    }
  }

  get #unread(): boolean {
    return this.#sink.writableLength > UNREAD;
  }

  get #waits(): boolean {
    return this.#lines.length > 0 || this.#sink.writableLength > 0;
  }

  #add(level: LogLevel, message: string, fields?: LogFields): void {
    if (LOG_LEVELS.indexOf(level) < this.#least) return;
    const urgent = level === 'warn' || level === 'error';
    if (this.#characters > (urgent ? MOST_CHARACTERS : BACKLOG_CHARACTERS)) {
      this.#dropped++;
      return;
    }
    const line = this.#line(level, message, fields);
    this.#lines.push(line);
    this.#characters += line.length;
    if (urgent || (this.#characters > FLUSH_CHARACTERS && !this.#unread)) this.flush();
    else this.#flushLater();
  }

  #flushLater(): void {
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_AFTER_MS).unref();
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
