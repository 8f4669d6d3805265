import { present } from '../lib/invariant.ts';
import { SETTING_ROWS, type SettingRow } from './settings.ts';

const HEAD = `# Mintmark configuration. Every setting is here with its default; remove the # to change one.
# Precedence: flag > environment variable > this file > default. Unknown keys are errors: \`mintmark config check\`.
# Secrets never stand here: settings name the files that hold them.
`;

const LINE = 110;

/** The example configuration file, made from the table of settings: all of them, commented out, with their reasons. */
export function exampleConfig(): string {
  const sections = new Map<string, SettingRow[]>();
  for (const row of SETTING_ROWS) sections.set(row.section, [...(sections.get(row.section) ?? []), row]);
  const parts = [...sections].map(([name, rows]) => `[${name}]\n${rows.map(renderSetting).join('\n')}`);
  return `${HEAD}\n${parts.join('\n')}`;
}

function renderSetting(row: SettingRow): string {
  const reason = wrap(`${row.setting.reason} (${row.variable})`);
  const note = row.setting.default === null ? '  # not set by default' : '';
  const shown = present(row.setting.default ?? EXAMPLES[row.name], `${row.name} has a default or an example`);
  return `${reason}# ${row.key} = ${toml(shown)}${note}\n`;
}

/** What stands in the example for a setting that is not set by default. */
const EXAMPLES: Readonly<Record<string, unknown>> = {
  'http.socket': '/run/mintmark/api.sock',
  'apiKeys.maxAgeDays': 365,
  'signingKeys.rotateDays': 730,
  'pkcs11.module': '/usr/lib/softhsm/libsofthsm2.so',
  'pkcs11.parameters': "configdir='sql:/var/lib/mintmark-token'",
  'pkcs11.token': 'pkcs11:token=mintmark;serial=0123456789abcdef',
  'pkcs11.pinSource': '/etc/mintmark/credentials/pin',
  'pkcs11.copyToken': 'pkcs11:token=mintmark-copy;serial=fedcba9876543210',
  'pkcs11.copyPinSource': '/etc/mintmark/credentials/copy-pin',
};

function toml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => JSON.stringify(item)).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const pairs = Object.entries(value).map(([name, one]) => `${name} = ${JSON.stringify(one)}`);
  return `{ ${pairs.join(', ')} }`;
}

function wrap(text: string): string {
  let out = '';
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > LINE) {
      out += `${line}\n`;
      line = '#';
    }
    line += ` ${word}`;
  }
  return `${out}${line}\n`;
}
