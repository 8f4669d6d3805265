import { SETTING_ROWS, type SettingRow } from '../../src/config/index.ts';
import { page, table } from './markdown.ts';

/** docs/configuration.md: every setting with its environment variable, default and reason, by section. */
export function configurationPage(): string {
  const sections = Map.groupBy(SETTING_ROWS, (row) => row.section);
  const tables = [...sections].map(([section, rows]) => `## \`[${section}]\`\n\n${settingsTable(rows)}`);
  return page('Configuration', '`src/config/settings.ts`', [
    'One TOML file, `/etc/mintmark/mintmark.toml` unless `--config` names another; `config/mintmark.toml` has every setting\n' +
      'with its default, commented out. A flag goes before an environment variable, that before the file, that before the\n' +
      'default. A key that is not here is an error: `mintmark config check` shows all of them at once. A secret never stands\n' +
      'in the file: a setting names the file that holds it.',
    'A relative path in the file or in a default is below the directory that Mintmark is installed in, so that the same\n' +
      'appliance is meant wherever a command is typed. In a flag or a variable it is below the current directory, as in any\n' +
      'command.',
    'In a variable a list is written `one,two`, and a table of numbers `name=1,other=2`, with all of its members.',
    ...tables,
  ]);
}

function settingsTable(rows: readonly SettingRow[]): string {
  const cells = rows.map((row) => [
    `\`${row.name}\``,
    `\`${row.variable}\``,
    row.setting.default === null ? 'not set' : `\`${JSON.stringify(row.setting.default)}\``,
    row.setting.reason,
  ]);
  return table(['setting', 'environment variable', 'default', 'what it is for'], cells);
}
