import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bodyLength,
  ChannelError,
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeFailure,
  encodeRequest,
  LENGTH_BYTES,
  MAX_BODY_BYTES,
  type Operation,
  OPERATIONS,
} from '../../../src/custody/pkcs11/channel.ts';
import { TokenError } from '../../../src/custody/pkcs11/cryptoki.ts';
import { InvariantViolation } from '../../../src/lib/invariant.ts';

const names = Object.keys(OPERATIONS) as Operation[];
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const sign = { algorithm: Buffer.from('ed25519'), label: Buffer.from('l'), id: Buffer.from('i') };

function bodyOf(frame: Buffer): Buffer {
  expect(bodyLength(frame)).toBe(frame.length - LENGTH_BYTES);
  return frame.subarray(LENGTH_BYTES);
}

describe('the channel to the signer agent', () => {
  it('carries every request and answer as it is', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.array(bytes, { minLength: 8, maxLength: 8 }),
        (name, values) => {
          const fields = (of: readonly string[]) =>
            Object.fromEntries(of.map((field, at) => [field, values[at] ?? Buffer.alloc(0)]));
          const asked = fields(OPERATIONS[name].asks);
          expect(decodeRequest(bodyOf(encodeRequest(name, asked as never)))).toEqual({
            operation: name,
            asked,
          });
          const answered = fields(OPERATIONS[name].answers);
          expect(decodeAnswer(name, bodyOf(encodeAnswer(name, answered)))).toEqual(answered);
        },
      ),
    );
  });

  it('carries a failure with its class and code, and nothing that could upset a terminal', () => {
    const failure = new TokenError('policy', 'CKR_KEY_FUNCTION_NOT_PERMITTED', 'no\u001b[2J\nway');
    const body = bodyOf(encodeFailure(failure));
    expect(() => decodeAnswer('sign', body)).toThrow(
      expect.objectContaining({ of: 'policy', code: failure.code, message: 'no?[2J?way' }),
    );
  });

  it('refuses whatever is not exactly one message: any bytes, any cut, any addition', () => {
    const onlyKnownErrors = (decode: () => unknown): void => {
      try {
        decode();
      } catch (error) {
        expect(error instanceof ChannelError || error instanceof TokenError).toBe(true);
      }
    };
    fc.assert(
      fc.property(bytes, (body) => {
        for (const name of names) onlyKnownErrors(() => decodeAnswer(name, body));
        onlyKnownErrors(() => decodeRequest(body));
      }),
    );
    const whole = bodyOf(encodeRequest('sign', { ...sign, data: Buffer.from('data') }));
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeRequest(whole.subarray(0, length))).toThrow(ChannelError);
    }
    expect(() => decodeRequest(Buffer.concat([whole, Buffer.of(0)]))).toThrow(ChannelError);
    expect(() => decodeAnswer('sign', Buffer.of(2))).toThrow(ChannelError);
    expect(() => decodeAnswer('sign', Buffer.of(0, 255, 255, 255, 255))).toThrow(ChannelError);
  });

  it('bounds a frame in both directions', () => {
    const prefix = (length: number): Buffer => {
      const frame = Buffer.alloc(4);
      frame.writeUInt32BE(length);
      return frame;
    };
    expect(bodyLength(prefix(MAX_BODY_BYTES))).toBe(MAX_BODY_BYTES);
    for (const length of [0, MAX_BODY_BYTES + 1, 0xffffffff]) {
      expect(() => bodyLength(prefix(length))).toThrow(ChannelError);
    }
    const data = Buffer.alloc(MAX_BODY_BYTES);
    expect(() => encodeRequest('sign', { ...sign, data })).toThrow(InvariantViolation);
  });

  it('refuses a failure of a class that nobody knows', () => {
    const body = bodyOf(encodeFailure(new TokenError('pin', 'C', 'd')));
    const other = Buffer.from(body);
    other.write('pim', other.indexOf('pin'));
    expect(() => decodeAnswer('sign', other)).toThrow(ChannelError);
  });
});
