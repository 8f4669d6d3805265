import { readFileSync } from 'node:fs';
import { join, resolve as resolvePath } from 'node:path';
import { parse as parseToml, TomlError } from 'smol-toml';
import { Fault, type FieldError } from '../faults.ts';
import { issueWords, nearest, unworded } from '../issue-words.ts';
import { type Config, isPath, type SettingRow, SETTING_ROWS } from './settings.ts';

/** Where the package puts the configuration. */
export const SYSTEM_CONFIG = '/etc/mintmark/mintmark.toml';

/**
 * The directory that Mintmark is installed in. Relative paths of defaults and of the file are below it, wherever a
 * command is typed: one command line must not find another appliance, or make one, because of where somebody stands.
 */
const INSTALLED_IN = join(import.meta.dirname, '..', '..');

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
  const given = new Map(placed(Object.entries(flatten(values, problems)), INSTALLED_IN));
  const here = process.cwd();
  const typed = [...environmentValues(sources.environment, problems), ...Object.entries(sources.flags)];
  for (const [name, value] of placed(typed, here)) given.set(name, value);
  const config = resolve(given, problems);
  if (problems.length > 0) {
    const list = problems.map(({ path, message }) => `${path}: ${message}`).join('; ');
    throw new Fault('CONFIG_INVALID', list, { errors: problems });
  }
  const changed = SETTING_ROWS.filter((row) => differs(given.get(row.name), row)).map((row) => row.name);
  return { config, file, changed };
}

/** Makes the paths among settings absolute: whoever reads the configuration later stands elsewhere. */
function placed(values: readonly (readonly [string, unknown])[], base: string): [string, unknown][] {
  const paths = new Set(SETTING_ROWS.filter(isPath).map(({ name }) => name));
  return values.map(([name, value]) => {
    const isRelative = paths.has(name) && typeof value === 'string' && value !== '';
    return [name, isRelative ? resolvePath(base, value) : value];
  });
}

function defaultOf({ name, setting }: SettingRow): unknown {
  return placed([[name, setting.default]], INSTALLED_IN)[0]?.[1];
}

function differs(value: unknown, row: SettingRow): boolean {
  return value !== undefined && JSON.stringify(value) !== JSON.stringify(defaultOf(row));
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
  const names = SETTING_ROWS.map((row) => row.name);
  const last = name.split('.').at(-1)?.toLowerCase() ?? '';
  const near = SETTING_ROWS.find((row) => row.key.toLowerCase() === last)?.name ?? nearest(name, names);
  const hint = near === undefined ? 'see config/mintmark.toml for all settings' : `did you mean ${near}?`;
  return { path: name, code: 'UNKNOWN_SETTING', message: `there is no such setting; ${hint}` };
}

/** Variables that name something other than a setting. */
const OTHER_VARIABLES = new Set([
  'MINTMARK_CONFIG',
  'MINTMARK_URL',
  'MINTMARK_API_KEY_FILE',
  'MINTMARK_TENANT',
  'MINTMARK_ENVIRONMENT',
  'MINTMARK_FINGERPRINT',
]);

/** The variable that a mistyped one is nearest to. */
function unknownVariable(variable: string): FieldError {
  const near = nearest(
    variable,
    SETTING_ROWS.map((row) => row.variable),
  );
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  return { ...unknown(variable), message: `no setting has this variable${hint}` };
}

function environmentValues(
  environment: ConfigSources['environment'],
  problems: FieldError[],
): [string, unknown][] {
  const found: [string, unknown][] = [];
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('MINTMARK_') || OTHER_VARIABLES.has(variable) || text === undefined) continue;
    const row = SETTING_ROWS.find((candidate) => candidate.variable === variable);
    if (row === undefined) problems.push(unknownVariable(variable));
    else found.push([row.name, fromText(text, row)]);
  }
  return found;
}

/**
 * A value as a variable or a flag writes it: lists are separated by commas, numbers and booleans are plain, numbers with
 * names are `validate=60,burst=20`.
 */
export function fromText(text: string, row: SettingRow): unknown {
  if (Array.isArray(row.setting.default))
    return text === '' ? [] : text.split(',').map((part) => part.trim());
  if (typeof row.setting.default === 'number' && /^\d+$/.test(text)) return Number(text);
  if (typeof row.setting.default === 'boolean' && /^(true|false)$/.test(text)) return text === 'true';
  if (row.setting.default === null && text === '') return null;
  if (typeof row.setting.default === 'object' && row.setting.default !== null) return namedNumbers(text);
  return text;
}

/** What is no number stays a text, for the setting to refuse. */
function namedNumbers(text: string): Record<string, unknown> {
  const pairs = text.split(',').map((part) => part.split('=').map((half) => half.trim()));
  return Object.fromEntries(
    pairs.map(([name = '', value = '']) => [name, /^\d+$/.test(value) ? Number(value) : value]),
  );
}

function resolve(given: ReadonlyMap<string, unknown>, problems: FieldError[]): Config {
  const config: Record<string, Record<string, unknown>> = {};
  for (const row of SETTING_ROWS) {
    const value = given.has(row.name) ? given.get(row.name) : defaultOf(row);
    const checked = row.setting.accepts.safeParse(value, { error: unworded });
    if (!checked.success) {
      const context = { schema: row.setting.accepts, input: value };
      const message = checked.error.issues.map((issue) => issueWords(issue, context)).join(', ');
      problems.push({ path: row.name, code: 'INVALID_SETTING', message });
    }
    (config[row.section] ??= {})[row.key] = checked.success ? checked.data : defaultOf(row);
  }
  return config as Config; // built from the same table that the type is derived from
}
