import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { cleanEnvironment } from '../support/daemon.ts';
import type { Transcript } from './run-cli.ts';

const LOOP = fileURLToPath(new URL('./command-loop.ts', import.meta.url));
/** What the loop writes behind what a command wrote: its exit code and this. */
const END = /^([^]*?)(\d+) <<end of command>>\n/;

/** One appliance, and the commands that are run on it. */
export interface Story extends Disposable {
  /** Names of the commands that were run, e.g. `license create`. */
  readonly told: Set<string>;
  /** Runs a command. */
  run(args: readonly string[]): Promise<Transcript>;
  /** Runs a command that must succeed, and gives the `data` it prints for programs. */
  data(args: readonly string[]): Promise<Record<string, unknown>>;
  /** Runs a list command, and gives its rows. */
  rows(args: readonly string[]): Promise<Record<string, unknown>[]>;
  /** Runs a command that must succeed, and gives what a person sees. */
  text(args: readonly string[]): Promise<string>;
  /** Runs a command that must be refused with this code, and gives what it says. */
  refused(args: readonly string[], code: string): Promise<string>;
}

/** Tells a story on the appliance in `dir`, as its local operator; `--url` in a command makes it a remote caller. */
export function storyOn(dir: string): Story {
  const told = new Set<string>();
  const loop = openLoop();
  const run = (args: readonly string[]): Promise<Transcript> => {
    told.add(args.slice(0, 2).join(' '));
    return loop.run([...args, '--data-dir', dir]);
  };
  const text = async (args: readonly string[]): Promise<string> => {
    const { stdout, ...ending } = await run(args);
    const command = args.join(' ');
    expect({ command, ...ending }).toEqual({ command, code: EXIT.ok, stderr: '' });
    return stdout;
  };
  const data = async (args: readonly string[]): Promise<unknown> =>
    (JSON.parse(await text([...args, '--json'])) as { data: unknown }).data; // as the API answers
  return {
    told,
    run,
    text,
    data: async (args) => (await data(args)) as Record<string, unknown>, // single resources are objects
    rows: async (args) => (await data(args)) as Record<string, unknown>[], // lists hold objects
    refused: async (args, code) => {
      const { stderr, ...ending } = await run(args);
      expect(ending).toEqual({ code: EXIT.refused, stdout: '' });
      expect(stderr).toMatch(new RegExp(`^mintmark: ${code}: `));
      return stderr;
    },
    [Symbol.dispose]: () => {
      loop.end();
    },
  };
}

interface Loop {
  run(args: readonly string[]): Promise<Transcript>;
  end(): void;
}

/** A process in which commands run one after the other. */
function openLoop(): Loop {
  const flags = ['--disable-proto=throw', '--disable-warning=ExperimentalWarning'];
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(process.execPath, [...flags, LOOP], {
    env: cleanEnvironment(),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const [out, err] = [partsOf(child.stdout), partsOf(child.stderr)];
  return {
    run: async (args) => {
      child.stdin.write(`${JSON.stringify(args)}\n`);
      const [stdout, stderr] = await Promise.all([out.next(), err.next()]);
      return { code: stdout.code, stdout: stdout.text, stderr: stderr.text };
    },
    end: () => {
      child.stdin.end();
    },
  };
}

interface Part {
  readonly text: string;
  readonly code: number;
}

/** Cuts a stream where one command ends and the next one begins. */
function partsOf(stream: Readable): { next(): Promise<Part> } {
  let buffered = '';
  const waiting: ((part: Part) => void)[] = [];
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    buffered += chunk;
    for (let end = END.exec(buffered); end !== null; end = END.exec(buffered)) {
      buffered = buffered.slice(end[0].length);
      waiting.shift()?.({ text: end[1] ?? '', code: Number(end[2]) });
    }
  });
  return { next: () => new Promise((resolve) => waiting.push(resolve)) };
}
