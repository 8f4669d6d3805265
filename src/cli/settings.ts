import type { Command } from 'commander';
import type { LoadedConfig } from '../config/index.ts';
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

/** The configuration as a command sees it. @throws Fault CONFIG_INVALID */
export async function loadFor(command: Command): Promise<LoadedConfig> {
  const { loadConfig } = await import('../config/index.ts');
  const flags = globalFlags(command);
  return loadConfig({
    file: flags.config ?? process.env['MINTMARK_CONFIG'] ?? null,
    environment: process.env,
    flags: {
      ...(await assignments(flags.set ?? [])),
      ...(flags.dataDir === undefined ? {} : { 'data.directory': flags.dataDir }),
    },
  });
}

async function assignments(texts: readonly string[]): Promise<Record<string, unknown>> {
  const { fromText, SETTING_ROWS } = await import('../config/index.ts');
  const values: Record<string, unknown> = {};
  for (const text of texts) {
    const at = text.indexOf('=');
    const row = SETTING_ROWS.find(({ name }) => name === text.slice(0, at));
    if (row === undefined) {
      throw new CliError(
        EXIT.usage,
        `--set ${text}: there is no such setting`,
        '`mintmark config show` lists them all.',
      );
    }
    values[row.name] = fromText(text.slice(at + 1), row);
  }
  return values;
}

/** Gathers the values of an option that may be given several times. */
export function collect(value: string, earlier: readonly string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}
