import type { Command } from 'commander';
import type { ApiClient, ApiRequest } from './api-client.ts';
import { FieldFlag } from './command-words.ts';
import { readComponents } from './components.ts';
import { CliError, EXIT } from './exit-code.ts';
import { ARGUMENTS, EXAMPLES, NOUNS } from './examples.ts';
import { refuseLeak, withSecret, writeSecretFile } from './secret-file.ts';
import { type Column, details, type Output, table } from './terminal.ts';

/** How the text of an option becomes a member of the request. */
export type FieldKind =
  'text' | 'number' | 'boolean' | 'list' | 'json' | 'no-limit' | 'override' | 'end' | 'components' | 'where';

/** An option of a command and the member of the request it fills. */
export interface FieldOption {
  /** As commander writes it: `--max-machines <n>`. */
  readonly flags: string;
  readonly field: string;
  readonly help: string;
  readonly kind?: FieldKind;
  readonly required?: boolean;
}

/** Something one can do with a resource: one request. */
export interface ResourceAction {
  /** `suspend`. */
  readonly name: string;
  readonly help: string;
  /** Names of the positional arguments, in order. */
  readonly args: readonly string[];
  readonly method: ApiRequest['method'];
  /** Below `/api/v1`, with `{arg}` for the positional arguments. */
  readonly path: string;
  readonly options?: readonly FieldOption[];
  /** Whether options travel in the query (reads) or in the body (default for writes). */
  readonly query?: boolean;
  /** Members of the answer that are secrets, and the option that names the 0600 file to put them in. */
  readonly secretOut?: { readonly field: string; readonly what: string };
  readonly columns?: readonly Column[];
  /** What is listed behind the answer when an option is given. */
  readonly then?: FollowUp;
  readonly example?: string;
}

/** A list that is read once an action is done, and shown behind its answer. */
export interface FollowUp {
  /** The option (as `field`) that asks for it. */
  readonly if: string;
  /** Below `/api/v1`, with `{arg}` for the positional arguments. */
  readonly path: string;
  /** Options that travel in its query, and not in the request of the action. */
  readonly options: readonly FieldOption[];
  readonly title: string;
  /** Member of the answer under `--json`. */
  readonly member: string;
  readonly columns: readonly Column[];
}

/** A resource of the API as a command with sub-commands. */
export interface Resource {
  readonly name: string;
  readonly help: string;
  readonly actions: readonly ResourceAction[];
}

/** What running an action needs from the program. */
export interface ActionContext {
  readonly client: ApiClient;
  readonly out: Output;
}

/** Runs `body` with a connected client and closes it afterwards. */
export type WithClient = (command: Command, body: (context: ActionContext) => Promise<void>) => Promise<void>;

/** A column that shows one member. */
export function column(title: string, field: string): Column {
  return { title, value: (row) => row[field] };
}

/** The three actions that every resource has. */
export function standardActions(
  path: string,
  given: {
    noun: string;
    columns: readonly Column[];
    create: readonly FieldOption[];
    filters?: readonly FieldOption[];
    /** Orders of the list; the default is the first. */
    sorts?: readonly string[];
    /** What is deleted can be listed and restored, with these options. */
    restorable?: readonly FieldOption[];
  },
): ResourceAction[] {
  const { noun, columns, create, filters = [], sorts = [], restorable } = given;
  const paging: FieldOption[] = [
    { flags: '--limit <n>', field: 'limit', help: 'how many at most (1–100, default 25)', kind: 'number' },
    { flags: '--cursor <cursor>', field: 'cursor', help: 'where the last list ended' },
  ];
  const sort: FieldOption[] =
    sorts.length === 0
      ? []
      : [{ flags: '--sort <order>', field: 'sort', help: `${sorts.join(', ')} (default ${sorts[0] ?? ''})` }];
  const deleted: FieldOption = {
    flags: '--deleted',
    field: 'deleted',
    help: 'what is deleted and can still be restored',
    kind: 'boolean',
  };
  const restore: ResourceAction = {
    name: 'restore',
    help: `bring back ${withArticle(noun)} that was deleted and is not purged yet`,
    args: ['id'],
    method: 'POST',
    path: `${path}/{id}/restore`,
    options: restorable ?? [],
  };
  return [
    { name: 'create', help: `create ${withArticle(noun)}`, args: [], method: 'POST', path, options: create },
    {
      name: 'list',
      help: `list ${several(noun)}`,
      args: [],
      method: 'GET',
      path,
      query: true,
      options: [...filters, ...sort, ...(restorable === undefined ? [] : [deleted]), ...paging],
      columns,
    },
    { name: 'show', help: `show one ${noun}`, args: ['id'], method: 'GET', path: `${path}/{id}` },
    ...(restorable === undefined ? [] : [restore]),
  ];
}

function withArticle(noun: string): string {
  return `${/^[aeiou]/i.test(noun) ? 'an' : 'a'} ${noun}`;
}

function several(noun: string): string {
  return noun.endsWith('cy') ? `${noun.slice(0, -1)}ies` : `${noun}s`;
}

/** Adds a resource and its actions to the program; returns its group, for sub-commands of another shape. */
export function addResource(program: Command, resource: Resource, withClient: WithClient): Command {
  const group = program.command(resource.name).description(resource.help);
  for (const action of resource.actions) addAction(group, action, withClient);
  return group;
}

function addAction(group: Command, action: ResourceAction, withClient: WithClient): void {
  const command = group.command(action.name).description(action.help);
  const own = `id of the ${NOUNS[group.name()] ?? group.name()}: \`mintmark ${group.name()} list\` shows it`;
  for (const arg of action.args) command.argument(`<${arg}>`, ARGUMENTS[arg] ?? own);
  for (const option of [...(action.options ?? []), ...(action.then?.options ?? [])]) {
    const { flags, field, help, required = false } = option;
    const flag = new FieldFlag(flags, { field, help: required ? `${help} (required)` : help });
    command.addOption(flag.makeOptionMandatory(required));
  }
  if (action.secretOut !== undefined) {
    withSecret(command, action.secretOut.what);
  }
  const example = action.example ?? EXAMPLES[`${group.name()} ${action.name}`];
  if (example !== undefined) command.addHelpText('after', `\nExample:\n  ${example}`);
  command.action(async () => {
    await withClient(command, (context) => runAction(action, command, context));
  });
}

async function runAction(
  action: ResourceAction,
  command: Command,
  { client, out }: ActionContext,
): Promise<void> {
  const options: Readonly<Record<string, unknown>> = command.opts();
  const members = membersOf(action.options ?? [], options);
  if (action.method === 'PATCH' && Object.keys(members).length === 0) {
    throw new CliError(EXIT.usage, 'nothing to change was named', '--help lists what can be changed.');
  }
  const request = requestOf(action, command.args, members);
  if (action.secretOut !== undefined) refuseLeak(action.secretOut.what, options);
  const { body, status } = await client.send(request);
  if (status === 204) {
    out.result({ done: true }, () => 'done');
    return;
  }
  const answer = body as Record<string, unknown>; // JSON of a 2xx is always an object here
  const shown =
    action.secretOut === undefined ? answer : keepSecret(action.secretOut, answer, options['secretOut']);
  const more = await followUp(action.then, { command, client, members });
  out.result({ ...shown, ...more.members }, () => `${render(action, shown)}${more.text}`);
}

/**
 * Reads the list behind an answer, if it was asked for. What went wrong with it is said there: the answer, which may hold what
 * is shown once, must be shown whatever becomes of the list.
 */
async function followUp(
  then: FollowUp | undefined,
  given: {
    readonly command: Command;
    readonly client: ApiClient;
    readonly members: Readonly<Record<string, unknown>>;
  },
): Promise<{ readonly members: Record<string, unknown>; readonly text: string }> {
  if (then === undefined || given.members[then.if] !== true) return { members: {}, text: '' };
  const { command, client } = given;
  const path = then.path.replace('{id}', encodeURIComponent(command.args[0] ?? ''));
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(membersOf(then.options, command.opts())))
    query.set(name, String(value));
  try {
    const { body } = await client.send({ method: 'GET', path: `${path}&${query.toString()}` });
    const { data } = body as { readonly data: Record<string, unknown>[] }; // a list of the API
    return { members: { [then.member]: data }, text: `\n\n${then.title}\n${table(then.columns, data)}` };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { members: { [then.member]: null }, text: `\n\n${then.title}\ncannot be read: ${reason}` };
  }
}

function requestOf(
  action: ResourceAction,
  args: readonly string[],
  members: Record<string, unknown>,
): ApiRequest {
  let path = action.path;
  const body = { ...members };
  for (const [i, name] of action.args.entries()) {
    const place = `{${name}}`;
    // An argument that has no place in the path is a member of the body.
    if (path.includes(place)) path = path.replace(place, encodeURIComponent(args[i] ?? ''));
    else body[name] = args[i];
  }
  if (action.query === true) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(members)) query.set(name, String(value));
    const first = path.includes('?') ? '&' : '?';
    return { method: action.method, path: query.size === 0 ? path : `${path}${first}${query.toString()}` };
  }
  const hasBody = action.method === 'POST' || action.method === 'PATCH' || action.method === 'PUT';
  return hasBody ? { method: action.method, path, body } : { method: action.method, path };
}

function membersOf(
  fields: readonly FieldOption[],
  options: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const members: Record<string, unknown> = {};
  for (const { flags, field, kind = 'text' } of fields) {
    const value = options[optionName(flags)];
    if (value === undefined) continue;
    if (kind === 'where') Object.assign(members, whereOf(value, field, flags));
    else members[field] = convert(value, kind, flags);
  }
  return members;
}

/** `plan=pro` of a repeated option as the query member `metadata.plan`. */
function whereOf(value: unknown, field: string, flags: string): Record<string, string> {
  const pairs = Array.isArray(value) ? value.map(String) : [String(value)];
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at > 0) return [`${field}.${pair.slice(0, at)}`, pair.slice(at + 1)];
      throw new CliError(EXIT.usage, `${flags}: ${pair} is not of the form key=value`);
    }),
  );
}

/** commander's own rule: `--max-machines <n>` is found as `maxMachines`. */
function optionName(flags: string): string {
  const long = /--([a-z0-9-]+)/.exec(flags)?.[1] ?? flags;
  return long.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function convert(value: unknown, kind: FieldKind, flags: string): unknown {
  if (kind === 'boolean') return value === true || booleanOf(String(value), flags);
  const text = String(value);
  if (kind === 'no-limit') return text === 'none' ? null : numberOf(text, flags);
  if (kind === 'end') return endOf(text);
  if (kind === 'override') return overrideOf(text, flags);
  if (kind === 'components') return readComponents(text).components;
  if (kind === 'number') return numberOf(text, flags);
  if (kind === 'list') return text.split(',').map((part) => part.trim());
  return kind === 'json' ? jsonOf(text, flags) : text;
}

/** `none` of a policy is no limit; a licence has a limit of its own, or that of its policy. */
function overrideOf(text: string, flags: string): number | null {
  if (text === 'policy') return null;
  if (text !== 'none') return numberOf(text, flags);
  throw new CliError(
    EXIT.usage,
    `${flags}: a licence cannot be without limit while its policy has one`,
    'Write policy for what the policy says, or a number; no limit at all is for `policy update`.',
  );
}

/** A day lasts until its end, as in a file that is imported. */
export function endOf(text: string): string {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T23:59:59.999Z` : text;
}

function booleanOf(text: string, flags: string): boolean {
  if (text === 'true' || text === 'yes') return true;
  if (text === 'false' || text === 'no') return false;
  throw new CliError(EXIT.usage, `${flags}: ${text} is neither true nor false`);
}

function numberOf(text: string, flags: string): number {
  if (!/^-?\d+$/.test(text)) throw new CliError(EXIT.usage, `${flags}: ${text} is not a whole number`);
  return Number(text);
}

function jsonOf(text: string, flags: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CliError(EXIT.usage, `${flags}: that is not JSON`, `Quote it for the shell: '{"seats": 3}'.`);
  }
}

function render(action: ResourceAction, answer: Readonly<Record<string, unknown>>): string {
  const data = answer['data'];
  if (Array.isArray(data) && action.columns !== undefined) {
    const rows = data as Record<string, unknown>[]; // lists of the API hold objects
    const pagination = answer['pagination'] as { nextCursor?: string | null } | undefined;
    const more =
      (pagination?.nextCursor ?? null) === null ? '' : `\nmore: --cursor ${String(pagination?.nextCursor)}`;
    return `${table(action.columns, rows)}${more}`;
  }
  const record = typeof data === 'object' && data !== null ? data : answer;
  return details(record as Record<string, unknown>); // JSON of the API: objects only
}

function keepSecret(
  secret: { field: string; what: string },
  answer: Readonly<Record<string, unknown>>,
  file: unknown,
): Record<string, unknown> {
  const data = answer['data'] as Record<string, unknown>; // single resources are objects
  if (typeof file !== 'string') return { ...answer };
  writeSecretFile(file, String(data[secret.field]));
  return { ...answer, data: { ...data, [secret.field]: `written to ${file}` } };
}
