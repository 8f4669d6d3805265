import canonicalize from 'canonicalize';
import { Fault } from '../faults.ts';
import { type EpochMs, isoTime } from '../lib/clock.ts';
import { invariant, present } from '../lib/invariant.ts';
import type { Actor, DecidingColumns, EntryDraft } from '../storage/journal.ts';
import { HASH_BYTES, sha256 } from './merkle.ts';

/** Version of the entry's form. */
const ENTRY_VERSION = 1;
/** Length of the salt in every entry: it makes a leaf that is shown as a bare hash unguessable. */
export const SALT_BYTES = 16;
/** Length of the salt of a private part's commitment. */
export const PRIVATE_SALT_BYTES = 32;
/** The realm of what concerns the appliance itself. */
export const SYSTEM_REALM_NAME = 'system';
/** C2SP tlog-tiles counts the bytes of a leaf in 16 bits; no entry of ours comes near. */
const MAX_ENTRY_BYTES = 65_535;

/** Flat values: random ids, fixed words, counts, digests in hexadecimal, public keys. Never anything personal. */
export type Facts = DecidingColumns;

/**
 * One thing that happened. Everything in it is a random id, a fixed word, a time or a number: what describes a person
 * stands in the private part, of which the entry holds a commitment alone.
 */
export interface Entry {
  /** Place in the ledger, from 0. */
  readonly index: number;
  readonly at: EpochMs;
  /** 16 random bytes. */
  readonly salt: Buffer;
  /** `<tenant id>/<environment>`, or `system` for the appliance itself. */
  readonly realm: string;
  readonly actor: Actor;
  /** `<noun>.<verb>`, e.g. `license.suspended`. */
  readonly action: string;
  readonly target: EntryDraft['target'];
  readonly outcome: EntryDraft['outcome'];
  /** Our own request id, never the caller's. */
  readonly requestId: string;
  /** Digest of the deciding columns before the change. */
  readonly before?: Buffer | undefined;
  /** Digest of the deciding columns after the change. */
  readonly after?: Buffer | undefined;
  /** What an auditor needs in clear: a count, the digest of issued bytes, the keys of a change of key. */
  readonly facts?: Facts | undefined;
  /** Commitment to the private part. */
  readonly private?: Buffer | undefined;
}

/**
 * The canonical bytes of an entry (RFC 8785): members in order of their names, no white space. These bytes are stored,
 * hashed as the leaf, exported, and never made a second time.
 * @throws InvariantViolation when a string is empty or not plain ASCII, a digest is none, or all is over 65 535 bytes
 */
export function encodeEntry(entry: Entry): Buffer {
  checkParts(entry);
  // Written out member by member in canonical order: five times as fast as a general canonicaliser, and equal to it
  // as long as no string needs an escape, which is looked at below.
  const text = JSON.stringify({
    action: entry.action,
    actor: { id: entry.actor.id, kind: entry.actor.kind, via: entry.actor.via },
    after: entry.after?.toString('hex'),
    at: isoTime(entry.at),
    before: entry.before?.toString('hex'),
    facts: entry.facts === undefined ? undefined : sorted(entry.facts),
    index: entry.index,
    outcome: entry.outcome,
    private: entry.private?.toString('hex'),
    realm: entry.realm,
    requestId: entry.requestId,
    salt: entry.salt.toString('hex'),
    target: { id: entry.target.id, kind: entry.target.kind },
    v: ENTRY_VERSION,
  });
  invariant(!text.includes('\\'), 'a ledger entry holds plain words and ids only');
  const bytes = Buffer.from(text, 'utf8');
  invariant(bytes.length === text.length, 'a ledger entry is plain ASCII');
  invariant(bytes.length <= MAX_ENTRY_BYTES, 'a ledger entry fits an entry bundle');
  return bytes;
}

/**
 * The digest in `before` and `after`: SHA-256 over the entry's salt and the RFC 8785 form of the deciding columns.
 * Who holds the row can check it, who does not can guess nothing.
 */
export function decidingDigest(salt: Buffer, columns: DecidingColumns): Buffer {
  const text = JSON.stringify(sorted(columns));
  // A lone surrogate is the one thing a flat object of ours could hold that has no canonical form.
  const canonical = text.includes('\\ud') ? canonicalBytes(columns) : Buffer.from(text, 'utf8');
  return sha256(Buffer.concat([salt, canonical]));
}

/**
 * The commitment in `private`: SHA-256(salt32 ‖ RFC 8785 form). Once the salt is gone nothing can be tested against it.
 * @param salt 32 random bytes, used for this one entry
 */
export function privateCommitment(salt: Buffer, canonical: Buffer): Buffer {
  invariant(salt.length === PRIVATE_SALT_BYTES, 'a commitment hides behind 32 random bytes');
  return sha256(Buffer.concat([salt, canonical]));
}

/** The RFC 8785 form of a JSON value. */
export function canonicalBytes(value: object): Buffer {
  return Buffer.from(present(canonicalize(value), 'a JSON object has a canonical form'), 'utf8');
}

/** An entry as its bytes say it: digests and salts in lower-case hexadecimal, time in ISO 8601. */
export interface EntryDocument {
  readonly v: number;
  readonly index: number;
  readonly at: string;
  readonly salt: string;
  readonly realm: string;
  readonly actor: Actor;
  readonly action: string;
  readonly target: EntryDraft['target'];
  readonly outcome: string;
  readonly requestId: string;
  readonly before?: string;
  readonly after?: string;
  readonly facts?: Facts;
  readonly private?: string;
}

/**
 * Reads the bytes of an entry.
 * @throws Fault LEDGER_INVALID that names what is wrong with it
 */
export function parseEntry(bytes: Buffer): EntryDocument {
  const value = parseObject(bytes);
  if (value['v'] !== ENTRY_VERSION) throw malformed('version is not known');
  for (const name in value) {
    const is = MEMBERS.get(name);
    if (is === undefined) throw malformed(`member ${JSON.stringify(name)} does not belong there`);
    if (!is(value[name])) throw malformed(`member ${name} is not valid`);
  }
  for (const name of REQUIRED) if (value[name] === undefined) throw malformed(`member ${name} is missing`);
  return value as unknown as EntryDocument; // each member was looked at just now
}

type JsonObject = Readonly<Record<string, unknown>>;

function parseObject(bytes: Buffer): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new Fault('LEDGER_INVALID', 'the entry is not JSON', { cause });
  }
  if (!isObject(value)) throw malformed('it is not an object');
  return value;
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): boolean => typeof value === 'string' && value.length > 0;
const matches =
  (pattern: RegExp) =>
  (value: unknown): boolean =>
    typeof value === 'string' && pattern.test(value);
const ACTION = /^[a-z0-9_-]+\.[a-z0-9_-]+$/;
const isDigest = matches(/^[0-9a-f]{64}$/);
const isIdentity =
  (...names: readonly string[]) =>
  (value: unknown): boolean =>
    isObject(value) &&
    Object.keys(value).length === names.length &&
    names.every((name) => isText(value[name]));

/** Every member an entry may have, and what it must look like. */
const MEMBERS = new Map<string, (value: unknown) => boolean>(
  Object.entries({
    action: matches(ACTION),
    actor: isIdentity('id', 'kind', 'via'),
    after: isDigest,
    at: matches(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    before: isDigest,
    facts: isObject,
    index: (value: unknown) => Number.isSafeInteger(value),
    outcome: matches(/^(done|refused)$/),
    private: isDigest,
    realm: isText,
    requestId: isText,
    salt: matches(/^[0-9a-f]{32}$/),
    target: isIdentity('id', 'kind'),
    v: (value: unknown) => value === ENTRY_VERSION,
  }),
);

/** What is written must be readable: an entry that does not parse would spoil every later verification. */
function checkParts({ action, actor, target, ...entry }: Entry): void {
  invariant(ACTION.test(action), 'an action is <noun>.<verb> in lower case');
  const words = [entry.realm, entry.requestId, actor.id, actor.kind, actor.via, target.id, target.kind];
  invariant(words.every(isText), 'an entry says who, what, where and why');
  invariant(entry.salt.length === SALT_BYTES, 'the salt of an entry has 16 bytes');
  const digests = [entry.before, entry.after, entry.private];
  invariant(
    digests.every((digest) => digest === undefined || digest.length === HASH_BYTES),
    'a digest has 32 bytes',
  );
}

const OPTIONAL = new Set(['after', 'before', 'facts', 'private']);
const REQUIRED = [...MEMBERS.keys()].filter((name) => !OPTIONAL.has(name));

const malformed = (why: string): Fault => new Fault('LEDGER_INVALID', `the entry is malformed: ${why}`);

function sorted(values: DecidingColumns): DecidingColumns {
  const names = Object.keys(values).sort();
  // An object lists names that look like array indexes first, whatever the order they were put in.
  invariant(!names.some((name) => /^\d/.test(name)), 'the name of a fact or column begins with a letter');
  return Object.fromEntries(names.map((name) => [name, values[name] ?? null]));
}
