import { Fault } from '../faults.ts';

/** What JSON can say. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;

/** A JSON object, as read. */
export interface JsonObject {
  [key: string]: JsonValue;
}

/** How large a document may be. */
export interface JsonLimits {
  /** UTF-8 bytes of the whole document. */
  readonly maxBytes: number;
  /** Levels of nesting, the outermost value included. */
  readonly maxDepth?: number;
  /** Members of one object. */
  readonly maxKeys?: number;
}

/** Deeper or wider than any document of the API; beyond them only attacks are found. */
const DEFAULT_MAX_DEPTH = 32;
const DEFAULT_MAX_KEYS = 1000;

/**
 * Names that reach beyond the object in JavaScript, or stand in for what every object does: comparing a value with a
 * `toString` of its own throws, also inside a schema that was about to refuse it.
 */
const FORBIDDEN: ReadonlySet<string> = new Set([
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
]);

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COMMA = 0x2c;

/**
 * Reads JSON (RFC 8259) that no two readers can understand differently (RFC 7493, I-JSON): no member twice, no unpaired
 * surrogate, no number beyond a double, no `__proto__`, `constructor`, `prototype`, `toString` or `valueOf`, bounded in
 * size, depth and width.
 * @param source a text, or its UTF-8 bytes without byte order mark
 * @throws Fault BODY_TOO_LARGE, or MALFORMED saying what was wrong, never quoting the document
 */
export function parseStrictJson(source: string | Uint8Array, limits: JsonLimits): JsonValue {
  const text = decode(source, limits.maxBytes);
  scan(text, limits);
  return parse(text);
}

function decode(source: string | Uint8Array, maxBytes: number): string {
  const bytes = typeof source === 'string' ? Buffer.byteLength(source) : source.length;
  if (bytes > maxBytes) {
    const sizes = `${bytes.toString()} bytes, at most ${maxBytes.toString()} are read`;
    throw new Fault('BODY_TOO_LARGE', `the JSON has ${sizes}; send less`);
  }
  if (typeof source === 'string') return source;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(source);
  } catch {
    throw malformed('it is not UTF-8');
  }
}

/** The grammar is the engine's to judge; what it tolerates was refused by the scan. */
function parse(text: string): JsonValue {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue; // JSON.parse is typed `any`; this is all it can return
  } catch {
    throw malformed('it is not well formed');
  }
  refuseHuge(value);
  return value;
}

/** `1e999` would silently become Infinity, which JSON cannot say. A walk, because a reviver costs ten times as much. */
function refuseHuge(value: JsonValue): void {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw malformed('a number is too large');
  } else if (typeof value === 'object' && value !== null) {
    for (const member of Array.isArray(value) ? value : Object.values(value)) refuseHuge(member);
  }
}

function malformed(what: string): Fault {
  return new Fault('MALFORMED', `the JSON cannot be read: ${what}; correct it and send it again`);
}

/** An object or array that is still open: the names seen in an object, undefined in an array. */
interface Level {
  readonly names: Set<string> | undefined;
  /** Whether the next string is a member name. */
  nameNext: boolean;
}

/**
 * Walks the brackets and strings of a text before it is parsed. Exact for well-formed JSON; on anything else it may
 * stop anywhere, because the parser then refuses the text.
 */
function scan(text: string, limits: JsonLimits): void {
  const levels: Level[] = [];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = scanString(text, at, { level: levels.at(-1), limits });
    else if (code === OPEN_OBJECT || code === OPEN_ARRAY) open(levels, code === OPEN_OBJECT, limits);
    else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) levels.pop();
    else if (code === COMMA) nameNext(levels.at(-1));
  }
}

function open(levels: Level[], isObject: boolean, limits: JsonLimits): void {
  const maxDepth = limits.maxDepth ?? DEFAULT_MAX_DEPTH;
  if (levels.length >= maxDepth) throw malformed(`it is nested deeper than ${maxDepth.toString()} levels`);
  levels.push({ names: isObject ? new Set() : undefined, nameNext: isObject });
}

function nameNext(level: Level | undefined): void {
  if (level?.names !== undefined) level.nameNext = true;
}

/** Passes over a string that begins at `start` and returns where its closing quote stands. */
function scanString(
  text: string,
  start: number,
  context: { readonly level: Level | undefined; readonly limits: JsonLimits },
): number {
  let end = start + 1;
  let escaped = false;
  for (let code = text.charCodeAt(end); end < text.length && code !== QUOTE; code = text.charCodeAt(end)) {
    if (code === BACKSLASH) escaped = true;
    end += code === BACKSLASH ? 2 : 1;
  }
  // Without an escape a string is what stands between its quotes; whether it may stand there, the parser judges.
  const value = escaped ? unquote(text.slice(start, end + 1)) : text.slice(start + 1, end);
  if (!value.isWellFormed()) throw malformed('a string has half a character (an unpaired surrogate)');
  const { level, limits } = context;
  if (level?.names !== undefined && level.nameNext) {
    level.nameNext = false;
    addName(level.names, value, limits);
  }
  return end;
}

function unquote(literal: string): string {
  const value = parse(literal);
  if (typeof value !== 'string') throw malformed('it is not well formed');
  return value;
}

function addName(names: Set<string>, name: string, limits: JsonLimits): void {
  const maxKeys = limits.maxKeys ?? DEFAULT_MAX_KEYS;
  if (names.has(name)) throw malformed('an object has the same member twice');
  if (FORBIDDEN.has(name)) throw malformed('a member has a name that is not allowed');
  if (names.size >= maxKeys) throw malformed(`an object has more than ${maxKeys.toString()} members`);
  names.add(name);
}
