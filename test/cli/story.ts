import { expect } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { type Around, mintmark, type Transcript } from './run-cli.ts';

/** One appliance, and the commands that are run on it as its local operator. */
export interface Story {
  /** Names of the commands that were run, e.g. `license create`. */
  readonly told: Set<string>;
  /** Runs a command. */
  run(args: readonly string[], around?: Around): Promise<Transcript>;
  /** Runs a command that must succeed, and gives the `data` it prints for programs. */
  data(args: readonly string[], around?: Around): Promise<Record<string, unknown>>;
  /** Runs a list command, and gives its rows. */
  rows(args: readonly string[]): Promise<Record<string, unknown>[]>;
  /** Runs a command that must succeed, and gives what a person sees. */
  text(args: readonly string[], around?: Around): Promise<string>;
  /** Runs a command that must be refused with this code. */
  refused(args: readonly string[], code: string): Promise<string>;
}

/** Tells a story on the appliance in `dir`. */
export function storyOn(dir: string): Story {
  const told = new Set<string>();
  const run = (args: readonly string[], around?: Around): Promise<Transcript> => {
    told.add(args.slice(0, 2).join(' '));
    return mintmark([...args, '--data-dir', dir], around);
  };
  const printed = async (args: readonly string[], around?: Around): Promise<string> => {
    const { code, stdout, stderr } = await run(args, around);
    expect({ command: args.join(' '), code, stderr }).toEqual({
      command: args.join(' '),
      code: EXIT.ok,
      stderr: '',
    });
    return stdout;
  };
  const json = async (args: readonly string[], around?: Around): Promise<unknown> =>
    (JSON.parse(await printed([...args, '--json'], around)) as { data: unknown }).data; // as the API answers
  return {
    told,
    run,
    data: async (args, around) => (await json(args, around)) as Record<string, unknown>, // single resources are objects
    rows: async (args) => (await json(args)) as Record<string, unknown>[], // lists hold objects
    text: printed,
    refused: async (args, code) => {
      const transcript = await run(args);
      expect({ code: transcript.code, stdout: transcript.stdout }).toEqual({
        code: EXIT.refused,
        stdout: '',
      });
      expect(transcript.stderr).toMatch(new RegExp(`^mintmark: ${code}: `));
      return transcript.stderr;
    },
  };
}
