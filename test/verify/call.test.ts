import { describe, expect, it } from 'vitest';
import { REQUEST, sampleResponse } from '../../scripts/vectors/response-cases.ts';
import { sampleBundle, sampleList } from '../../scripts/vectors/sample-messages.ts';
import {
  FINGERPRINT,
  LICENSE_KEY,
  NOW,
  sampleLicenseFile,
  sampleMachineFile,
  sampleSignedKey,
} from '../../scripts/vectors/samples.ts';
import {
  EMPTY_STATE,
  pinPublicKeys,
  RevocationList,
  verifyLicenseFile,
  verifyMachineFile,
  verifyResponse,
  verifySignedKey,
  verifyTrustBundle,
} from '../../src/verify/index.ts';
import { publishedKeys, sampleTrust } from './run-vectors.ts';

const trust = sampleTrust();
const roots = [publishedKeys.keys['root']?.fingerprint ?? ''];
const options = {
  trust,
  product: 'press-control',
  licenseKey: LICENSE_KEY,
  now: NOW,
  fingerprint: FINGERPRINT,
};
const bundle = verifyTrustBundle(sampleBundle(), { roots });

type Change = Readonly<Record<string, unknown>>;

/** Every entry point, called as plain JavaScript may call it: with good arguments but for `change`. */
const CALLS = {
  verifyLicenseFile: (change: Change) => verifyLicenseFile(sampleLicenseFile(), { ...options, ...change }),
  verifyMachineFile: (change: Change) => verifyMachineFile(sampleMachineFile(), { ...options, ...change }),
  verifySignedKey: (change: Change) => verifySignedKey(sampleSignedKey(), { ...options, ...change }),
  verifyTrustBundle: (change: Change) => verifyTrustBundle(sampleBundle(), { roots, ...change }),
  acceptList: (change: Change) => RevocationList.accept(sampleList(), { trust, ...change }),
  verifyResponse: (change: Change) => verifyResponse(REQUEST, sampleResponse(), { ...options, ...change }),
} as const;

type Call = keyof typeof CALLS;

const JUDGING: readonly Call[] = ['verifyLicenseFile', 'verifyMachineFile', 'verifySignedKey'];
const TRUSTING: readonly Call[] = [...JUDGING, 'acceptList', 'verifyResponse'];
const REMEMBERING: readonly Call[] = [...JUDGING, 'verifyTrustBundle', 'acceptList'];
const TIMED: readonly Call[] = [...JUDGING, 'verifyResponse'];

/** What can be wrong with an option, and which entry points take it. */
const MISTAKES: readonly (readonly [string, readonly unknown[], readonly Call[]])[] = [
  ['trust', [undefined, null, bundle, 'bundle', {}], TRUSTING],
  ['product', [undefined, null, '', 7], TIMED],
  ['environment', ['prod', 'LIVE', '', 1], [...TRUSTING]],
  ['state', [{}, '{}', JSON.stringify(EMPTY_STATE), { ...EMPTY_STATE, newestTimeMs: '0' }], REMEMBERING],
  ['state', [{ newestTimeMs: 0 }, { ...EMPTY_STATE, bundle: {} }, { ...EMPTY_STATE, list: 3 }], REMEMBERING],
  ['now', [NaN, Infinity, '2026-03-02', new Date(NOW), Math.floor(NOW / 1000)], TIMED],
  ['licenseKey', [7, ['key'], {}], JUDGING],
  ['tenant', [7, {}], [...JUDGING, 'verifyTrustBundle']],
  ['issuer', [7, {}], JUDGING],
  ['revocations', [{ list: undefined }, sampleList(), []], JUDGING],
  ['fingerprint', [undefined, null, '', 7], ['verifyMachineFile']],
  [
    'roots',
    [undefined, null, roots[0], [undefined], ['3f1c…'], [''], [roots[0], 'ff']],
    ['verifyTrustBundle'],
  ],
  ['held', [bundle, {}, 'bundle'], ['verifyTrustBundle']],
  ['held', [{}, sampleList(), RevocationList.accept(sampleList(), { trust })], ['acceptList']],
];

const rows = MISTAKES.flatMap(([name, values, calls]) =>
  calls.flatMap((call) => values.map((value) => [call, name, value] as const)),
);

describe('a mistake in the call', () => {
  it.each(rows)('%s: is a TypeError that names the option %s when it is %j', (call, name, value) => {
    const attempt = (): unknown => CALLS[call]({ [name]: value });
    expect(attempt).toThrow(TypeError);
    expect(attempt).toThrow(new RegExp(`^${name} must be`));
  });

  it.each(Object.keys(CALLS) as Call[])('%s: is none when every option is as it must be', (call) => {
    expect(CALLS[call]({}).code).toBe('VALID');
  });

  it.each([
    ['file', (text: never) => verifyLicenseFile(text, options)],
    ['file', (text: never) => verifyMachineFile(text, options)],
    ['text', (text: never) => verifySignedKey(text, options)],
    ['text', (text: never) => verifyTrustBundle(text, { roots })],
    ['text', (text: never) => RevocationList.accept(text, { trust })],
  ])('is a TypeError that names what is judged (%s) when that is of the wrong kind', (name, call) => {
    for (const wrong of [undefined, null, 7, {}, []] as never[]) {
      expect(() => call(wrong)).toThrow(new RegExp(`^${name} must be`));
    }
  });

  it('is a TypeError that names it when a text comes as bytes where only text is read', () => {
    const bytes = Buffer.from(sampleBundle()) as never;
    expect(() => verifyTrustBundle(bytes, { roots })).toThrow('text must be text');
  });

  it('is a TypeError when there are no options at all', () => {
    const none = undefined as never;
    expect(() => verifyLicenseFile(sampleLicenseFile(), none)).toThrow(/^trust must be/);
    expect(() => verifyTrustBundle(sampleBundle(), none)).toThrow(/^roots must be/);
    expect(() => RevocationList.accept(sampleList(), none)).toThrow(/^trust must be/);
    expect(() => verifyResponse(REQUEST, sampleResponse(), none)).toThrow(/^trust must be/);
    expect(() => verifyMachineFile(sampleMachineFile(), none)).toThrow(/^trust must be/);
  });

  it.each(['method', 'path', 'body', 'nonce'])('names the %s of a request', (name) => {
    const request = { ...REQUEST, [name]: undefined } as never;
    expect(() => verifyResponse(request, sampleResponse(), options)).toThrow(new RegExp(`^${name} `));
  });

  it.each([
    ['headers', {}],
    ['body', { data: {} }],
    ['status', '200'],
  ])('names the %s of an answer', (name, wrong) => {
    const response = { ...sampleResponse(), [name]: wrong } as never;
    expect(() => verifyResponse(REQUEST, response, options)).toThrow(new RegExp(`^${name} must be`));
  });

  it.each(['license', 'revocation', 'response'])('names the list of pinned %s keys', (name) => {
    const keys = { license: [], [name]: 'ab'.repeat(32) } as never;
    expect(() => pinPublicKeys(keys)).toThrow(new RegExp(`^${name} must be`));
  });
});

describe('the tenant of a signed key', () => {
  it('is that of the trust bundle: a bundle of another tenant is refused when one is insisted on', () => {
    expect(CALLS.verifySignedKey({ tenant: trust.tenant }).code).toBe('VALID');
    expect(CALLS.verifySignedKey({ tenant: 'globex' })).toMatchObject({
      valid: false,
      code: 'ISSUER_MISMATCH',
    });
  });
});

describe('what is no mistake', () => {
  it('is left out by null as by nothing, as it comes out of a store', () => {
    const nothing = {
      state: null,
      now: NOW,
      tenant: null,
      issuer: null,
      revocations: null,
      environment: null,
    };
    expect(verifyLicenseFile(sampleLicenseFile(), { ...options, ...nothing } as never).code).toBe('VALID');
    const held = { held: null, state: null, tenant: null };
    expect(verifyTrustBundle(sampleBundle(), { roots, ...held } as never).code).toBe('VALID');
    expect(RevocationList.accept(sampleList(), { trust, held: null, environment: null } as never).code).toBe(
      'VALID',
    );
    expect(verifyLicenseFile(sampleLicenseFile(), { ...options, licenseKey: null } as never).code).toBe(
      'LICENSE_KEY_REQUIRED',
    );
  });

  it('is a clock that stands at 1970: the verdict says that it was set back', () => {
    for (const now of [0, 60_000, -1]) {
      expect(verifyLicenseFile(sampleLicenseFile(), { ...options, now }).code).toBe('CLOCK_ROLLED_BACK');
    }
  });

  it('is a root written in capitals, with colons and spaces', () => {
    const spaced = ` ${(roots[0] ?? '').toUpperCase().replaceAll(/(..)(?=.)/g, '$1:')}\n`;
    expect(verifyTrustBundle(sampleBundle(), { roots: [spaced] }).accepted).toBe(true);
  });
});
