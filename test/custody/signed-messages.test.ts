import { describe, expect, it } from 'vitest';
import { messageRule, proofChallenge } from '../../src/custody/signed-messages.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { jwsInput, MESSAGE_KINDS, PURPOSES, VALIDATION_BASE } from './purpose-messages.ts';

const KEY = { kid: 'abcdefghijklmnop', jose: 'EdDSA' } as const;
const OTHER = { kid: 'ponmlkjihgfedcba', jose: 'EdDSA' } as const;

const pairs = PURPOSES.flatMap((purpose) =>
  MESSAGE_KINDS.map((kind) => ({ purpose, kind, what: kind.what, may: kind.signedBy.includes(purpose) })),
);

describe('a signing key', () => {
  it.each(pairs)('$purpose, asked to sign $what: $may', ({ purpose, kind, may }) => {
    expect(messageRule({ ...KEY, purpose })(kind.message(KEY))).toBe(may);
  });

  it.each(MESSAGE_KINDS.filter(({ what }) => what.startsWith('a JWS')))(
    'never signs $what that names another key or algorithm',
    ({ signedBy, message }) => {
      for (const purpose of PURPOSES) {
        const rule = messageRule({ ...KEY, purpose });
        expect(rule(message(OTHER))).toBe(false);
        expect(rule(message({ ...KEY, jose: 'ES256' }))).toBe(false);
        expect(signedBy).toBeDefined();
      }
    },
  );

  it('of any purpose never signs what keys sign to prove that they are there', () => {
    const challenge = proofChallenge(systemRandom);
    expect(PURPOSES.filter((purpose) => messageRule({ ...KEY, purpose })(challenge))).toEqual([]);
    expect(proofChallenge(systemRandom)).not.toEqual(challenge);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a prefix with nothing behind it', Buffer.from('license/')],
    ['a prefix in capitals', Buffer.from('License/AAAA')],
    ['a prefix further inside', Buffer.from(' license/AAAA')],
    ['a longer prefix', Buffer.from('licenses/AAAA')],
    ['a shorter prefix', Buffer.from('licens')],
    ['a type in capitals', jwsInput(KEY, 'License+JWT')],
    ['a longer type', jwsInput(KEY, 'license+jwts')],
    ['a JWS without a payload', Buffer.from(jwsInput(KEY, 'license+jwt').toString().split('.')[0] ?? '')],
    [
      'a header with one member more',
      withHeader({ alg: 'EdDSA', kid: KEY.kid, typ: 'license+jwt', crit: [] }),
    ],
    ['a header in another order', withHeader({ typ: 'license+jwt', alg: 'EdDSA', kid: KEY.kid })],
    [
      'a header with two types',
      rawHeader(`{"alg":"EdDSA","kid":"${KEY.kid}","typ":"at+jwt","typ":"license+jwt"}`),
    ],
  ])('of any purpose never signs %s', (_, message) => {
    expect(PURPOSES.filter((purpose) => messageRule({ ...KEY, purpose })(message))).toEqual([]);
  });

  it.each([
    ['the tag of somebody else', VALIDATION_BASE.replace('mm-validate', 'mm-other')],
    ['the tag not last', `${VALIDATION_BASE};keyid="x"`],
    ['a line after the parameters', `${VALIDATION_BASE}\n"x": 1`],
    [
      'the tag in another line only',
      VALIDATION_BASE.replace(/\n"@signature-params".*/s, '\n"x": ;tag="mm-validate"'),
    ],
    ['no status', VALIDATION_BASE.replace('"@status"', '"@method"')],
    ['less covered', VALIDATION_BASE.replace(/\n"@path".*/, '').replace(' "@path";req', '')],
    ['less covered than it has lines', VALIDATION_BASE.replace(' "@path";req', '')],
    ['a line more', VALIDATION_BASE.replace('\n"@path"', '\n"x": 1\n"@path"')],
    ['no nonce', VALIDATION_BASE.replace(/;nonce="[^"]*"/, '')],
  ])('of responses never signs a base with %s', (_, base) => {
    expect(messageRule({ ...KEY, purpose: 'response' })(Buffer.from(base))).toBe(false);
  });
});

function withHeader(header: object): Buffer {
  return rawHeader(JSON.stringify(header));
}

function rawHeader(header: string): Buffer {
  return Buffer.from(`${Buffer.from(header).toString('base64url')}.e30`);
}
