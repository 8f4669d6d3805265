import { createHash, createHmac, hkdfSync } from 'node:crypto';
import { z } from 'zod';
import { Fault } from '../../faults.ts';
import { type EpochMs, isoTime } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { equalBytes, Secret } from '../../lib/secret.ts';
import { Kek } from '../kek.ts';
import { KEY_BYTES, unwrapKey, WRAPPED_BYTES } from '../key-wrap.ts';
import type { SlotKind, SlotSecret } from './slot-secret.ts';

/**
 * A slot file: JSON with two spaces of indent, members in this order, LF at the end. No other spelling is read.
 *
 *     v, name, kind, createdAt, salt(32)
 *     shares        slots of shares alone: of each share, by its index, 16 bytes of an HMAC under the salt (shares.ts)
 *     check(16)     HMAC-SHA-256 under the check key: tells a wrong secret from a damaged file
 *     wrapped(40)   the key-encryption key under the wrap key, RFC 3394
 *     mac(32)       HMAC-SHA-256 under the MAC key over all members before it
 *     digest(32)    SHA-256 over all members before it: finds damage without the secret
 *
 * The three keys: HKDF-SHA-256 (RFC 5869) of what the secret gives, with the salt, info
 * `mintmark/1/slot/<kind>/<name>/<use>`. Bytes are in base64.
 */
export interface SlotRecord {
  readonly v: 1;
  readonly name: string;
  readonly kind: SlotKind;
  readonly createdAt: string;
  readonly salt: string;
  readonly shares?: string[] | undefined;
  readonly check: string;
  readonly wrapped: string;
  readonly mac: string;
  readonly digest: string;
}

/** What a new slot is made from. */
export interface NewSlot {
  readonly name: string;
  readonly secret: SlotSecret;
  readonly kek: Kek;
  readonly now: EpochMs;
}

const SALT_BYTES = 32;
const CHECK_BYTES = 16;
const DIGEST_BYTES = 32;
/** More people than anybody brings together. */
const MAX_SHARES = 16;
const CHECKED_TEXT = 'mintmark slot';

/** Names of slots: also names of files. */
export const SLOT_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;

const base64 = (bytes: number) =>
  z.string().refine((text) => {
    const decoded = Buffer.from(text, 'base64');
    return decoded.length === bytes && decoded.toString('base64') === text;
  });

const RECORD = z.strictObject({
  v: z.literal(1),
  name: z.string().regex(SLOT_NAME),
  kind: z.enum(['passphrase', 'credential', 'recovery', 'shares']),
  createdAt: z.iso.datetime({ precision: 3 }),
  salt: base64(SALT_BYTES),
  shares: z.array(base64(CHECK_BYTES)).min(2).max(MAX_SHARES).optional(),
  check: base64(CHECK_BYTES),
  wrapped: base64(WRAPPED_BYTES),
  mac: base64(DIGEST_BYTES),
  digest: base64(DIGEST_BYTES),
});

type Use = 'check' | 'wrap' | 'mac';

/** Makes the bytes of a slot file that `secret` opens. @throws Fault SLOT_SECRET_WRONG, SEALED */
export async function makeSlotFile(slot: NewSlot, random: Random): Promise<Buffer> {
  const salt = random.bytes(SALT_BYTES);
  const head = { v: 1, name: slot.name, kind: slot.secret.kind, createdAt: isoTime(slot.now) } as const;
  const keys = await SlotKeys.derive(slot.secret, { name: slot.name, salt });
  try {
    const wrapped = slot.kek.wrapSelf(keys.of('wrap')).toString('base64');
    const shares = slot.secret.checks?.(salt);
    const told = shares === undefined ? {} : { shares };
    const body = { ...head, salt: salt.toString('base64'), ...told, check: keys.check(), wrapped };
    const authentic = { ...body, mac: keys.mac(body) };
    return encode({ ...authentic, digest: digestOf(authentic) });
  } finally {
    keys.wipe();
  }
}

/**
 * Reads a slot file without its secret.
 * @throws Fault KEY_STORAGE when it is damaged or stands under another name
 */
export function readSlotFile(name: string, bytes: Buffer): SlotRecord {
  const record = parse(bytes);
  if (record?.name !== name) throw damaged(name);
  const { digest, ...before } = record;
  if (digestOf(before) !== digest || !encode(record).equals(bytes)) throw damaged(name);
  return record;
}

/**
 * Opens a slot file.
 * @throws Fault SLOT_SECRET_WRONG when the secret is of another kind or another one
 * @throws Fault KEY_STORAGE when the file is damaged or was tampered with
 */
export async function openSlotFile(name: string, bytes: Buffer, secret: SlotSecret): Promise<Kek> {
  return withOpened({ name, bytes, secret }, ({ wrapped }, keys) => {
    return new Kek(new Secret(unwrapKey(keys.of('wrap'), Buffer.from(wrapped, 'base64'))));
  });
}

/**
 * The same slot, opened by the same secret, with another key-encryption key in it.
 * @throws as {@link openSlotFile}
 */
export function rewrapSlotFile(file: SlotToOpen, kek: Kek): Promise<Buffer> {
  return withOpened(file, ({ mac: _mac, digest: _digest, ...before }, keys) => {
    const body = { ...before, wrapped: kek.wrapSelf(keys.of('wrap')).toString('base64') };
    const authentic = { ...body, mac: keys.mac(body) };
    return encode({ ...authentic, digest: digestOf(authentic) });
  });
}

/** A slot file and a secret that is to open it. */
export interface SlotToOpen {
  readonly name: string;
  readonly bytes: Buffer;
  readonly secret: SlotSecret;
}

async function withOpened<T>(
  { name, bytes, secret }: SlotToOpen,
  use: (record: SlotRecord, keys: SlotKeys) => T,
): Promise<T> {
  const record = readSlotFile(name, bytes);
  if (record.kind !== secret.kind) throw wrongSecret(name, secret);
  const salt = Buffer.from(record.salt, 'base64');
  const keys = await SlotKeys.derive(secret, { name, salt, checks: record.shares ?? [] });
  try {
    if (!sameText(keys.check(), record.check)) throw wrongSecret(name, secret);
    const { mac, digest: _digest, ...body } = record;
    if (!sameText(keys.mac(body), mac)) throw damaged(name);
    return use(record, keys);
  } finally {
    keys.wipe();
  }
}

/** The keys of one slot, from its secret; wiped after use. */
class SlotKeys {
  readonly #derived: Buffer;
  readonly #made: Buffer[] = [];
  readonly #salt: Buffer;
  readonly #place: string;

  private constructor(derived: Buffer, salt: Buffer, place: string) {
    this.#derived = derived;
    this.#salt = salt;
    this.#place = place;
  }

  static async derive(
    secret: SlotSecret,
    of: { name: string; salt: Buffer; checks?: readonly string[] },
  ): Promise<SlotKeys> {
    return new SlotKeys(await secret.derive(of.salt, of.checks), of.salt, `${secret.kind}/${of.name}`);
  }

  of(use: Use): Buffer {
    const info = `mintmark/1/slot/${this.#place}/${use}`;
    const key = Buffer.from(hkdfSync('sha256', this.#derived, this.#salt, info, KEY_BYTES));
    this.#made.push(key);
    return key;
  }

  check(): string {
    const full = createHmac('sha256', this.of('check')).update(CHECKED_TEXT, 'utf8').digest();
    return full.toString('base64', 0, CHECK_BYTES);
  }

  mac(body: object): string {
    return createHmac('sha256', this.of('mac')).update(JSON.stringify(body), 'utf8').digest('base64');
  }

  wipe(): void {
    for (const key of [this.#derived, ...this.#made]) key.fill(0);
  }
}

function parse(bytes: Buffer): SlotRecord | undefined {
  try {
    return RECORD.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    return undefined; // what is wrong with it is told by whoever knows its name
  }
}

function encode(record: SlotRecord): Buffer {
  return Buffer.from(`${JSON.stringify(record, null, 2)}\n`, 'utf8');
}

function digestOf(before: object): string {
  return createHash('sha256').update(JSON.stringify(before), 'utf8').digest('base64');
}

function sameText(a: string, b: string): boolean {
  return equalBytes(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}

function damaged(name: string): Fault {
  return new Fault(
    'KEY_STORAGE',
    `slot ${name} is damaged; open another slot (docs/custody.md says how to go on)`,
  );
}

function wrongSecret(name: string, { called }: SlotSecret): Fault {
  return new Fault('SLOT_SECRET_WRONG', `${called} does not open slot ${name}`);
}
