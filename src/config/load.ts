import { readFileSync } from 'node:fs';
import { parse as parseToml, TomlError } from 'smol-toml';
import { Fault, type FieldError } from '../faults.ts';
import { type Config, type SettingRow, SETTING_ROWS } from './settings.ts';

/** Where the package puts the configuration. */
export const SYSTEM_CONFIG = '/etc/mintmark/mintmark.toml';

/** Where values come from; a later one wins: default, file, environment, flag. */
export interface ConfigSources {
  /** Path named by `--config` or MINTMARK_CONFIG; null: the system's file when it is there, else defaults alone. */
  readonly file: string | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `section.key` → value, from flags. */
  readonly flags: Readonly<Record<string, unknown>>;
}

/** A configuration and where it came from. */
export interface LoadedConfig {
  readonly config: Config;
  /** The file that was read, or null. */
  readonly file: string | null;
  /** `section.key` of everything that is not at its default. Names only: values may be telling. */
  readonly changed: readonly string[];
}

/**
 * Reads and checks the whole configuration.
 * @throws Fault CONFIG_INVALID listing every problem at once; unknown keys are problems.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const problems: FieldError[] = [];
  const { file, values } = readFile(sources.file);
  const given = new Map(Object.entries(flatten(values, problems)));
  for (const [name, value] of environmentValues(sources.environment, problems)) given.set(name, value);
  for (const [name, value] of Object.entries(sources.flags)) given.set(name, value);
  const config = resolve(given, problems);
  if (problems.length > 0) {
    const list = problems.map(({ path, message }) => `${path}: ${message}`).join('; ');
    throw new Fault('CONFIG_INVALID', list, { errors: problems });
  }
  const changed = SETTING_ROWS.filter((row) => differs(given.get(row.name), row)).map((row) => row.name);
  return { config, file, changed };
}

function differs(value: unknown, row: SettingRow): boolean {
  return value !== undefined && JSON.stringify(value) !== JSON.stringify(row.setting.default);
}

function readFile(named: string | null): { file: string | null; values: Record<string, unknown> } {
  const file = named ?? SYSTEM_CONFIG;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (named === null && isAbsent(error)) return { file: null, values: {} };
    throw new Fault('CONFIG_INVALID', `configuration file ${file} cannot be read`, { cause: error });
  }
  try {
    return { file, values: parseToml(text) };
  } catch (error) {
    const where = error instanceof TomlError ? ` at line ${String(error.line)}` : '';
    throw new Fault('CONFIG_INVALID', `configuration file ${file} is not valid TOML${where}`, {
      cause: error,
    });
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function flatten(values: Record<string, unknown>, problems: FieldError[]): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  for (const [section, keys] of Object.entries(values)) {
    if (typeof keys !== 'object' || keys === null || Array.isArray(keys)) {
      problems.push(unknown(section));
      continue;
    }
    for (const [key, value] of Object.entries(keys)) flat[`${section}.${key}`] = value;
  }
  const known = new Set(SETTING_ROWS.map((row) => row.name));
  for (const name of Object.keys(flat)) if (!known.has(name)) problems.push(unknown(name));
  return flat;
}

function unknown(name: string): FieldError {
  const last = name.split('.').at(-1)?.toLowerCase() ?? '';
  const near = SETTING_ROWS.find((row) => row.key.toLowerCase() === last);
  const hint =
    near === undefined ? 'see config/mintmark.toml for all settings' : `did you mean ${near.name}?`;
  return { path: name, code: 'UNKNOWN_SETTING', message: `there is no such setting; ${hint}` };
}

/** Variables that name something other than a setting. */
const OTHER_VARIABLES = new Set([
  'MINTMARK_CONFIG',
  'MINTMARK_URL',
  'MINTMARK_API_KEY_FILE',
  'MINTMARK_TENANT',
  'MINTMARK_ENVIRONMENT',
]);

function environmentValues(
  environment: ConfigSources['environment'],
  problems: FieldError[],
): [string, unknown][] {
  const found: [string, unknown][] = [];
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('MINTMARK_') || OTHER_VARIABLES.has(variable) || text === undefined) continue;
    const row = SETTING_ROWS.find((candidate) => candidate.variable === variable);
    if (row === undefined) problems.push({ ...unknown(variable), message: 'no setting has this variable' });
    else found.push([row.name, fromText(text, row)]);
  }
  return found;
}

/** A value as a variable or a flag writes it: lists are separated by commas, numbers and booleans are plain. */
export function fromText(text: string, row: SettingRow): unknown {
  if (Array.isArray(row.setting.default))
    return text === '' ? [] : text.split(',').map((part) => part.trim());
  if (typeof row.setting.default === 'number' && /^\d+$/.test(text)) return Number(text);
  if (typeof row.setting.default === 'boolean' && /^(true|false)$/.test(text)) return text === 'true';
  if (row.setting.default === null && text === '') return null;
  return text;
}

function resolve(given: ReadonlyMap<string, unknown>, problems: FieldError[]): Config {
  const config: Record<string, Record<string, unknown>> = {};
  for (const row of SETTING_ROWS) {
    const value = given.has(row.name) ? given.get(row.name) : row.setting.default;
    const checked = row.setting.accepts.safeParse(value);
    if (!checked.success) {
      const message = checked.error.issues.map((issue) => issue.message).join(', ');
      problems.push({ path: row.name, code: 'INVALID_SETTING', message });
    }
    (config[row.section] ??= {})[row.key] = checked.success ? checked.data : row.setting.default;
  }
  return config as Config; // built from the same table that the type is derived from
}
