import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  initAppliance,
  type InitialisedAppliance,
  serveAppliance,
  type ServedAppliance,
} from '../support/appliance-process.ts';
import { temporaryDirectory } from '../support/daemon.ts';
import { mintmark, type Transcript } from './run-cli.ts';

/** A real appliance with the same product, policies and entitlements in both environments, and a directory to work in. */
export interface BulkDesk {
  readonly made: InitialisedAppliance;
  readonly serving: () => ServedAppliance;
  /** Ends the daemon as a power cut would. */
  readonly kill: () => void;
  /** Starts it again. */
  readonly revive: () => Promise<void>;
  /** Path of a file. */
  readonly at: (name: string) => string;
  /** Lines of a file. */
  readonly lines: (name: string) => string[];
  /** Runs a command as the local operator. */
  readonly run: (args: readonly string[]) => Promise<Transcript>;
  /** Runs `license import` on a file with this content. */
  readonly imported: (name: string, text: string, ...options: string[]) => Promise<Transcript>;
  /** All licences of an environment, as an export shows them. */
  readonly exported: (environment: string, ...options: string[]) => Promise<Record<string, unknown>[]>;
  readonly close: () => Promise<void>;
}

/** Opens a desk. */
export async function openBulkDesk(): Promise<BulkDesk> {
  const directory = temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  const made = await initAppliance(directory.path);
  let serving = await serveAppliance(made);
  const run = (args: readonly string[]): Promise<Transcript> => mintmark(['--data-dir', made.data, ...args]);
  for (const environment of ['live', 'test']) await stock(run, environment);
  return {
    made,
    serving: () => serving,
    kill: () => serving.child.kill('SIGKILL'),
    revive: async () => {
      serving = await serveAppliance(made);
    },
    at,
    lines: (name) => readFileSync(at(name), 'utf8').trimEnd().split('\n'),
    run,
    imported: (name, text, ...options) => {
      writeFileSync(at(name), text);
      return run(['license', 'import', at(name), ...options]);
    },
    exported: async (environment, ...options) => {
      const command = ['license', 'export', '--format', 'jsonl', ...options];
      const { code, stdout, stderr } = await run(['--environment', environment, ...command]);
      if (code !== 0 || stderr !== '') throw new Error(`the export ended with ${String(code)}: ${stderr}`);
      const rows = stdout.split('\n').filter((line) => line !== '');
      return rows.map((line) => JSON.parse(line) as Record<string, unknown>); // one object a line
    },
    close: async () => {
      await serving.stop();
      directory[Symbol.dispose]();
    },
  };
}

async function stock(run: BulkDesk['run'], environment: string): Promise<void> {
  const made = async (...args: string[]): Promise<string> => {
    const { stdout } = await run(['--environment', environment, '--json', ...args]);
    return (JSON.parse(stdout) as { data: { id: string } }).data.id; // a single resource
  };
  const named = (code: string): string[] => ['--name', code, '--code', code];
  const product = await made('product', 'create', ...named('editor'), '--key-prefix', 'EDIT');
  const base = await made('entitlement', 'create', ...named('base'));
  await made('entitlement', 'create', ...named('pro'));
  for (const code of ['desktop', 'site']) {
    const create = ['policy', 'create', '--product-id', product, '--template', 'desktop_app'];
    const policy = await made(...create, ...named(code));
    await run(['--environment', environment, 'policy', 'entitle', policy, base]);
  }
}

/** A key that nobody guesses, different for each number. */
export function strongKey(number: number): string {
  const parts = [31, 57, 73, 91].map((factor) => ((number + 7) * factor * 7919).toString(36).toUpperCase());
  return `K7Q-${parts.join('-')}-ZW4M9XB2`;
}
