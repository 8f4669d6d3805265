import type { Command } from 'commander';
import { loadFor } from './settings.ts';
import { type Output, table } from './terminal.ts';

/** Adds `config check|show|example`. */
export function addConfig(program: Command, outputOf: (command: Command) => Output): void {
  const group = program.command('config').description('look at the configuration');
  const check = group.command('check').description('read the configuration and name every problem in it');
  check.action(async () => {
    const { file, changed } = await loadFor(check);
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
