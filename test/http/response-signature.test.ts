import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nonceIn, requireDigest, signatureHeaders } from '../../src/http/response-signature.ts';

const NONCE = 'abcdefghijklmnop';
const BODY = Buffer.from('{"nonce":"abcdefghijklmnop"}');
const digestOf = (bytes: Buffer | string, name = 'sha256'): string =>
  `:${createHash(name).update(bytes).digest('base64')}:`;
const SHA256 = `sha-256=${digestOf(BODY)}`;
const SHA512 = `sha-512=${digestOf(BODY, 'sha512')}`;
const refusal = (header: string | undefined): unknown => {
  try {
    return requireDigest(header, BODY);
  } catch (error) {
    return error;
  }
};
const coded = (code: string, message: RegExp) =>
  expect.objectContaining({
    code: 'MALFORMED',
    message: expect.stringMatching(message) as string,
    errors: [expect.objectContaining({ path: 'Content-Digest', code }) as object],
  }) as object;

describe('the nonce of a body', () => {
  it.each([NONCE, 'A-Z_0-9_abcdefgh', 'x'.repeat(64)])('is %s', (nonce) => {
    expect(nonceIn({ nonce })).toBe(nonce);
  });

  it.each<[string, Parameters<typeof nonceIn>[0]]>([
    ['too short', { nonce: 'x'.repeat(15) }],
    ['too long', { nonce: 'x'.repeat(65) }],
    ['of other characters', { nonce: `${NONCE}"` }],
    ['of other characters before it', { nonce: `"${NONCE}` }],
    ['no text', { nonce: 1_234_567_890_123_456 }],
    ['not there', {}],
    ['in a list', [NONCE]],
    ['a text itself', NONCE],
    ['nothing', null],
  ])('is none when it is %s', (_, body) => {
    expect(nonceIn(body)).toBeUndefined();
  });

  it('is an own member', () => {
    const inherits = Object.create({ nonce: NONCE }) as { readonly nonce: string };
    expect(nonceIn(inherits)).toBeUndefined();
  });
});

describe('the digest of a request', () => {
  it.each([SHA256, `${SHA256}, ${SHA512}`, `${SHA512},${SHA256}`, `${SHA256}\t,  unixsum=:AAAA:`])(
    'is taken as it came: %s',
    (header) => {
      expect(requireDigest(header, BODY)).toBe(header);
    },
  );

  it('is demanded', () => {
    expect(refusal(undefined)).toEqual(
      coded('REQUIRED', /^a request with a nonce needs the header Content-Digest/),
    );
  });

  it.each([
    '',
    'sha-256',
    `sha-256=${createHash('sha256').update(BODY).digest('base64')}`,
    `SHA-256=${digestOf(BODY)}`,
    `${SHA256}, ${SHA256}`,
    `${SHA256},`,
    `x${SHA256.slice(0, 5)} ${SHA256}`,
    ` ${SHA256}`,
    `${SHA256} `,
    SHA512,
    `${SHA256}, unixsum=:${'A'.repeat(500)}:`,
  ])('is refused when it is not of its one form: %s', (header) => {
    expect(refusal(header)).toEqual(
      coded('MALFORMED', /^Content-Digest is not of the form sha-256=:<base64>:/),
    );
  });

  it.each([
    [`sha-256=${digestOf('another')}`, 'sha-256'],
    [`${SHA256}, sha-512=${digestOf('another', 'sha512')}`, 'sha-512'],
    ['sha-256=:AAAA:', 'sha-256'],
  ])('is refused when it is not of the body that came: %s', (header, name) => {
    expect(refusal(header)).toEqual(
      coded('MISMATCH', new RegExp(`^the ${name} of Content-Digest is not that of the body as it arrived$`)),
    );
  });

  it('may be 512 characters long', () => {
    const header = `${SHA256}, unixsum=:${'A'.repeat(512)}:`;
    const fits = `${header.slice(0, 511)}:`;
    expect(fits).toHaveLength(512);
    expect(requireDigest(fits, BODY)).toBe(fits);
    expect(refusal(`${header.slice(0, 512)}:`)).toEqual(coded('MALFORMED', /form/));
  });
});

describe('a signed answer', () => {
  it('covers status, type and bytes of the answer, and method, path and digest of the request (RFC 9421 §2.5)', async () => {
    const signed: string[] = [];
    const headers = await signatureHeaders(
      { method: 'POST', path: '/api/v1/licenses/validate-key', digest: SHA256, nonce: NONCE },
      { status: 200, contentType: 'application/json; charset=utf-8', bytes: '{"data":"é"}' },
      {
        kid: 'kid_1',
        now: 1_700_000_000_999,
        sign: (base) => {
          signed.push(base.toString('latin1'));
          return Promise.resolve(Buffer.from([0xfb, 0xff]));
        },
      },
    );
    const digest = `sha-256=${digestOf('{"data":"é"}')}`;
    const parameters =
      '("@status" "content-type" "content-digest" "@method";req "@path";req "content-digest";req);created=1700000000;' +
      `expires=1700000060;keyid="kid_1";nonce="${NONCE}";tag="mm-validate"`;
    expect(headers).toEqual({
      'Content-Digest': digest,
      'Signature-Input': `mm=${parameters}`,
      Signature: 'mm=:+/8=:',
    });
    expect(signed).toEqual([
      [
        '"@status": 200',
        '"content-type": application/json; charset=utf-8',
        `"content-digest": ${digest}`,
        '"@method";req: POST',
        '"@path";req: /api/v1/licenses/validate-key',
        `"content-digest";req: ${SHA256}`,
        `"@signature-params": ${parameters}`,
      ].join('\n'),
    ]);
  });
});
