import { z } from 'zod';

/** A value that does not fit its schema, as the schema library tells of it. */
export type Issue = z.core.$ZodIssue;

/**
 * Given to a parse as `{ error: unworded }`: what a schema has no words of its own for comes back without words, and
 * `issueWords` finds better ones than the library has.
 */
export const unworded = (): string => '';

/** What `issueWords` looks at: the schema that was not met and the whole input, of which no value is ever repeated. */
export interface IssueContext {
  readonly schema: z.core.$ZodType;
  readonly input: unknown;
}

/** Names that are listed when no near one is found; more are no help. */
const LISTED = 16;
/** Room for values in a message, which has 200 characters: longer lists are in the documentation. */
const LISTED_CHARACTERS = 140;

/** What is wrong, in words for people: `must be a whole number from 1 to 1000`. Never the value: it may be a secret. */
export function issueWords(issue: Issue, { schema, input }: IssueContext): string {
  if (issue.message !== '') return issue.message;
  if (isMissing(issue, input)) return 'is required';
  if (issue.code === 'invalid_value')
    return choiceWords(issue.values.map(String), valueAt(input, issue.path));
  if (issue.code === 'invalid_union') return unionWords(schemaAt(schema, issue.path));
  if (issue.code === 'invalid_format') return formatWords(issue);
  if (issue.code === 'invalid_key') return 'has a member whose name is empty or too long';
  const at = schemaAt(schema, issue.path);
  return at === undefined ? 'is not what it must be' : demandWords(at);
}

/** What is said of a member that a schema does not know, with the known one it comes near to. */
export function unknownWords(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  if (near !== undefined) return `is not known here; did you mean ${JSON.stringify(near)}?`;
  return known.length === 0 || known.length > LISTED
    ? 'is not known here'
    : `is not known here; there is ${known.join(', ')}`;
}

/** Whether a member is wrong because it is not there. */
export function isMissing(issue: Issue, input: unknown): boolean {
  const mayMiss = issue.code === 'invalid_type' || issue.code === 'invalid_value';
  return (mayMiss || issue.code === 'invalid_union') && valueAt(input, issue.path) === undefined;
}

/** The names that the schema at a path has members for; none when it is no object. */
export function knownMembers(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const at = schemaAt(schema, path);
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

/** The schema of the value at a path; undefined where a union leaves it open. */
function schemaAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): z.core.$ZodType | undefined {
  let at: z.core.$ZodType | undefined = bare(schema);
  for (const step of path) {
    const next: z.core.$ZodType | undefined = stepInto(at, step);
    if (next === undefined) return undefined;
    at = bare(next);
  }
  return at;
}

/** Without what only says that it may be absent, null, or left to a default. */
function bare(schema: z.core.$ZodType): z.core.$ZodType {
  let at = schema;
  for (;;) {
    if (at instanceof z.ZodPipe) at = at.in;
    else if (at instanceof z.ZodOptional || at instanceof z.ZodNullable) at = at.unwrap();
    else if (at instanceof z.ZodDefault || at instanceof z.ZodReadonly) at = at.unwrap();
    else return at;
  }
}

function stepInto(schema: z.core.$ZodType, step: PropertyKey): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodObject) {
    const members = new Map<PropertyKey, z.core.$ZodType>(Object.entries(schema.shape));
    return members.get(step);
  }
  if (schema instanceof z.ZodArray) return schema.element;
  return schema instanceof z.ZodRecord ? schema.valueType : undefined;
}

/** What a schema demands, in one phrase, whatever it was that was not met. */
function demandWords(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodNumber) return numberWords(schema);
  if (schema instanceof z.ZodString) {
    return `must be text${rangeWords(schema.minLength, schema.maxLength, 'characters')}`;
  }
  if (schema instanceof z.ZodStringFormat) return FORMATS[schema.format ?? ''] ?? 'must be text';
  if (schema instanceof z.ZodEnum) return choiceWords(schema.options.map(String), undefined);
  if (schema instanceof z.ZodBoolean) return 'must be true or false';
  if (schema instanceof z.ZodArray) return `must be a list${longest(schema)}`;
  if (schema instanceof z.ZodNull) return 'must be null';
  return schema instanceof z.ZodObject || schema instanceof z.ZodRecord
    ? 'must be an object'
    : 'is not what it must be';
}

function numberWords(schema: z.ZodNumber): string {
  const kind = schema.format === null ? 'a number' : 'a whole number';
  const [from, to] = [boundOf(schema.minValue), boundOf(schema.maxValue)];
  if (from !== null && to !== null) return `must be ${kind} from ${String(from)} to ${String(to)}`;
  if (from !== null) return `must be ${kind}, ${String(from)} or more`;
  return to === null ? `must be ${kind}` : `must be ${kind}, ${String(to)} or less`;
}

/** The ends of the exact integers are no bound that somebody chose. */
function boundOf(value: number | null): number | null {
  return value !== null && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : null;
}

function rangeWords(from: number | null, to: number | null, unit: string): string {
  const least = from === null || from === 0 ? null : String(from);
  if (to === null) return least === null ? '' : ` of at least ${least} ${unit}`;
  return least === null ? ` of at most ${String(to)} ${unit}` : ` of ${least} to ${String(to)} ${unit}`;
}

/** The library tells the bounds of a list only among its checks. */
function longest(schema: z.ZodArray): string {
  const checks = (schema.def.checks ?? []).map(({ _zod }) => _zod.def);
  const most = checks.find(({ check }) => check === 'max_length');
  return most !== undefined && 'maximum' in most ? ` of at most ${String(most.maximum)} items` : '';
}

function choiceWords(values: readonly string[], given: unknown): string {
  const near = typeof given === 'string' ? nearest(given, values) : undefined;
  const hint = near !== undefined && values.length > 2 ? `; did you mean ${near}?` : '';
  const [only, ...others] = values;
  if (others.length === 0) return `must be ${only ?? 'nothing'}`;
  const list = values.join(', ');
  return `must be one of ${list.length <= LISTED_CHARACTERS ? list : 'the known values'}${hint}`;
}

function unionWords(schema: z.core.$ZodType | undefined): string {
  const options = schema instanceof z.ZodUnion ? schema.options : [];
  const demands = options.map((one) => demandWords(bare(one))).filter((words) => words.startsWith(MUST));
  const [first, ...others] = [...new Set(demands)];
  if (first === undefined) return 'has none of the forms it may have';
  return [first, ...others.map((words) => words.slice(MUST.length))].join(', or ');
}

const MUST = 'must be ';

const FORMATS: Readonly<Record<string, string>> = {
  datetime: 'must be a time in ISO 8601, such as 2027-01-31T00:00:00.000Z',
  date: 'must be a date such as 2027-01-31',
  email: 'must be an e-mail address',
  base64: 'must be base64',
  base64url: 'must be base64url without padding',
};

/** How schemas write the form of ids (src/lib/ulid.ts). */
const ID_PATTERN = /^\/\^([a-z]+)_\[0-9A-HJKMNP-TV-Z\]\{26\}\$\/$/;

function formatWords(issue: Issue & { code: 'invalid_format' }): string {
  const words = FORMATS[issue.format];
  if (words !== undefined) return words;
  const prefix = ID_PATTERN.exec(issue.pattern ?? '')?.[1];
  if (prefix !== undefined) return `must be an id: ${prefix}_ and 26 letters and digits`;
  return issue.pattern === undefined
    ? 'has not the form it must have'
    : `must have the form ${issue.pattern}`;
}

/** The value at a path, of what is an own member alone. */
function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step]; // an own member, as the line above has seen
  }
  return value;
}

/** Letters that a name must share with the beginning of a longer one to be taken for it. */
const BEGINNING = 4;
/** A name that is much longer is no misspelling of ours, and need not be compared. */
const COMPARED_CHARACTERS = 64;

/** The known name that a mistyped one is nearest to: at most a third of its letters differ. Undefined: none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > COMPARED_CHARACTERS) return undefined;
  const typed = plain(name);
  const longer = known.find((candidate) => typed.length >= BEGINNING && plain(candidate).startsWith(typed));
  if (longer !== undefined) return longer;
  const scored = known.map((candidate) => ({ candidate, distance: distanceOf(typed, plain(candidate)) }));
  const best = scored.toSorted((a, b) => a.distance - b.distance)[0];
  const allowed = Math.max(1, Math.floor(typed.length / 3));
  return best !== undefined && best.distance <= allowed ? best.candidate : undefined;
}

/** `max-machines`, `MaxMachines` and `max_machines` mean the same. */
const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_ .]/g, '');

/** Letters to change, add or drop to make one of the other (Levenshtein). */
function distanceOf(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
