import type { Command } from 'commander';
import type { LoadedConfig } from '../config/index.ts';
import { nearest } from '../issue-words.ts';
import { CliError, EXIT } from './exit-code.ts';

/** Flags that every command takes, before or behind its name. */
export interface GlobalFlags {
  readonly config?: string;
  readonly set?: readonly string[];
  readonly dataDir?: string;
  readonly json?: boolean;
  readonly socket?: string;
  readonly url?: string;
  readonly apiKeyFile?: string;
  readonly tenant?: string;
  readonly environment?: string;
}

/** The flags in force for a command, its parents' included. */
export function globalFlags(command: Command): GlobalFlags {
  return command.optsWithGlobals<GlobalFlags>();
}

/**
 * The configuration as a command sees it.
 * @param own settings, by name, for which the command has flags of its own; undefined: the flag was not given
 * @throws Fault CONFIG_INVALID
 */
export async function loadFor(
  command: Command,
  own: Readonly<Record<string, unknown>> = {},
): Promise<LoadedConfig> {
  const { loadConfig } = await import('../config/index.ts');
  const flags = globalFlags(command);
  return loadConfig({
    file: flags.config ?? process.env['MINTMARK_CONFIG'] ?? null,
    environment: process.env,
    flags: {
      ...(await assignments(flags.set ?? [])),
      ...(flags.dataDir === undefined ? {} : { 'data.directory': flags.dataDir }),
      ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)),
    },
  });
}

/** Where the configuration came from, in words. @param file the file that was read, or null */
export function configurationText(file: string | null): string {
  return file === null ? 'defaults, no configuration file' : `configuration ${file}`;
}

async function assignments(texts: readonly string[]): Promise<Record<string, unknown>> {
  const { fromText, SETTING_ROWS } = await import('../config/index.ts');
  const values: Record<string, unknown> = {};
  for (const text of texts) {
    const at = text.indexOf('=');
    const row = SETTING_ROWS.find(({ name }) => name === text.slice(0, at));
    if (row === undefined) {
      const near = nearest(
        text.slice(0, at),
        SETTING_ROWS.map(({ name }) => name),
      );
      const remedy = near === undefined ? '`mintmark config show` lists them all.' : `Did you mean ${near}?`;
      throw new CliError(EXIT.usage, `--set ${text}: there is no such setting`, remedy);
    }
    values[row.name] = fromText(text.slice(at + 1), row);
  }
  return values;
}

/** Gathers the values of an option that may be given several times. */
export function collect(value: string, earlier: readonly string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}
