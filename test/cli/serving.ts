import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { cleanEnvironment } from '../support/daemon.ts';
import { PROGRAM } from './run-cli.ts';

/** A line of the log of `mintmark serve`. */
export type LogLine = Readonly<Record<string, unknown>>;

/** `mintmark serve` in a process of its own. */
export interface Serving {
  /** Every line so far. */
  readonly log: readonly LogLine[];
  /** The line that says where it listens. */
  readonly serving: LogLine;
  /** Ends it as an operator would; resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** Starts `mintmark serve` and waits until it serves. */
export async function serve(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Serving> {
  const child = spawn(PROGRAM, ['serve', ...args], {
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const log: LogLine[] = [];
  const serving = await new Promise<LogLine>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text) as LogLine; // documented: one object a line
      log.push(line);
      if (line['message'] === 'serving') resolve(line);
    });
    void exited.then((code) => {
      reject(new Error(`serve ended with ${String(code)}: ${errors}`));
    });
  });
  return {
    log,
    serving,
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}
