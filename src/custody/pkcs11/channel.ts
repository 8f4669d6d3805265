import { invariant } from '../../lib/invariant.ts';
import { type ErrorClass, TokenError } from './cryptoki.ts';

/**
 * What the daemon and the signer agent say to each other, over a socket pair of their own.
 *
 *     frame    length of the body (4, big-endian) ‖ body
 *     request  number of the operation (1) ‖ fields
 *     answer   0 ‖ fields, or 1 ‖ class, code, detail
 *     field    length (4, big-endian) ‖ bytes
 *
 * One request at a time, one answer to each. How many fields there are is fixed by the operation, and a body ends with
 * its last field: there is one reading of every frame, and no parser that could be led astray.
 */
export const OPERATIONS = {
  /** Loads the module, chooses the token, reads the PIN, and says what it found. Nothing is tried yet. */
  open: {
    number: 1,
    asks: ['module', 'parameters', 'token', 'pinSource', 'pinKey'],
    answers: ['label', 'serial', 'model', 'manufacturer', 'flags', 'pinDigest', 'mechanisms'],
  },
  /** Tries the PIN that `open` read, once. */
  login: { number: 2, asks: [], answers: [] },
  /** Makes a key pair on the token; `algorithm` is a KeyAlgorithm. */
  generate: { number: 3, asks: ['algorithm', 'label', 'id'], answers: ['publicKey'] },
  /** The SubjectPublicKeyInfo of the one key of this label and id. */
  find: { number: 4, asks: ['label', 'id'], answers: ['publicKey'] },
  /** What a module and its tokens say of themselves, without a PIN: see probe.ts for the lines of `tokens`. */
  tokens: { number: 6, asks: ['module', 'parameters'], answers: ['library', 'tokens'] },
  /** Removes a key pair that was made for a probe; any other is refused. */
  discard: { number: 7, asks: ['label', 'id'], answers: [] },
  /** What the token says of how a key came to be; see token.ts for the words of `evidence`. */
  attributes: { number: 8, asks: ['label', 'id'], answers: ['evidence'] },
  /** Signs `data` (Ed25519: the message; P-256: its SHA-256): 64 raw bytes. */
  sign: { number: 5, asks: ['algorithm', 'label', 'id', 'data'], answers: ['signature'] },
} as const satisfies Record<string, OperationRow>;

interface OperationRow {
  readonly number: number;
  readonly asks: readonly string[];
  readonly answers: readonly string[];
}

/** The name of an operation. */
export type Operation = keyof typeof OPERATIONS;

/** What an operation is asked with. */
export type Asked<O extends Operation> = Readonly<Record<(typeof OPERATIONS)[O]['asks'][number], Buffer>>;

/** What an operation answers. */
export type Answered<O extends Operation> = Readonly<
  Record<(typeof OPERATIONS)[O]['answers'][number], Buffer>
>;

/** A frame holds one message to sign; the largest we know are trust bundles of some 100 KB. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** Bytes before the body. */
export const LENGTH_BYTES = 4;
const FAILURE_FIELDS = ['class', 'code', 'detail'] as const;
const CLASSES: ReadonlySet<string> = new Set<ErrorClass>([
  ...(['caller', 'policy', 'session', 'context'] as const),
  ...(['backend', 'pin', 'setup', 'absent', 'wrong'] as const),
]);

/** The other side does not keep to the protocol; nothing that it says counts any more. */
export class ChannelError extends Error {
  override readonly name = 'ChannelError';
}

/** The frame of a request. */
export function encodeRequest<O extends Operation>(operation: O, asked: Asked<O>): Buffer {
  const { number, asks } = OPERATIONS[operation];
  return frame(number, asks, asked);
}

/** Reads the body of a request. @throws ChannelError */
export function decodeRequest(body: Buffer): { operation: Operation; asked: Record<string, Buffer> } {
  // the keys of the table are the operations
  for (const operation of Object.keys(OPERATIONS) as Operation[]) {
    const { number, asks } = OPERATIONS[operation];
    if (body[0] === number) return { operation, asked: fieldsOf(body, asks) };
  }
  throw new ChannelError('no operation has this number');
}

/** The frame of an answer. */
export function encodeAnswer(operation: Operation, answered: Readonly<Record<string, Buffer>>): Buffer {
  return frame(0, OPERATIONS[operation].answers, answered);
}

/** The frame of a failure. */
export function encodeFailure({ of, code, message }: TokenError): Buffer {
  const [kind, name, detail] = [of, code, message].map((text) => Buffer.from(text.slice(0, 1000), 'utf8'));
  return frame(1, FAILURE_FIELDS, { class: kind, code: name, detail });
}

/**
 * Reads the body of an answer.
 * @throws TokenError the failure that was answered; ChannelError
 */
export function decodeAnswer<O extends Operation>(operation: O, body: Buffer): Answered<O> {
  if (body[0] === 1) throw failureOf(body);
  if (body[0] !== 0) throw new ChannelError('an answer is neither a success nor a failure');
  // fieldsOf returns exactly the names it is given
  return fieldsOf(body, OPERATIONS[operation].answers) as Answered<O>;
}

/** How long the body after this length is. @throws ChannelError when it is out of bounds */
export function bodyLength(prefix: Buffer): number {
  const length = prefix.readUInt32BE(0);
  if (length >= 1 && length <= MAX_BODY_BYTES) return length;
  throw new ChannelError(`a frame of ${length} bytes is out of bounds`);
}

function failureOf(body: Buffer): TokenError {
  const fields = fieldsOf(body, FAILURE_FIELDS);
  const [of, code, detail] = FAILURE_FIELDS.map((name) => fields[name]?.toString('utf8') ?? '');
  if (!isClass(of)) throw new ChannelError('a failure is of no known class');
  return new TokenError(of, printable(code), printable(detail));
}

function isClass(text: string | undefined): text is ErrorClass {
  return text !== undefined && CLASSES.has(text);
}

/** What a module says about itself goes into logs and terminals. */
function printable(text: string | undefined): string {
  return (text ?? '').replaceAll(/[^\x20-\x7e]/g, '?');
}

function frame(
  first: number,
  names: readonly string[],
  values: Readonly<Record<string, Buffer | undefined>>,
): Buffer {
  const parts = names.flatMap((name) => {
    const value = values[name];
    invariant(value !== undefined, `the field ${name} is part of the message`);
    return [lengthOf(value.length), value];
  });
  const body = Buffer.concat([Buffer.of(first), ...parts]);
  invariant(body.length <= MAX_BODY_BYTES, 'what goes to the signer fits into a frame');
  return Buffer.concat([lengthOf(body.length), body]);
}

function fieldsOf(body: Buffer, names: readonly string[]): Record<string, Buffer> {
  const fields: Record<string, Buffer> = {};
  let at = 1;
  for (const name of names) {
    if (at + LENGTH_BYTES > body.length) throw new ChannelError('a frame ends too early');
    const end = at + LENGTH_BYTES + body.readUInt32BE(at);
    if (end > body.length) throw new ChannelError('a field reaches beyond its frame');
    fields[name] = body.subarray(at + LENGTH_BYTES, end);
    at = end;
  }
  if (at !== body.length) throw new ChannelError('a frame goes on after its last field');
  return fields;
}

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(LENGTH_BYTES);
  bytes.writeUInt32BE(length);
  return bytes;
}
