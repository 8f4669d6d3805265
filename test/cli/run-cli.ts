import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { cleanEnvironment } from '../support/daemon.ts';

/** The program as a person calls it. */
export const PROGRAM = join(import.meta.dirname, '..', '..', 'scripts', 'mintmark');

/** What a command printed and how it ended. */
export interface Transcript {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Around a command: its standard input, and variables besides those of the test. */
export interface Around {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Runs the program as a person would, in a process of its own, with no setting from the machine of the test. */
export async function mintmark(args: readonly string[], around: Around = {}): Promise<Transcript> {
  const env = cleanEnvironment(around.env);
  const child = spawn(PROGRAM, args, { env, ...(around.cwd === undefined ? {} : { cwd: around.cwd }) });
  const [stdout, stderr] = [textOf(child.stdout), textOf(child.stderr)];
  child.stdin.end(around.input ?? '');
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, stdout: await stdout, stderr: await stderr };
}

/** The JSON that a command printed for programs. */
export function jsonOf({ stdout }: Transcript): Record<string, unknown> {
  return JSON.parse(stdout) as Record<string, unknown>; // `--json` prints one object
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
