import type { Command, Option } from 'commander';

/** A key id (16 base64url characters, src/custody/key-id.ts) that begins with `-`: one in 64 does. */
const DASHED_KEY_ID = /^-[A-Za-z0-9_-]{15}$/;

/** Name of the argument that takes a key id. */
const KEY_ID_ARGUMENT = 'kid';

/** A command line as it is read from left to right. */
interface Reading {
  /** The command that was named so far, with those above it. */
  readonly commands: Command[];
  /** Everything in the order it was typed. */
  readonly typed: string[];
  /** The same without operands. */
  readonly head: string[];
  readonly operands: string[];
}

/**
 * A command line in which what is no option, but begins with a dash, is not taken for one: a key id where a command takes
 * one (it goes behind `--`, as all operands do then), and the value of an option (`--license-key -V1` is written
 * `--license-key=-V1`, because the program reads `-V` of every command). What is exactly an option stays one. Everything
 * else is left as it was typed.
 */
export function withDashesKept(program: Command, argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  const rest = end === -1 ? [] : argv.slice(end);
  const reading: Reading = { commands: [program], typed: [], head: [], operands: [] };
  readAll(reading, end === -1 ? argv : argv.slice(0, end));
  const { commands, typed, head, operands } = reading;
  if (!takesKeyId(commands) || !operands.some((text) => text.startsWith('-'))) return [...typed, ...rest];
  return [...head, '--', ...operands, ...rest.slice(1)];
}

function readAll(reading: Reading, argv: readonly string[]): void {
  for (let i = 0; i < argv.length; i++) {
    const text = argv[i] ?? '';
    const option = optionOf(reading.commands, text);
    const value = option?.required === true ? argv[i + 1] : undefined;
    if (option === undefined || value === undefined) {
      readOne(reading, text);
      continue;
    }
    i++;
    const isDashed = value.startsWith('-') && !option.variadic && text === option.long;
    const isValue = isDashed && optionOf(reading.commands, value) === undefined;
    keep(reading, isValue ? [`${text}=${value}`] : [text, value]);
  }
}

function readOne(reading: Reading, text: string): void {
  const { commands, typed, operands } = reading;
  const below = commands.at(-1)?.commands.find((command) => command.name() === text);
  if (below !== undefined) commands.push(below);
  const isOption = optionOf(commands, text) !== undefined;
  const isOperand = text.startsWith('-') ? !isOption && DASHED_KEY_ID.test(text) : below === undefined;
  if (!isOperand) {
    keep(reading, [text]);
    return;
  }
  typed.push(text);
  operands.push(text);
}

function keep({ typed, head }: Reading, texts: readonly string[]): void {
  typed.push(...texts);
  head.push(...texts);
}

function optionOf(commands: readonly Command[], text: string): Option | undefined {
  return commands
    .flatMap(({ options }) => options)
    .find(({ long, short }) => text === long || text === short);
}

function takesKeyId(commands: readonly Command[]): boolean {
  const last = commands.at(-1);
  return last?.registeredArguments.some((argument) => argument.name() === KEY_ID_ARGUMENT) === true;
}
