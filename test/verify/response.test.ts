import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  ANSWER,
  REQUEST,
  type ResponseVector,
  sampleResponse,
} from '../../scripts/vectors/response-cases.ts';
import { KEYS, NOW } from '../../scripts/vectors/samples.ts';
import { publicKeyHex } from '../../scripts/vectors/signers.ts';
import { signatureHeaders } from '../../src/http/response-signature.ts';
import {
  contentDigest,
  pinPublicKeys,
  type SignatureVerifiers,
  verifyResponse,
} from '../../src/verify/index.ts';
import { publishedResponses, sampleTrust } from './run-vectors.ts';

const trust = sampleTrust();
const PRODUCT = 'press-control';
const sample = sampleResponse();
const responseKey = createPublicKey({ key: { ...KEYS.response.jwk }, format: 'jwk' });
/** Fast enough for every bit; what it is asked is always the one key. */
const native: SignatureVerifiers = {
  ed25519: (key, message, signature) =>
    Buffer.from(key).toString('hex') === publicKeyHex(KEYS.response) &&
    verify(null, message, responseKey, signature),
};
const judge = (response: ResponseVector, verifiers: SignatureVerifiers = native): string =>
  verifyResponse(REQUEST, response, { trust, product: PRODUCT, now: NOW, verifiers }).code;

describe('the published answers', () => {
  it.each(publishedResponses.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    const { now, ...rest } = vector.with;
    const options = { trust, now: Date.parse(now), ...rest };
    const { genuine, code, message, answer } = verifyResponse(vector.request, vector.response, options);
    expect({ genuine, code, message }).toEqual({
      genuine: vector.genuine,
      code: vector.code,
      message: expect.stringMatching(/^[^A-Z]/) as string,
    });
    expect(answer !== undefined).toBe(genuine);
  });
});

describe('a signed answer', () => {
  it('says of the licence what it says, and only when it is genuine', () => {
    const options = { trust, product: PRODUCT, now: NOW };
    const yes = verifyResponse(REQUEST, sample, options);
    expect(yes).toMatchObject({ licenseValid: true, clockSuspect: false, createdAtMs: NOW });
    expect(yes.answer).toEqual(JSON.parse(ANSWER));
    const body = '{"data":{"valid":false,"code":"EXPIRED","clockSuspect":true}}';
    const no = verifyResponse(REQUEST, sampleResponse({ body }), options);
    expect(no).toMatchObject({ genuine: true, licenseValid: false, clockSuspect: true });
    const refusal = sampleResponse({ status: 503, body: '{"data":{"valid":true}}' });
    expect(verifyResponse(REQUEST, refusal, options)).toMatchObject({
      genuine: true,
      licenseValid: undefined,
    });
    const forged = verifyResponse(REQUEST, { ...sample, body: body.replace('false', 'true') }, options);
    expect(forged).toMatchObject({ genuine: false, licenseValid: undefined, answer: undefined });
  });

  it('unlocks no other product, whatever it says of its licence', () => {
    const options = { trust, product: 'other-product', now: NOW };
    const verdict = verifyResponse(REQUEST, sample, options);
    expect(verdict).toMatchObject({ genuine: true, licenseValid: false, code: 'PRODUCT_MISMATCH' });
    expect(verdict.unchecked).toEqual([]);
    const any = verifyResponse(REQUEST, sample, { ...options, product: 'any' });
    expect(any).toMatchObject({ licenseValid: true, unchecked: ['product'] });
    const pinned = pinPublicKeys({ license: [], response: [publicKeyHex(KEYS.response)] });
    expect(verifyResponse(REQUEST, sample, { ...options, trust: pinned }).unchecked).toEqual(['root']);
    for (const product of ['', undefined] as never[]) {
      expect(() => verifyResponse(REQUEST, sample, { ...options, product })).toThrow(TypeError);
    }
  });

  it.each([429, 503])('says nothing of the licence when it is a refusal with %i', (status) => {
    const body = '{"code":"RATE_LIMITED","data":{"valid":true}}';
    const response = sampleResponse({ status, contentType: 'application/problem+json', body });
    const verdict = verifyResponse(REQUEST, response, { trust, product: PRODUCT, now: NOW });
    expect(verdict).toMatchObject({ genuine: true, code: 'VALID', answer: { code: 'RATE_LIMITED' } });
    expect(verdict.licenseValid).toBe(undefined);
  });

  it('is refused with any one bit of it changed', () => {
    expect(judge(sample)).toBe('VALID');
    const { status, headers, body } = sample;
    for (let bit = 0; bit < 10; bit++)
      expect(judge({ status: status ^ (1 << bit), headers, body })).not.toBe('VALID');
    for (const flipped of flips(body)) expect(judge({ ...sample, body: flipped })).not.toBe('VALID');
    for (const [name, value] of headers) {
      for (const flipped of flips(value)) {
        const changed = headers.map((row) => (row[0] === name ? ([name, flipped] as const) : row));
        expect([name, flipped, judge({ ...sample, headers: changed })]).not.toEqual([name, flipped, 'VALID']);
      }
    }
  });

  it('is refused with any one bit of the request changed', () => {
    const options = { trust, product: PRODUCT, now: NOW, verifiers: native };
    for (const member of ['method', 'path', 'body'] as const) {
      for (const flipped of flips(REQUEST[member])) {
        const verdict = verifyResponse({ ...REQUEST, [member]: flipped }, sample, options);
        expect(verdict.genuine).toBe(false);
      }
    }
  });

  it('is laid out by the server as by the format page', async () => {
    const { method, path, body, nonce } = REQUEST;
    const exchange = { method, path, nonce, digest: contentDigest(body) };
    const answer = { status: 200, contentType: 'application/json; charset=utf-8', bytes: ANSWER };
    const sign = (base: Buffer): Promise<Buffer> => Promise.resolve(KEYS.response.sign(base));
    const made = await signatureHeaders(exchange, answer, {
      kid: KEYS.response.ref.kid,
      now: NOW + 999,
      sign,
    });
    const expected = new Map(sample.headers);
    expect(made).toEqual({
      'Content-Digest': expected.get('content-digest'),
      'Signature-Input': expected.get('signature-input'),
      Signature: expected.get('signature'),
    });
  });

  it('can be checked with a key that is compiled in, for its own purpose alone', () => {
    const key = publicKeyHex(KEYS.response);
    const code = (keys: Parameters<typeof pinPublicKeys>[0]): string =>
      verifyResponse(REQUEST, sample, { trust: pinPublicKeys(keys), product: PRODUCT, now: NOW }).code;
    expect(code({ license: [], response: [key] })).toBe('VALID');
    expect(code({ license: [key], revocation: [key] })).toBe('KEY_UNKNOWN');
  });

  it.each(['', 'too-short', 'a'.repeat(65), 'not base64url!!!'])(
    'needs a nonce worth the name: %j',
    (nonce) => {
      expect(() => verifyResponse({ ...REQUEST, nonce }, sample, { trust, product: PRODUCT })).toThrow(
        TypeError,
      );
    },
  );
});

/** The text with each of its bits changed in turn. */
function flips(text: string): string[] {
  const bytes = Buffer.from(text, 'latin1');
  return Array.from({ length: bytes.length * 8 }, (_, bit) => {
    const copy = Buffer.from(bytes);
    copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    return copy.toString('latin1');
  });
}
