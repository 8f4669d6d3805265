import { readFileSync, statSync } from 'node:fs';
import { CliError, EXIT } from './exit-code.ts';

/** What is known of one machine, as requests carry it. */
export interface MachineFacts {
  readonly fingerprint?: string;
  readonly components?: Readonly<Record<string, string>>;
}

/** What `--components` takes, in every command that has it. */
export const COMPONENTS_HELP =
  'its components: a file that `fingerprint --json` wrote, or JSON of name and value (in a file, or typed)';

/** A file of components has at most 16 of them, 256 characters each. */
const COMPONENTS_BYTES = 64 * 1024;

/**
 * Reads what `--components` names: components by name, or the whole of what `fingerprint --json` printed on the machine, its
 * fingerprint included. A text that begins with a brace is the JSON itself.
 * @param given path of a file, `-` for standard input, or JSON
 * @throws CliError when it cannot be read, or holds no object
 */
export function readComponents(given: string): MachineFacts {
  const value = objectIn(given);
  if (!isObject(value['components'])) return { components: texts(value) };
  const { fingerprint } = value;
  return {
    components: texts(value['components']),
    ...(typeof fingerprint === 'string' ? { fingerprint } : {}),
  };
}

function objectIn(given: string): Record<string, unknown> {
  const name = given === '-' ? 'standard input' : given.startsWith('{') ? '--components' : given;
  let value: unknown;
  try {
    value = JSON.parse(textOf(given));
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(
      EXIT.usage,
      `${name} cannot be read as JSON`,
      'Give a file such as {"board": "…", "disk": "…"} with --components.',
    );
  }
  if (isObject(value)) return value;
  throw new CliError(EXIT.usage, `${name} holds no JSON object of components`);
}

function textOf(given: string): string {
  if (given.startsWith('{')) return given;
  if (given !== '-' && statSync(given).size > COMPONENTS_BYTES)
    throw new CliError(EXIT.usage, `${given} is too large for a list of components`);
  return readFileSync(given === '-' ? 0 : given, 'utf8');
}

/** What the machine could not read of itself is null there, and is not sent. */
function texts(values: Readonly<Record<string, unknown>>): Record<string, string> {
  const known = Object.entries(values).filter(([, value]) => value !== null);
  return Object.fromEntries(known.map(([name, value]) => [name, String(value)]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
