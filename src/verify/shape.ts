import { demandForm } from './refusal.ts';
import type { JsonObject, JsonValue } from './strict-json.ts';

// Readers of one member each. All throw Refusal MALFORMED naming the member.

const own = (object: JsonObject, key: string): JsonValue | undefined =>
  Object.hasOwn(object, key) ? object[key] : undefined;

function wrong(key: string): string {
  return `the member ${key} is missing or of the wrong kind`;
}

/** A value that is a JSON object; `name` is for the message. */
export function asObject(value: JsonValue | undefined, name: string): JsonObject {
  demandForm(isObject(value), wrong(name));
  return value;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member that is an object. */
export function objectAt(object: JsonObject, key: string): JsonObject {
  return asObject(own(object, key), key);
}

/** A member that is an array of objects. */
export function objectsAt(object: JsonObject, key: string): readonly JsonObject[] {
  return arrayAt(object, key).map((item) => asObject(item, key));
}

function arrayAt(object: JsonObject, key: string): readonly JsonValue[] {
  const value = own(object, key);
  demandForm(Array.isArray(value), wrong(key));
  // Array.isArray does not narrow a readonly array; the value is one of JsonValue's arrays.
  return value as readonly JsonValue[];
}

/** A member that is a string. */
export function stringAt(object: JsonObject, key: string): string {
  const value = own(object, key);
  demandForm(typeof value === 'string', wrong(key));
  return value;
}

/** A member that is an array of strings. */
export function stringsAt(object: JsonObject, key: string): readonly string[] {
  return arrayAt(object, key).map((item) => {
    demandForm(typeof item === 'string', wrong(key));
    return item;
  });
}

/** A member that is an integer ≥ 0. */
export function countAt(object: JsonObject, key: string): number {
  const value = own(object, key);
  demandForm(typeof value === 'number' && Number.isSafeInteger(value) && value >= 0, wrong(key));
  return value;
}

/** A member that is one of a few strings. */
export function choiceAt<T extends string>(object: JsonObject, key: string, choices: readonly T[]): T {
  const text = stringAt(object, key);
  const choice = choices.find((candidate) => candidate === text);
  demandForm(choice !== undefined, wrong(key));
  return choice;
}

/** A member that is a time in milliseconds, written exactly as `2026-01-31T09:30:00.000Z`. */
export function timeAt(object: JsonObject, key: string): number {
  const text = stringAt(object, key);
  const time = Date.parse(text);
  const exact = Number.isFinite(time) && new Date(time).toISOString() === text;
  demandForm(exact, wrong(key));
  return time;
}

/** A member that is absent or null, or what `read` makes of it. */
export function optionalAt<T>(
  object: JsonObject,
  key: string,
  read: (object: JsonObject, key: string) => T,
): T | undefined {
  const value = own(object, key);
  return value === undefined || value === null ? undefined : read(object, key);
}

/** A member that is true or false. */
export function booleanAt(object: JsonObject, key: string): boolean {
  demandForm(typeof own(object, key) === 'boolean', wrong(key));
  return flagAt(object, key);
}

/** Whether a member is there and true. @throws Refusal MALFORMED when it is anything but a boolean */
export function flagAt(object: JsonObject, key: string): boolean {
  const value = own(object, key);
  demandForm(value === undefined || typeof value === 'boolean', wrong(key));
  return value === true;
}
