import fc from 'fast-check';

/** A JSON Schema as the OpenAPI document has it; only what our own schemas use is read. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A schema is followed this far; what lies deeper is left out. */
const DEPTH = 5;
const EXTRA_MEMBERS = 3;
const ITEMS = 4;
const STRING_CHARACTERS = 300;

/** Ids that exist, by the name of the member that refers to them (`productId`). */
export type KnownIds = ReadonlyMap<string, readonly string[]>;

/** Values that fit a schema, more or less: what a well-meaning client sends. */
export function fitting(schema: JsonSchema, ids: KnownIds, depth = DEPTH): fc.Arbitrary<unknown> {
  const choices = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(choices) && depth > 0) {
    return fc.oneof(...(choices as JsonSchema[]).map((choice) => fitting(choice, ids, depth - 1)));
  }
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as unknown[]));
  if ('const' in schema) return fc.constant(schema['const']);
  switch (schema['type']) {
    case 'string':
      return fittingString(schema);
    case 'integer':
      return fittingInteger(schema);
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return depth === 0 ? fc.constant([]) : fittingArray(schema, ids, depth);
    case 'object':
      return depth === 0 ? fc.constant({}) : fittingObject(schema, ids, depth);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function fittingString(schema: JsonSchema): fc.Arbitrary<unknown> {
  const { pattern, format } = schema;
  if (format === 'date-time') {
    return fc
      .date({ min: new Date('2020-01-01'), max: new Date('2090-01-01'), noInvalidDate: true })
      .map((date) => date.toISOString());
  }
  if (typeof pattern === 'string' && pattern.length < STRING_CHARACTERS)
    return fc.stringMatching(new RegExp(pattern, 'u'));
  const minLength = Math.min(numberIn(schema, 'minLength', 0), STRING_CHARACTERS);
  const maxLength = Math.max(minLength, Math.min(numberIn(schema, 'maxLength', 40), STRING_CHARACTERS));
  return fc.string({ minLength, maxLength, unit: 'grapheme' });
}

function fittingInteger(schema: JsonSchema): fc.Arbitrary<unknown> {
  const min = Math.max(numberIn(schema, 'minimum', -1000), Number.MIN_SAFE_INTEGER);
  const max = Math.min(numberIn(schema, 'maximum', 100_000), Number.MAX_SAFE_INTEGER);
  return fc.integer({ min, max: Math.max(min, max) });
}

function fittingArray(schema: JsonSchema, ids: KnownIds, depth: number): fc.Arbitrary<unknown> {
  const maxLength = Math.min(numberIn(schema, 'maxItems', ITEMS), ITEMS);
  return fc.array(fitting(schemaIn(schema, 'items'), ids, depth - 1), { maxLength });
}

function fittingObject(schema: JsonSchema, ids: KnownIds, depth: number): fc.Arbitrary<unknown> {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>; // an object of schemas
  const required = new Set((schema['required'] ?? []) as readonly string[]); // a list of names
  const members = Object.entries(properties).map(([name, member]) => {
    const known = ids.get(name) ?? [];
    const value = fitting(member, ids, depth - 1);
    const referring =
      known.length === 0 ? value : fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...known) }, value);
    return [name, required.has(name) ? referring : fc.option(referring, { nil: undefined })] as const;
  });
  const own = fc.record(Object.fromEntries(members)).map(withoutUndefined);
  const { additionalProperties } = schema;
  if (typeof additionalProperties !== 'object' || additionalProperties === null) return own;
  const value = fitting(additionalProperties as JsonSchema, ids, depth - 1); // the schema of members without a name
  const extra = fc.dictionary(fc.stringMatching(/^[a-z]{1,10}$/), value, { maxKeys: EXTRA_MEMBERS });
  return fc.tuple(own, extra).map(([named, unnamed]) => ({ ...unnamed, ...named }));
}

function withoutUndefined(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
}

function numberIn(schema: JsonSchema, name: string, otherwise: number): number {
  const value = schema[name];
  return typeof value === 'number' ? value : otherwise;
}

function schemaIn(schema: JsonSchema, name: string): JsonSchema {
  const value = schema[name];
  return typeof value === 'object' && value !== null ? (value as JsonSchema) : {}; // a schema is an object
}

/** Values that no client means well with. */
const HOSTILE: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    ...[
      null,
      true,
      -1,
      0,
      1e308,
      -0,
      2 ** 53,
      0.1,
      '',
      ' ',
      '\0',
      '\u202e',
      '\ud800',
      "' OR 1=1 --",
      '../../etc/passwd',
    ],
    ...['%00', '${7*7}', '<script>', 'a'.repeat(10_000), [], {}, [[]], { a: { b: { c: {} } } }],
    Array.from({ length: 200 }, (_, at) => at),
    Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`k${at}`, at])),
  ),
  fc.jsonValue({ maxDepth: 4 }),
  fc.string({ unit: 'binary', maxLength: 50 }),
);

/** Spoils a value in one place: a member is changed, dropped, added, or the whole is something else. */
export function spoiled(value: unknown): fc.Arbitrary<unknown> {
  if (Array.isArray(value)) {
    const list: readonly unknown[] = value;
    return fc.oneof(
      HOSTILE,
      HOSTILE.map((item) => [...list, item]),
    );
  }
  if (typeof value !== 'object' || value === null) return HOSTILE;
  const members = Object.entries(value);
  const added = fc
    .tuple(fc.string({ maxLength: 20 }), HOSTILE)
    .map(([name, extra]) => entriesWith(members, name, extra));
  if (members.length === 0) return fc.oneof(HOSTILE, added);
  const [changed, dropped] = [fc.constantFrom(...members), fc.constantFrom(...members)];
  return fc.oneof(
    { weight: 1, arbitrary: HOSTILE },
    { weight: 2, arbitrary: added },
    {
      weight: 2,
      arbitrary: dropped.map(([name]) => Object.fromEntries(members.filter(([other]) => other !== name))),
    },
    {
      weight: 4,
      arbitrary: changed.chain(([name, old]) => spoiled(old).map((next) => entriesWith(members, name, next))),
    },
  );
}

function entriesWith(members: readonly (readonly [string, unknown])[], name: string, value: unknown): object {
  // A member named `__proto__` must arrive as one: no assignment is made here.
  return Object.fromEntries([...members.filter(([other]) => other !== name), [name, value]]);
}
