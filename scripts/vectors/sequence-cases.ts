import { createHash, createPublicKey } from 'node:crypto';
import { present } from '../../src/lib/invariant.ts';
import { prepareJws } from '../../src/issuing/jws.ts';
import { BUNDLE, LIST, sampleBundle, sampleList, sampleRotation } from './sample-messages.ts';
import { KEYS } from './samples.ts';
import { ed25519Signer, type Signer } from './signers.ts';
import type { VectorSequence } from './vector-case.ts';

/** SHA-256 of the SPKI, as applications pin a root. */
export function fingerprintOf(signer: Signer): string {
  const key = createPublicKey({ key: { ...signer.jwk }, format: 'jwk' });
  return createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('hex');
}

type Row = readonly [
  name: string,
  inputs: readonly string[],
  codes: readonly string[],
  roots?: readonly Signer[],
];

const bundles = (rows: readonly Row[]): VectorSequence[] =>
  rows.map(([name, inputs, codes, roots = [KEYS.root]]) => ({
    name,
    kind: 'trust-bundle',
    roots: roots.map(fingerprintOf),
    inputs,
    codes,
  }));

const lists = (rows: readonly Row[]): VectorSequence[] =>
  rows.map(([name, inputs, codes]) => ({ name, kind: 'revocation-list', roots: [], inputs, codes }));

const activeRoot = present(BUNDLE.roots[0], 'the sample bundle has an active root');
const standbyRoot = present(BUNDLE.roots[1], 'the sample bundle has a standby root');
const next = ed25519Signer('next root');
const nextRoot = { kid: next.ref.kid, jwk: next.jwk, state: 'active' } as const;

/** A JWS of any payload under any `typ`, signed correctly. */
function message(signer: Signer, typ: string, payload: unknown): string {
  const jws = prepareJws(signer.ref, typ, payload);
  return jws.finish(signer.sign(jws.signingInput));
}

function bundleRules(): VectorSequence[] {
  const first = sampleBundle();
  const later = sampleBundle({ seq: 5 });
  const rotation = { seq: 5, roots: [...BUNDLE.roots, nextRoot] };
  const afterwards = { seq: 6, roots: [nextRoot] };
  return bundles([
    ['accepts a bundle by a pinned root', [first], ['VALID']],
    ['accepts the same bundle again', [first, first], ['VALID', 'VALID']],
    ['accepts a newer bundle', [first, later], ['VALID', 'VALID']],
    ['refuses an older bundle', [later, first], ['VALID', 'BUNDLE_STALE']],
    ['reports two bundles with one number', [first, sampleBundle({ keys: [] })], ['VALID', 'BUNDLE_FORK']],
    ['refuses a bundle by a root that is not pinned', [first], ['KEY_UNKNOWN'], [KEYS.stranger]],
    [
      'refuses a root that only the bundle itself lists',
      [sampleBundle({ roots: [nextRoot] }, next)],
      ['KEY_UNKNOWN'],
    ],
    ['refuses a bundle by any other key', [sampleBundle({ seq: 5 }, KEYS.license)], ['KEY_UNKNOWN']],
    ['accepts the bundle of a root rotation in JSON form', [sampleRotation()], ['VALID']],
    [
      'accepts a new root once an old one has announced it',
      [first, sampleRotation(rotation, [KEYS.root, next]), sampleBundle(afterwards, next)],
      ['VALID', 'VALID', 'VALID'],
    ],
    [
      'refuses a new root without that announcement',
      [first, sampleBundle(afterwards, next)],
      ['VALID', 'KEY_UNKNOWN'],
    ],
    [
      'refuses another tenant',
      [first, sampleBundle({ seq: 5, tenantCode: 'globex' })],
      ['VALID', 'ISSUER_MISMATCH'],
    ],
    ...rotationRules(first),
    ...bundleShapes(first),
  ]);
}

/** The standby root may say that the active one is compromised; from then on that one signs nothing. */
function rotationRules(first: string): Row[] {
  const lost = [
    { ...activeRoot, state: 'compromised' } as const,
    { ...standbyRoot, state: 'active' } as const,
  ];
  const byStandby = sampleBundle({ seq: 5, roots: lost }, KEYS.standbyRoot);
  const byThief = sampleBundle({ seq: 6 }, KEYS.root);
  return [
    [
      'lets the standby root replace a compromised one',
      [first, byStandby, byThief],
      ['VALID', 'VALID', 'KEY_COMPROMISED'],
      [KEYS.root, KEYS.standbyRoot],
    ],
    [
      'refuses a signature by a root the bundle calls compromised',
      [sampleBundle({ roots: lost })],
      ['KEY_COMPROMISED'],
    ],
  ];
}

function bundleShapes(first: string): Row[] {
  const key = present(BUNDLE.keys[0], 'the sample bundle has keys');
  const identityPoint = { ...key, jwk: { kty: 'OKP', crv: 'Ed25519', x: `AQ${'A'.repeat(41)}` } } as const;
  const [header = '', payload = '', signature = ''] = first.split('.');
  return [
    ['refuses a key with a small-order point', [sampleBundle({ keys: [identityPoint] })], ['MALFORMED']],
    [
      'refuses a key under another name',
      [sampleBundle({ keys: [{ ...key, kid: 'AAAAAAAAAAAAAAAA' }] })],
      ['MALFORMED'],
    ],
    ['refuses a key that stands twice', [sampleBundle({ keys: [key, key] })], ['MALFORMED']],
    [
      'refuses a bundle with a changed payload',
      [
        `${header}.${Buffer.from(JSON.stringify({ ...decoded(payload), seq: 9 })).toString('base64url')}.${signature}`,
      ],
      ['SIGNATURE_INVALID'],
    ],
    [
      'refuses a revocation list as bundle',
      [message(KEYS.root, 'mm-crl+jws', decoded(payload))],
      ['MALFORMED'],
    ],
    [
      'refuses an algorithm that is not the root’s',
      [
        first.replace(
          header,
          Buffer.from(JSON.stringify({ alg: 'ES256', kid: KEYS.root.ref.kid, typ: 'mm-trust+jws' })).toString(
            'base64url',
          ),
        ),
      ],
      ['ALGORITHM_UNKNOWN'],
    ],
    [
      'refuses the algorithm none',
      [
        first.replace(
          header,
          Buffer.from(JSON.stringify({ alg: 'none', kid: KEYS.root.ref.kid, typ: 'mm-trust+jws' })).toString(
            'base64url',
          ),
        ),
      ],
      ['ALGORITHM_UNKNOWN'],
    ],
    ['refuses padded base64url', [`${first}=`], ['MALFORMED']],
    [
      'refuses a bundle of an unknown version',
      [message(KEYS.root, 'mm-trust+jws', { ...decoded(payload), v: 2 })],
      ['MALFORMED'],
    ],
  ];
}

const decoded = (payload: string): object =>
  JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as object; // made by our own encoder

function listRules(): VectorSequence[] {
  const first = sampleList();
  const later = sampleList({ number: 4 });
  const payload = decoded(first.split('.')[1] ?? '');
  return lists([
    ['accepts a list by the revocation key', [first], ['VALID']],
    ['accepts the same list again', [first, first], ['VALID', 'VALID']],
    ['accepts a newer list', [first, later], ['VALID', 'VALID']],
    ['refuses an older list', [later, first], ['VALID', 'LIST_STALE']],
    ['reports two lists with one number', [first, sampleList({ fileIds: [] })], ['VALID', 'LIST_FORK']],
    ['refuses a list by a licence key', [sampleList({}, KEYS.license)], ['KEY_UNKNOWN']],
    ['refuses a list by an announced key', [sampleList({}, KEYS.pendingRevocation)], ['KEY_UNKNOWN']],
    [
      'accepts a list by an announced key whose day has come',
      [sampleList({ issuedAt: Date.parse('2026-05-21T08:00:00.000Z') }, KEYS.pendingRevocation)],
      ['VALID'],
    ],
    ['refuses a list of another tenant', [sampleList({ tenantCode: 'globex' })], ['ISSUER_MISMATCH']],
    [
      'refuses a list of the test environment',
      [sampleList({ environment: 'test' })],
      ['ENVIRONMENT_MISMATCH'],
    ],
    [
      'refuses a list with entries out of order',
      [message(KEYS.revocation, 'mm-crl+jws', { ...payload, files: ['b', 'a'] })],
      ['MALFORMED'],
    ],
    [
      'refuses a list with an entry twice',
      [message(KEYS.revocation, 'mm-crl+jws', { ...payload, files: ['a', 'a'] })],
      ['MALFORMED'],
    ],
    ['refuses a list with a changed payload', [changed(first)], ['SIGNATURE_INVALID']],
  ]);
}

function changed(list: string): string {
  const [header = '', payload = '', signature = ''] = list.split('.');
  const other = { ...decoded(payload), number: LIST.number + 1 };
  return [header, Buffer.from(JSON.stringify(other)).toString('base64url'), signature].join('.');
}

/** Every case about trust bundles and revocation lists. */
export const sequenceCases = (): VectorSequence[] => [...bundleRules(), ...listRules()];
