import { demandForm } from './refusal.ts';

/** What JSON can say. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

const MAX_DEPTH = 32;
const MAX_KEYS = 1000;

/** Names that reach beyond the object in JavaScript. */
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);

const WHITE_SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** A run of a string's characters that need no escape, and the two kinds of escape. */
const PLAIN = /[ !#-[\]-\uffff]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const WORD = /true|false|null/y;

const SHORT_ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
const WORDS: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };

/** A pair is one code point under `u`, and none of this kind. */
const UNPAIRED_SURROGATE = /\p{Surrogate}/u;

/**
 * Reads JSON (RFC 8259) that two readers cannot understand differently (RFC 7493): no member twice, no unpaired
 * surrogate, no number beyond a double, at most 32 levels and 1000 members in one object, nothing after the value.
 * @throws Refusal MALFORMED
 */
export function readJson(text: string): JsonValue {
  const reader = new Reader(text);
  const value = reader.value(1);
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): JsonValue {
    demandForm(depth <= MAX_DEPTH, 'the JSON is nested too deeply');
    this.#take(WHITE_SPACE);
    const value = this.#bare(depth);
    this.#take(WHITE_SPACE);
    return value;
  }

  end(): void {
    demandForm(this.#at === this.#text.length, 'something follows the JSON');
  }

  #bare(depth: number): JsonValue {
    const first = this.#text.charAt(this.#at);
    if (first === '{') return this.#object(depth);
    if (first === '[') return this.#array(depth);
    if (first === '"') return this.#string();
    const word = this.#take(WORD);
    return word === '' ? this.#number() : (WORDS[word] ?? null);
  }

  #object(depth: number): JsonObject {
    const object: Record<string, JsonValue> = {};
    const seen = new Set<string>();
    this.#members('}', () => {
      this.#take(WHITE_SPACE);
      const key = this.#string();
      demandForm(!seen.has(key) && !FORBIDDEN.has(key), 'a JSON member is repeated or forbidden');
      demandForm(seen.add(key).size <= MAX_KEYS, 'a JSON object has too many members');
      this.#take(WHITE_SPACE);
      this.#expect(':');
      object[key] = this.value(depth + 1);
    });
    return object;
  }

  #array(depth: number): JsonValue[] {
    const array: JsonValue[] = [];
    this.#members(']', () => array.push(this.value(depth + 1)));
    return array;
  }

  /** Reads the elements between a bracket and its counterpart. */
  #members(close: string, element: () => void): void {
    this.#at++;
    this.#take(WHITE_SPACE);
    if (this.#passes(close)) return;
    for (;;) {
      element();
      if (this.#passes(close)) return;
      this.#expect(',');
    }
  }

  #string(): string {
    this.#expect('"');
    let text = this.#take(PLAIN);
    while (this.#text.charAt(this.#at) === '\\') {
      text += unescape(this.#take(ESCAPE));
      text += this.#take(PLAIN);
    }
    this.#expect('"');
    demandForm(!UNPAIRED_SURROGATE.test(text), 'a JSON string has half a character');
    return text;
  }

  #number(): number {
    const text = this.#take(NUMBER);
    demandForm(text !== '' && Number.isFinite(Number(text)), 'the JSON is not well formed');
    return Number(text);
  }

  /** Whether this character is next; then it is behind us. */
  #passes(character: string): boolean {
    const isNext = this.#text.charAt(this.#at) === character;
    if (isNext) this.#at++;
    return isNext;
  }

  #expect(character: string): void {
    demandForm(this.#passes(character), 'the JSON is not well formed');
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const taken = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += taken.length;
    return taken;
  }
}

function unescape(escape: string): string {
  demandForm(escape !== '', 'a JSON string has a wrong escape');
  const letter = escape.charAt(1);
  if (letter === 'u') return String.fromCharCode(parseInt(escape.slice(2), 16));
  return SHORT_ESCAPES[letter] ?? letter;
}
