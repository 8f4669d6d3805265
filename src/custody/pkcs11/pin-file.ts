import { createHmac } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Secret } from '../../lib/secret.ts';
import { TokenError } from './cryptoki.ts';

/** The longest PIN of any token we know has 255 bytes (SoftHSM). */
const MAX_PIN_BYTES = 1024;
const OTHERS = 0o077;
/** systemd hands credentials over here, readable to the group by their mode and to the service alone by their ACL. */
const HANDED_OVER = '/run/credentials/';
const STRANGERS = 0o007;

/** A PIN as its file has it. */
export interface PinRead {
  readonly pin: Secret;
  /** HMAC-SHA-256 of the PIN: tells two PINs apart, and says nothing to who has not the key. */
  readonly digest: Buffer;
}

/**
 * Reads the PIN of a token: the whole file without one line end. What would cost an attempt for nothing (a stray control
 * character, a second line) is refused here.
 * @throws TokenError setup
 */
export function readPin(path: string, digestKey: Buffer): PinRead {
  const bytes = readPrivate(path);
  const text = bytes.toString('utf8').replace(/\r?\n$/, '');
  bytes.fill(0);
  if (text === '' || /[\p{Cc}\uFFFD]/u.test(text)) {
    throw setup(`${path} holds no PIN: one line of text, with nothing but the PIN`);
  }
  return { pin: new Secret(text), digest: createHmac('sha256', digestKey).update(text, 'utf8').digest() };
}

/** Everything is asked of the opened file: its name could lead elsewhere a moment later. */
function readPrivate(path: string): Buffer {
  const file = openPin(path);
  try {
    const { mode, uid, size } = fstatSync(file);
    const owners = [0, process.getuid?.()];
    if (!owners.includes(uid)) throw setup(`${path} belongs to somebody else`);
    if ((mode & (path.startsWith(HANDED_OVER) ? STRANGERS : OTHERS)) !== 0)
      throw setup(`${path} can be read by others; chmod 0600 it`);
    if (size > MAX_PIN_BYTES) throw setup(`${path} is too large to hold a PIN`);
    const bytes = Buffer.alloc(MAX_PIN_BYTES);
    return bytes.subarray(0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

function openPin(path: string): number {
  try {
    return openSync(path, 'r');
  } catch {
    throw setup(`the file of the PIN, ${path}, cannot be read`);
  }
}

function setup(detail: string): TokenError {
  return new TokenError('setup', 'PIN_SOURCE', detail);
}
