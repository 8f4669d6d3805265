/**
 * The signer agent: the one process that loads a PKCS#11 module. Vendors' native code can end or hang a process, and
 * brings its own idea of OpenSSL; here it takes nothing with it that cannot be started again.
 *
 * It answers one request at a time on the socket that the daemon gave it, and ends when the daemon closes it. It keeps
 * nothing: a new one, opened and logged in, is as good as the old.
 */
import { readSync, writeSync } from 'node:fs';
import { present } from '../../lib/invariant.ts';
import type { Secret } from '../../lib/secret.ts';
import {
  type Asked,
  bodyLength,
  decodeRequest,
  encodeAnswer,
  encodeFailure,
  LENGTH_BYTES,
  type Operation,
} from './channel.ts';
import { TokenError } from './cryptoki.ts';
import { CryptokiModule } from './cryptoki-module.ts';
import { keyAlgorithm } from './key-algorithm.ts';
import { readPin } from './pin-file.ts';
import { parsePkcs11Uri } from './pkcs11-uri.ts';
import { tokenLine } from './token-line.ts';
import { Token } from './token.ts';

/** The daemon's end is the other one of this socket pair; standard output is left to modules that print. */
const CHANNEL = 3;

/** What `open` leaves for the operations after it. */
let opened: { readonly token: Token; readonly pin: Secret } | undefined;

type Work = { readonly [O in Operation]: (asked: Asked<O>) => Record<string, Buffer> };

const WORK: Work = {
  open: (asked) => {
    const { pin, digest } = readPin(asked.pinSource.toString('utf8'), asked.pinKey);
    const module = load(asked);
    const token = Token.choose(module, parsePkcs11Uri(asked.token.toString('utf8')));
    opened = { token, pin };
    return { ...describe(token), pinDigest: digest };
  },
  login: () => {
    const { token, pin } = present(opened, 'a token is opened before it is used');
    token.login(pin.expose());
    return {};
  },
  generate: ({ algorithm, label, id }) => {
    const name = { label: label.toString('utf8'), id };
    return { publicKey: theToken().generate(keyAlgorithm(algorithm.toString('utf8')), name) };
  },
  find: ({ label, id }) => ({ publicKey: theToken().find({ label: label.toString('utf8'), id }) }),
  tokens: (asked) => {
    const module = load(asked);
    const lines = module.tokens().map(({ slot, info }) => tokenLine(info, module.mechanisms(slot)));
    return { library: Buffer.from(module.library(), 'utf8'), tokens: Buffer.from(lines.join('\n'), 'utf8') };
  },
  attributes: ({ label, id }) => ({
    evidence: Buffer.from(theToken().evidence({ label: label.toString('utf8'), id }), 'utf8'),
  }),
  discard: ({ label, id }) => {
    theToken().discard({ label: label.toString('utf8'), id });
    return {};
  },
  sign: ({ algorithm, label, id, data }) => {
    const name = { label: label.toString('utf8'), id };
    return { signature: theToken().sign(keyAlgorithm(algorithm.toString('utf8')), name, data) };
  },
};

function load({ module, parameters }: Readonly<Record<'module' | 'parameters', Buffer>>): CryptokiModule {
  return CryptokiModule.load(module.toString('utf8'), parameters.toString('utf8'));
}

function theToken(): Token {
  return present(opened, 'a token is opened before it is used').token;
}

function describe(token: Token): Record<string, Buffer> {
  const { label, serialNumber, model, manufacturerID, flags } = token.info;
  const text = (value: string): Buffer => Buffer.from(value.trimEnd(), 'utf8');
  return {
    label: text(label),
    serial: text(serialNumber),
    model: text(model),
    manufacturer: text(manufacturerID),
    flags: text(String(flags)),
    mechanisms: text(token.mechanisms.join(' ')),
  };
}

/** Exactly `bytes` of the channel; undefined at its end. */
function read(bytes: number): Buffer | undefined {
  const buffer = Buffer.alloc(bytes);
  for (let at = 0; at < bytes;) {
    const count = readSync(CHANNEL, buffer, at, bytes - at, null);
    if (count === 0) return undefined;
    at += count;
  }
  return buffer;
}

function write(frame: Buffer): void {
  for (let at = 0; at < frame.length;) at += writeSync(CHANNEL, frame, at);
}

function answer(body: Buffer): Buffer {
  const { operation, asked } = decodeRequest(body);
  try {
    // decodeRequest gives exactly the fields of this operation
    const work = WORK[operation] as (asked: Record<string, Buffer>) => Record<string, Buffer>;
    return encodeAnswer(operation, work(asked));
  } catch (error) {
    if (error instanceof TokenError) return encodeFailure(error);
    throw error;
  }
}

for (;;) {
  const prefix = read(LENGTH_BYTES);
  const body = prefix === undefined ? undefined : read(bodyLength(prefix));
  if (body === undefined) break;
  write(answer(body));
}
// Nothing is finalised: a module that hangs in its own end would keep the process.
process.exit(0);
