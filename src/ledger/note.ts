import { createPublicKey, verify } from 'node:crypto';
import { Fault } from '../faults.ts';
import { invariant } from '../lib/invariant.ts';
import { sha256 } from './merkle.ts';

/**
 * Signed notes (C2SP signed-note): a text that ends in a newline, an empty line, and one line per signature:
 *
 *   — <key name> <base64 of key id (4 bytes) ‖ signature>
 */
const SIGNATURE_MARK = '— ';
/** Signature type of Ed25519 (C2SP signed-note, Signature types). */
const ED25519 = 0x01;
const KEY_ID_BYTES = 4;
const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** More signatures than this on one note are refused unread. */
const MAX_SIGNATURES = 16;

/** A key that verifies notes, under the name it signs with. */
export interface VerifierKey {
  /** No spaces, no `+`. */
  readonly name: string;
  /** First 4 bytes of SHA-256(name ‖ LF ‖ 0x01 ‖ public key), in hexadecimal. */
  readonly id: string;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Buffer;
}

/** Signs notes. The private key stays where it is: only the message travels. */
export interface NoteSigner {
  readonly key: VerifierKey;
  /** The 64-byte Ed25519 signature of exactly these bytes. */
  readonly sign: (message: Buffer) => Promise<Uint8Array>;
}

/** A note taken apart; nothing is verified yet. */
export interface Note {
  readonly text: string;
  readonly signatures: readonly { readonly name: string; readonly id: string; readonly signature: Buffer }[];
}

/** The verifier key of an Ed25519 public key (32 bytes) under a name. */
export function verifierKey(name: string, publicKey: Uint8Array): VerifierKey {
  invariant(/^[^\s+]+$/.test(name), 'a note is signed under a name without spaces and plus signs');
  invariant(publicKey.length === PUBLIC_KEY_BYTES, 'an ed25519 public key has 32 bytes');
  const typed = Buffer.concat([Buffer.of(ED25519), publicKey]);
  const id = sha256(Buffer.concat([Buffer.from(`${name}\n`, 'utf8'), typed])).toString(
    'hex',
    0,
    KEY_ID_BYTES,
  );
  return { name, id, publicKey: Buffer.from(publicKey) };
}

/** The one-line form of a verifier key: `<name>+<id>+<base64 of type ‖ public key>`. */
export function formatVerifierKey({ name, id, publicKey }: VerifierKey): string {
  return `${name}+${id}+${Buffer.concat([Buffer.of(ED25519), publicKey]).toString('base64')}`;
}

/**
 * Reads the one-line form of a verifier key.
 * @throws Fault LEDGER_INVALID when it is not one, or its id is not that of its key
 */
export function parseVerifierKey(line: string): VerifierKey {
  const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(line) ?? [];
  const typed = encoded === undefined ? undefined : strictBase64(encoded);
  if (name === undefined || typed?.length !== 1 + PUBLIC_KEY_BYTES || typed[0] !== ED25519) {
    throw new Fault('LEDGER_INVALID', 'the verifier key is not of the form name+id+base64 of an ed25519 key');
  }
  const key = verifierKey(name, typed.subarray(1));
  if (key.id !== id) throw new Fault('LEDGER_INVALID', 'the id of the verifier key is not that of its key');
  return key;
}

/**
 * Signs a text with every signer, in their order, and releases the note only when each signature verifies.
 * @throws whatever a signer throws; InvariantViolation when a signature does not verify
 */
export async function signNote(text: string, signers: readonly NoteSigner[]): Promise<string> {
  invariant(text.endsWith('\n') && !text.includes('\n\n'), 'a note is lines of text without an empty one');
  const message = Buffer.from(text, 'utf8');
  const lines = await Promise.all(signers.map((signer) => signatureLine(message, signer)));
  return `${text}\n${lines.join('')}`;
}

/**
 * Takes a note apart.
 * @throws Fault LEDGER_INVALID when it is not a signed note
 */
export function parseNote(note: string): Note {
  const split = note.indexOf('\n\n');
  const lines = note.slice(split + 2).split('\n');
  if (split < 1 || lines.pop() !== '' || lines.length === 0 || lines.length > MAX_SIGNATURES) {
    throw new Fault('LEDGER_INVALID', 'the note is not a text, an empty line and signature lines');
  }
  return { text: note.slice(0, split + 1), signatures: lines.map(parseSignature) };
}

/** Whether the note carries a valid signature by `key`; signatures of other keys are passed over. Never throws. */
export function isSignedBy(note: Note, key: VerifierKey): boolean {
  const own = note.signatures.filter(({ name, id }) => name === key.name && id === key.id);
  return own.length > 0 && own.every(({ signature }) => isValid(note.text, signature, key));
}

async function signatureLine(message: Buffer, { key, sign }: NoteSigner): Promise<string> {
  const signature = Buffer.from(await sign(message));
  invariant(isValid(message, signature, key), 'a signature that does not verify is never released');
  const encoded = Buffer.concat([Buffer.from(key.id, 'hex'), signature]).toString('base64');
  return `${SIGNATURE_MARK}${key.name} ${encoded}\n`;
}

function parseSignature(line: string): Note['signatures'][number] {
  const [, name, encoded] = /^— ([^\s+]+) ([A-Za-z0-9+/=]+)$/u.exec(line) ?? [];
  const bytes = encoded === undefined ? undefined : strictBase64(encoded);
  if (name === undefined || bytes === undefined || bytes.length <= KEY_ID_BYTES) {
    throw new Fault('LEDGER_INVALID', 'a signature line of the note is malformed');
  }
  return { name, id: bytes.toString('hex', 0, KEY_ID_BYTES), signature: bytes.subarray(KEY_ID_BYTES) };
}

function isValid(text: string | Buffer, signature: Buffer, key: VerifierKey): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: key.publicKey.toString('base64url') };
  const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
  return verify(null, Buffer.from(text), publicKey, signature);
}

/** Base64 in its one canonical form, or nothing: two spellings of one signature would be two notes. */
function strictBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
