import type { Answered } from '../support/daemon.ts';
import { mutate } from './mutations.ts';

type Schema = Readonly<Record<string, unknown>>;

/** One operation of the OpenAPI document. */
export interface Operation {
  readonly method: string;
  /** Below `/api/v1`, with `{parameters}`. */
  readonly path: string;
  readonly body: Schema | null;
  readonly query: readonly { readonly name: string; readonly schema: Schema }[];
}

/** A request as it goes over the wire: the body is bytes, since it need not be JSON any more. */
export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer | null;
}

/** Ids and other values that lead somewhere, by the name of the member or path parameter that takes them. */
export type KnownValues = Readonly<Record<string, unknown>>;

/** The operations of an OpenAPI document, those at the operator's socket too. */
export function operationsOf(document: Readonly<Record<string, unknown>>): Operation[] {
  const paths = document['paths'] as Record<string, Record<string, Schema>>; // OpenAPI 3.1 §4.8.8
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path: path.replace(/^\/api\/v1/, ''),
      body: bodySchema(operation),
      query: queryOf(operation),
    })),
  );
}

function bodySchema(operation: Schema): Schema | null {
  const body = operation['requestBody'] as { content: Record<string, { schema: Schema }> } | undefined;
  return body?.content['application/json']?.schema ?? null;
}

function queryOf(operation: Schema): Operation['query'] {
  const parameters = (operation['parameters'] ?? []) as { in: string; name: string; schema: Schema }[];
  return parameters.filter((parameter) => parameter.in === 'query');
}

/** Makes requests for an operation: as its schema says, then broken in one place or several. */
export class RequestMaker {
  readonly #random: () => number;
  readonly #known: KnownValues;

  constructor(random: () => number, known: KnownValues) {
    this.#random = random;
    this.#known = known;
  }

  make(operation: Operation): RawRequest {
    const sound = operation.body === null ? null : this.#valueOf(operation.body, '');
    const body = sound === null ? null : mutate(sound, this.#random);
    return {
      method: operation.method,
      path: this.#pathOf(operation) + this.#queryOf(operation),
      headers: { ...(body === null ? {} : { 'content-type': 'application/json' }), ...this.#oddHeaders() },
      body,
    };
  }

  #pathOf({ path }: Operation): string {
    const [, resource = ''] = path.split('/');
    return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      const known = this.#known[name === 'id' ? resource : name];
      const strange = ['%00', '..', '%2e%2e%2f', 'null', 'x'.repeat(300), '%F0%9F%94%91', "' OR 1=1 --"];
      const odd = encodeURI(this.#oneOf(strange)).replaceAll('%25', '%');
      return typeof known === 'string' && this.#random() < 0.9 ? known : odd;
    });
  }

  #queryOf({ query }: Operation): string {
    const odd = [
      '',
      '-1',
      '0',
      '101',
      '1e9',
      '%00',
      'é',
      '[]',
      '{"a":1}',
      '2026-13-45',
      'null',
      'x'.repeat(400),
    ];
    const members = query
      .filter(() => this.#random() < 0.3)
      .map(({ name, schema }) => {
        const sound = this.#random() < 0.5;
        const value = sound ? (this.#known[name] ?? this.#valueOf(schema, name)) : this.#oneOf(odd);
        return `${name}=${encodeURIComponent(String(value)).replaceAll('%25', '%')}`;
      });
    if (this.#random() < 0.05) members.push(members[0] ?? 'unknown=1');
    return members.length === 0 ? '' : `?${members.join('&')}`;
  }

  #oddHeaders(): Record<string, string> {
    if (this.#random() < 0.8) return {};
    return this.#oneOf([
      { 'if-match': '"' },
      { 'if-match': `"${'a'.repeat(900)}"` },
      { 'idempotency-key': String(this.#random()) },
      { 'idempotency-key': 'k'.repeat(129) },
      { 'content-type': 'application/xml' },
      { 'content-type': 'application/json; charset=utf-16' },
      { accept: 'application/octet-stream' },
      { 'x-request-id': '<script>' },
      { traceparent: '00-zz-zz-zz' },
      { 'x-publishable-key': 'pk_live_x' },
    ]);
  }

  /** A value that the schema allows, where that can be read off it; known values by the name of the member. */
  #valueOf(schema: Schema, name: string): unknown {
    if (name in this.#known) return this.#known[name];
    if ('const' in schema) return schema['const'];
    if (Array.isArray(schema['enum'])) return this.#oneOf(schema['enum'] as unknown[]);
    const options = schema['anyOf'] ?? schema['oneOf'];
    if (Array.isArray(options)) return this.#valueOf(this.#oneOf(options as Schema[]), name);
    const make = VALUES[String(schema['type'])];
    return make === undefined
      ? {}
      : make(schema, { random: this.#random, name, of: this.#valueOf.bind(this) });
  }

  #oneOf<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random() * values.length)] as T; // the lists here are never empty
  }
}

interface Making {
  readonly random: () => number;
  readonly name: string;
  readonly of: (schema: Schema, name: string) => unknown;
}

const VALUES: Readonly<Record<string, (schema: Schema, making: Making) => unknown>> = {
  null: () => null,
  boolean: (_, { random }) => random() < 0.5,
  integer: (schema, { random }) => {
    const least = Number(schema['minimum'] ?? 0);
    const most = Math.min(Number(schema['maximum'] ?? 1000), least + 1000);
    return least + Math.floor(random() * (most - least));
  },
  number: (_, { random }) => random() * 100,
  string: (schema, { random }) => {
    if (schema['format'] === 'date-time') return new Date(Date.now() + random() * 1e11).toISOString();
    const length = Math.max(
      Number(schema['minLength'] ?? 1),
      Math.min(12, Number(schema['maxLength'] ?? 12)),
    );
    return `v${Math.floor(random() * 1e15).toString(36)}`.padEnd(length, 'x').slice(0, length);
  },
  array: (schema, { of, name, random }) =>
    Array.from({ length: Math.floor(random() * 3) }, () => of((schema['items'] ?? {}) as Schema, name)),
  object: (schema, { of, random }) => {
    const required = new Set((schema['required'] ?? []) as string[]);
    const members = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>)
      .filter(([name]) => required.has(name) || random() < 0.15)
      .map(([name, member]) => [name, of(member, name)]);
    return Object.fromEntries(members) as unknown;
  },
};

/** What must never stand in an answer: where in our code something happened, or what a library said of it. */
const INSIDE =
  /\bat [^"]{0,200}\(|node_modules|file:\/\/|\.ts:\d|sqlite|TypeError|ZodError|Invariant|undefined is not/i;

/** What is wrong with an answer to a broken request; undefined: nothing. */
export function faultOf(answer: Answered, text: string): string | undefined {
  if (answer.status >= 500) return `status ${String(answer.status)}`;
  if (INSIDE.test(text)) return 'shows the inside';
  if (answer.status < 400) return undefined;
  if (answer.headers.get('content-type')?.startsWith('application/problem+json') !== true)
    return 'is no problem document';
  const code = answer.body['code'];
  return typeof code === 'string' && /^[A-Z_]+$/.test(code) ? undefined : 'has no code';
}
