import type { Command } from 'commander';
import type { Config } from '../config/index.ts';
import { loadFor } from './settings.ts';
import { type Output, table } from './terminal.ts';

/** What `serve` would refuse of a configuration that can be read. @throws Fault CONFIG_INVALID */
async function demandServable({ http, metrics }: Config): Promise<void> {
  const { addressRanges } = await import('../http/address-ranges.ts');
  const { refuseExposedPlace } = await import('../http/listener.ts');
  const allowPlain = addressRanges(http.allowPlain);
  refuseExposedPlace('api', http, allowPlain);
  if (metrics.enabled) refuseExposedPlace('metrics', metrics, allowPlain);
}

/** Adds `config check|show|example`. */
export function addConfig(program: Command, outputOf: (command: Command) => Output): void {
  const group = program.command('config').description('look at the configuration');
  const check = group.command('check').description('read the configuration and name every problem in it');
  check.action(async () => {
    const { config, file, changed } = await loadFor(check);
    await demandServable(config);
    const from = file ?? 'defaults (no configuration file)';
    outputOf(check).result({ ok: true, file, changed }, () => {
      return `ok: ${from}; settings other than their default: ${changed.join(', ') || 'none'}`;
    });
  });
  const show = group
    .command('show')
    .description('print every setting in force, and the variable that overrides it');
  show.action(async () => {
    const { SETTING_ROWS } = await import('../config/index.ts');
    const { config } = await loadFor(show);
    const rows = SETTING_ROWS.map((row) => {
      const section: Readonly<Record<string, unknown>> = config[row.section as keyof typeof config]; // of the same table
      return { name: row.name, value: section[row.key], variable: row.variable };
    });
    const columns = [
      { title: 'SETTING', value: (row: Readonly<Record<string, unknown>>) => row['name'] },
      { title: 'VALUE', value: (row: Readonly<Record<string, unknown>>) => row['value'] },
      { title: 'VARIABLE', value: (row: Readonly<Record<string, unknown>>) => row['variable'] },
    ];
    outputOf(show).result(config, () => table(columns, rows));
  });
  const example = group
    .command('example')
    .description('print a configuration file with every setting and its reason');
  example.action(async () => {
    const { exampleConfig } = await import('../config/index.ts');
    outputOf(example).result({ toml: exampleConfig() }, () => exampleConfig().trimEnd());
  });
}
