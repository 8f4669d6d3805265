import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(import.meta.dirname, '..', '..');
const PROGRAM = join(ROOT, 'scripts', 'mintmark');

/** The one line of `mintmark dev --json`. */
export interface DevLine {
  readonly url: string;
  readonly dir: string;
  readonly tenant: string;
  readonly live: DevRealm;
  readonly test: DevRealm;
}

/** Credentials of one realm of a development appliance. */
export interface DevRealm {
  readonly secretKey: string;
  readonly publishableKey: string;
  readonly publicKey: { readonly kid: string; readonly hex: string };
}

/** A real daemon in a process of its own. */
export interface RunningDaemon extends DevLine {
  readonly child: ChildProcess;
  /** Milliseconds from the start of the process to the first line. */
  readonly startMs: number;
  /** Everything it wrote so far, up to a bound: standard error, and its log after the first line. */
  stderr(): string;
  log(): string;
  /** Ends it as an operator would; resolves with its exit code. */
  stop(): Promise<number | null>;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
}

/** Output that is kept; a daemon that writes more has something else to say. */
const OUTPUT_KEPT = 1024 * 1024;

/** Loading is most of a start: what one process has compiled serves the next. */
const COMPILED = { NODE_COMPILE_CACHE: join(ROOT, 'node_modules', '.cache', 'compiled') };

/** The environment without settings of the machine that the test runs on. */
export function cleanEnvironment(
  more: Readonly<Record<string, string>> = {},
): Record<string, string | undefined> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('MINTMARK_'));
  return { ...Object.fromEntries(inherited), ...COMPILED, MINTMARK_CONFIG: '/dev/null', ...more };
}

/** Starts `mintmark dev` in `dir` and waits until it serves. */
export async function startDaemon(
  dir: string,
  around: { readonly args?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<RunningDaemon> {
  const started = performance.now();
  const child = spawn(PROGRAM, ['dev', '--dir', dir, '--port', '0', '--json', ...(around.args ?? [])], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: cleanEnvironment(around.env),
  });
  let errors = '';
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-OUTPUT_KEPT);
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const line = await new Promise<string>((resolve, reject) => {
    const lines = createInterface({ input: child.stdout }).once('line', (first) => {
      lines.on('line', (text) => {
        log = `${log}${text}\n`.slice(-OUTPUT_KEPT);
      });
      resolve(first);
    });
    void exited.then((code) => {
      reject(new Error(`the daemon ended with ${String(code)}: ${errors}`));
    });
  });
  const startMs = performance.now() - started;
  return {
    ...(JSON.parse(line) as DevLine), // documented output of `mintmark dev --json`
    child,
    startMs,
    stderr: () => errors,
    log: () => log,
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** A temporary directory that is removed when the scope ends. */
export function temporaryDirectory(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'mintmark-test-'));
  return {
    path,
    [Symbol.dispose]: () => {
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** What the API answered, parsed. */
export interface Answered {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: Headers;
}

/** Sends one JSON request. */
export async function send(
  target: { readonly url: string; readonly key?: string },
  request: { method: string; path: string; body?: unknown; headers?: Record<string, string> },
): Promise<Answered> {
  const response = await fetch(`${target.url}/api/v1${request.path}`, {
    method: request.method,
    headers: {
      ...(target.key === undefined ? {} : { authorization: `Bearer ${target.key}` }),
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...request.headers,
    },
    body: request.body === undefined ? null : JSON.stringify(request.body),
  });
  const text = await response.text();
  const body = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status: response.status, body, headers: response.headers };
}

/** The `data` member of an answer that must have succeeded. */
export async function dataOf(answer: Promise<Answered>): Promise<Record<string, unknown>> {
  const { status, body } = await answer;
  if (status >= 300) throw new Error(`the request was answered ${String(status)}: ${JSON.stringify(body)}`);
  return body['data'] as Record<string, unknown>; // single resources are objects
}
