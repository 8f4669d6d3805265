import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

/** A program in a process of its own that has said it is ready. */
export interface RunningProgram {
  readonly pid: number;
  /** The line that said so. */
  readonly readyLine: string;
  /** Ends it in order. @throws Error when it ends with another code than 0 */
  stop(): Promise<void>;
}

/** How a program is started. */
export interface Start {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Whether a line of its output says that it serves. */
  readonly isReady: (line: string) => boolean;
}

/** Starts a program and waits until it is ready. What it writes after that is read and forgotten. */
export async function startProcess(command: readonly string[], start: Start): Promise<RunningProgram> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(start.env === undefined ? {} : { env: start.env }),
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const readyLine = await Promise.race([firstReady(child, start.isReady), endedEarly(exited)]);
  return {
    pid: child.pid ?? 0,
    readyLine,
    stop: async () => {
      child.kill('SIGTERM');
      const code = await exited;
      if (code !== 0) throw new Error(`${program} ended with ${String(code)}`);
    },
  };
}

function firstReady(child: ChildProcess, isReady: Start['isReady']): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const look = (chunk: Buffer): void => {
      text += chunk.toString('utf8');
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      const ready = lines.find(isReady);
      if (ready === undefined) return;
      child.stdout?.off('data', look).resume();
      resolve(ready);
    };
    child.stdout?.on('data', look);
  });
}

async function endedEarly(exited: Promise<number | null>): Promise<never> {
  throw new Error(`a program ended with ${String(await exited)} before it was ready`);
}

/** Starts the floor beside the daemon: the same runtime, the same disk. @returns its address and how to end it */
export async function startFloor(directory: string): Promise<{ url: string; stop(): Promise<void> }> {
  const program = join(import.meta.dirname, 'floor-server.ts');
  const floor = await startProcess([process.execPath, program, directory], {
    isReady: (line) => line.startsWith('{'),
  });
  const { url } = JSON.parse(floor.readyLine) as { url: string }; // the floor's one line
  return { url, stop: () => floor.stop() };
}
