import { type Command, Option } from 'commander';
import { ApiRefusal } from './api-client.ts';

/** An option that fills a member of the request, whatever it is called itself. */
export class FieldFlag extends Option {
  readonly field: string;

  constructor(flags: string, { help, field }: { readonly help: string; readonly field: string }) {
    super(flags, help);
    this.field = field;
  }
}

/** The words of a program that sends requests, and what whoever types commands does instead. */
const HEADERS: readonly (readonly [RegExp, string])[] = [
  [/send the header X-Mintmark-Tenant with its code/, 'name one with --tenant <code>'],
  [/name the tenant in the path/, 'name one with --tenant <code>'],
  [/X-Mintmark-Tenant/g, '--tenant'],
  [/X-Mintmark-Environment/g, '--environment'],
];

/**
 * A refusal of the API in the words of the command that met it: its options instead of members of a request, and what can be
 * typed next. The remedies of the API are for those who send requests.
 */
export function inCommandWords(refusal: ApiRefusal, command: Command): ApiRefusal {
  const { code, status, errors, retryAfterMs } = refusal;
  const remedy = refusal.ownRemedy ? refusal.remedy : (remedyOf(refusal, command) ?? refusal.remedy);
  const told = { status, errors, retryAfterMs, remedy, ownRemedy: refusal.ownRemedy };
  return new ApiRefusal(code, messageOf(refusal, command), told);
}

function messageOf({ message, errors }: ApiRefusal, command: Command): string {
  let text = HEADERS.reduce((words, [pattern, instead]) => words.replace(pattern, instead), message);
  for (const { path } of errors) {
    const named = pathWords(path, command);
    // Where the appliance names what is wrong: elsewhere `name` or `code` is a word like others.
    if (named !== null)
      text = text.replaceAll(
        new RegExp(`(^[A-Z_]+: |\\n  )${path.replaceAll(/\W/g, '\\$&')}(?= is |: )`, 'g'),
        `$1${named}`,
      );
  }
  for (const option of command.options) text = withOption(text, option);
  return text;
}

/** `scopes.0` as `--scopes, item 1`; null: no option of this command is meant. */
function pathWords(path: string, command: Command): string | null {
  const [head = '', ...rest] = path.replace(/^template\./, '').split('.');
  const option = command.options.find((one) => fieldOf(one) === head);
  if (option === undefined) return null;
  const inner = rest.join('.');
  const item = /^\d+$/.test(inner) ? `, item ${String(Number(inner) + 1)}` : inner === '' ? '' : `, ${inner}`;
  return `${nameOf(option)}${item}`;
}

/** Names such as `maxMachines` are no words of the language: wherever one stands, the member is meant. */
function withOption(text: string, option: Option): string {
  const field = fieldOf(option);
  if (!/[A-Z]/.test(field)) return text;
  const pattern = new RegExp(`(?<![\\w.-])${field}(?: (null)|: (true|false))?(?![\\w])`, 'g');
  return text.replaceAll(pattern, (_, nothing?: string, truth?: string) => {
    if (nothing !== undefined) return `${nameOf(option)} none`;
    return truth === undefined || option.isBoolean() ? nameOf(option) : `${nameOf(option)} ${truth}`;
  });
}

const fieldOf = (option: Option): string =>
  option instanceof FieldFlag ? option.field : option.attributeName();

const nameOf = (option: Option): string => option.long ?? option.flags;

/** Groups of commands by what refusals call their things. */
const LISTS: readonly (readonly [RegExp, string])[] = [
  [/no licen[sc]e\b/, 'license'],
  [/no product\b/, 'product'],
  [/no policy\b/, 'policy'],
  [/no entitlement\b/, 'entitlement'],
  [/no machine\b/, 'machine'],
  [/no API key\b/, 'api-key'],
  [/no tenant\b|exactly one tenant/, 'tenant'],
];
/** Groups whose lists show what was deleted, too. */
const RESTORABLE: ReadonlySet<string> = new Set(['license', 'product', 'policy', 'entitlement']);

function remedyOf({ code, message }: ApiRefusal, command: Command): string | undefined {
  if (code === 'REALM_REQUIRED') return '`mintmark tenant list` shows the codes.';
  if (code === 'CONFIRMATION_REQUIRED') return "Give that sentence, to the letter: --confirm '…'.";
  if (code === 'FINGERPRINT_REQUIRED') return fingerprintRemedy(command);
  return code === 'NOT_FOUND' ? listRemedy(message, command) : undefined;
}

function listRemedy(message: string, command: Command): string | undefined {
  const group = LISTS.find(([pattern]) => pattern.test(message))?.[1] ?? groupOf(command);
  if (group === undefined) return undefined;
  const list = `mintmark ${group} list`;
  if (group === 'tenant') return `\`${list}\` shows ids and codes.`;
  if (group === 'sweep') return `\`${list}\` shows those that are held.`;
  const deleted = RESTORABLE.has(group) ? `; \`${list} --deleted\` shows what can be restored` : '';
  return `\`${list}\` shows the ids of this tenant and environment${deleted}.`;
}

/** What the argument of a command is the id of, as far as that shows. */
function groupOf(command: Command): string | undefined {
  const [argument] = command.registeredArguments;
  if (argument?.name() === 'licenseId') return 'license';
  const isOwn = argument?.name() === 'id' || argument?.name() === 'job';
  return isOwn ? command.parent?.name() : undefined;
}

function fingerprintRemedy(command: Command): string {
  const loosen = '`mintmark policy update <id> --require-fingerprint false` lets it be bound to none.';
  const takesOne = command.options.some((option) => option.attributeName() === 'fingerprint');
  return takesOne
    ? `Give --fingerprint, as \`mintmark fingerprint --plain\` prints it on the machine. ${loosen}`
    : `It cannot be bound to a machine: check out a file instead. ${loosen}`;
}
