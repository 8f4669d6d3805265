import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { armoured, datasetOf, fileOf, membersOf, plainFile } from '../../scripts/vectors/forge.ts';
import { sampleList } from '../../scripts/vectors/sample-messages.ts';
import {
  FINGERPRINT,
  KEYS,
  LICENSE_KEY,
  NOW,
  PROTECTION,
  sampleLicenseFile,
  sampleMachineFile,
} from '../../scripts/vectors/samples.ts';
import { prepareJws } from '../../src/issuing/jws.ts';
import {
  RevocationList,
  VERDICT_CODES,
  verifyLicenseFile,
  verifyMachineFile,
  verifySignedKey,
  verifyTrustBundle,
} from '../../src/verify/index.ts';
import { publishedKeys, readVector, sampleTrust } from './run-vectors.ts';

const trust = sampleTrust();
const options = { trust, product: 'press-control', licenseKey: LICENSE_KEY, now: NOW };
const roots = [publishedKeys.keys['root']?.fingerprint ?? ''];

/** Every entry point's answer to one text. */
const answers = (text: string): readonly string[] => [
  verifyLicenseFile(text, options).code,
  verifyMachineFile(text, { ...options, fingerprint: FINGERPRINT }).code,
  verifySignedKey(text, options).code,
  verifyTrustBundle(text, { roots }).code,
  RevocationList.accept(text, { trust }).code,
];

describe('anything at all', () => {
  it('gets an answer and never an exception', () => {
    const piece = fc.constantFrom(
      '-----BEGIN LICENSE FILE-----\n',
      'key/',
      '.',
      '{',
      '}',
      '"enc":',
      'e30',
      '\n',
      '=',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(piece).map((parts) => parts.join('')),
      fc.json().map((json) => armoured('license', json)),
      fc.json().map((json) => `${Buffer.from(json).toString('base64url')}.e30.e30`),
    );
    fc.assert(
      fc.property(text, (input) => {
        expect(answers(input)).not.toContain('VALID');
      }),
      { numRuns: 500 },
    );
  });

  it('gets an answer when it comes as bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(verifyLicenseFile(bytes, options).code).toBe('MALFORMED');
      }),
    );
  });

  it('gets an answer as a member of the certificate', () => {
    const members = membersOf(sampleLicenseFile());
    fc.assert(
      fc.property(fc.constantFrom('enc', 'sig', 'alg', 'kid'), fc.jsonValue(), (name, value) => {
        const file = fileOf('license', { ...members, [name]: value });
        expect(verifyLicenseFile(file, options).valid).toBe(false);
      }),
    );
  });
});

/** Paths of every member of a document, however deep. */
function paths(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, inner]) => paths(inner, [...path, name]))];
}

/** The document with the member at `path` replaced, or removed when there is no replacement. */
function replaced(value: unknown, path: readonly string[], by: unknown): unknown {
  const [name, ...rest] = path;
  if (name === undefined || typeof value !== 'object' || value === null) return by;
  const copy: Record<string, unknown> = { ...value };
  copy[name] = replaced(copy[name], rest, by);
  return Array.isArray(value) ? Object.values(copy) : copy;
}

describe('odd content signed by the right key', () => {
  it.each([
    ['license', datasetOf(sampleLicenseFile({ protection: PROTECTION.plain }))],
    ['machine', datasetOf(sampleMachineFile({ protection: PROTECTION.plain }))],
  ] as const)('gets an answer in a %s file', (kind, dataset) => {
    const document: unknown = JSON.parse(dataset);
    const places = paths(document);
    const odd = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constant(undefined),
      fc.constantFrom('', -1, 2 ** 53, '9'),
    );
    fc.assert(
      fc.property(fc.constantFrom(...places), odd, (path, value) => {
        const file = plainFile(JSON.stringify(replaced(document, path, value) ?? null), { kind });
        const verdict =
          kind === 'license'
            ? verifyLicenseFile(file, options)
            : verifyMachineFile(file, { ...options, fingerprint: FINGERPRINT });
        expect(VERDICT_CODES).toContain(verdict.code);
      }),
      { numRuns: 400 },
    );
  });

  it.each([
    ['trust bundle', readVector('trust-bundle.jws'), { signer: KEYS.root, typ: 'mm-trust+jws' }],
    ['revocation list', sampleList(), { signer: KEYS.revocation, typ: 'mm-crl+jws' }],
  ] as const)('gets an answer in a %s', (kind, sample, { signer, typ }) => {
    const document: unknown = JSON.parse(
      Buffer.from(sample.split('.')[1] ?? '', 'base64url').toString('utf8'),
    );
    const places = paths(document);
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.jsonValue({ maxDepth: 2 }), (path, value) => {
        const jws = prepareJws(signer.ref, typ, replaced(document, path, value));
        const text = jws.finish(signer.sign(jws.signingInput));
        const answer =
          kind === 'trust bundle'
            ? verifyTrustBundle(text, { roots })
            : RevocationList.accept(text, { trust });
        expect(VERDICT_CODES).toContain(answer.code);
      }),
      { numRuns: 300 },
    );
  });
});
