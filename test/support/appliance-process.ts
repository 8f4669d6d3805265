import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { mintmark, type Transcript } from '../cli/run-cli.ts';
import { cleanEnvironment } from './daemon.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'scripts', 'mintmark');

/** A real appliance as `mintmark init` made it, and everything that it printed. */
export interface InitialisedAppliance {
  readonly data: string;
  readonly credential: string;
  /** The first API key, as it stands in the file. */
  readonly secretKey: string;
  readonly recoveryCode: string;
  readonly transcript: Transcript;
}

/** A real appliance that serves. */
export interface ServedAppliance {
  readonly url: string;
  readonly child: ChildProcess;
  /** Everything printed so far: the log on standard output, and standard error. */
  stdout(): string;
  stderr(): string;
  /** Resolves with its exit code when it ends. */
  readonly exited: Promise<number | null>;
  /** Ends it as a service manager would; resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** The flags with which `init` makes an appliance below `root`. */
export function initFlags(root: string): string[] {
  return [
    'init',
    '--unattended',
    ...['--data-dir', join(root, 'data'), '--credential', join(root, 'kek')],
    ...['--secret-out', join(root, 'secret.txt'), '--recovery-out', join(root, 'recovery.txt')],
    ...['--tenant-name', 'Site One', '--tenant-code', 'site-one'],
    // What is tested with it is not how much may be asked.
    ...['--tier', 'unlimited'],
  ];
}

/** Runs `mintmark init` below `root`. */
export async function initAppliance(
  root: string,
  flags: readonly string[] = [],
): Promise<InitialisedAppliance> {
  const transcript = await mintmark([...initFlags(root), ...flags]);
  if (transcript.code !== 0)
    throw new Error(`init ended with ${String(transcript.code)}: ${transcript.stderr}`);
  return {
    data: join(root, 'data'),
    credential: join(root, 'kek'),
    secretKey: readFileSync(join(root, 'secret.txt'), 'utf8').trim(),
    recoveryCode: readFileSync(join(root, 'recovery.txt'), 'utf8').trim(),
    transcript,
  };
}

/** The flags with which `serve` opens an appliance on ports that the system chooses. */
export function serveFlags(
  { data, credential }: Pick<InitialisedAppliance, 'data' | 'credential'>,
  sets: readonly string[] = [],
): string[] {
  const settings = [
    'http.port=0',
    'metrics.port=0',
    `custody.credential=${credential}`,
    'data.ballastMiB=0',
    'data.reserveMiB=1',
    ...sets,
  ];
  return ['serve', '--data-dir', data, ...settings.flatMap((setting) => ['--set', setting])];
}

/** The appliance ended instead of serving. */
export class EndedBeforeServing extends Error {
  readonly exitCode: number | null;
  readonly pid: number;

  constructor(ended: { readonly exitCode: number | null; readonly pid: number }, said: string) {
    super(`the daemon ended with ${String(ended.exitCode)}: ${said}`);
    this.exitCode = ended.exitCode;
    this.pid = ended.pid;
  }
}

/** What an appliance is run under. */
export interface RunUnder {
  /** A program and its flags that becomes the appliance, or stays out of the way as its parent's child would. */
  readonly program?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Further flags of `serve`. */
  readonly flags?: readonly string[];
}

/** Starts `mintmark serve` and waits for the line of its log that says where. */
export async function serveAppliance(
  made: Pick<InitialisedAppliance, 'data' | 'credential'>,
  sets: readonly string[] = [],
  { program = [], env = {}, flags: more = [] }: RunUnder = {},
): Promise<ServedAppliance> {
  const [command = PROGRAM, ...flags] = [...program, PROGRAM, ...serveFlags(made, sets), ...more];
  const child = spawn(command, flags, { stdio: ['ignore', 'pipe', 'pipe'], env: cleanEnvironment(env) });
  const kept = { stdout: '', stderr: '' };
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    kept.stderr += text;
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      kept.stdout += `${line}\n`;
      const fields = JSON.parse(line) as Record<string, unknown>; // each line of the log is a JSON object
      if (fields['message'] === 'serving') resolve(String(fields['api']));
    });
    void exited.then((code) => {
      reject(new EndedBeforeServing({ exitCode: code, pid: child.pid ?? 0 }, kept.stderr));
    });
  });
  return {
    url,
    child,
    stdout: () => kept.stdout,
    stderr: () => kept.stderr,
    exited,
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}
