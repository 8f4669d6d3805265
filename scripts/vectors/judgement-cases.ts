import { present } from '../../src/lib/invariant.ts';
import { encDigestOf, sampleList } from './sample-messages.ts';
import {
  EXPIRES_AT,
  ISSUED_AT,
  KEYS,
  LICENSE,
  NOW,
  PROTECTION,
  sampleLicenseFile,
  sampleMachineFile,
  sampleSignedKey,
} from './samples.ts';
import { licenseFileCases, machineFileCases, signedKeyCases, type VectorCase } from './vector-case.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

const iso = (at: number): string => new Date(at).toISOString();

const file = sampleLicenseFile();
const plain = { protection: PROTECTION.plain };
const licensed = (status: string): string => sampleLicenseFile({ license: { status } });

/** What a good file looks like, in every form. */
function accepted(): VectorCase[] {
  const test = { signer: KEYS.testLicense, meta: { environment: 'test' } } as const;
  return [
    ...licenseFileCases([
      ['accepts a licence file', file, 'VALID'],
      [
        'accepts a file of a key that was announced and whose day has come',
        sampleLicenseFile({ signer: KEYS.dueLicense }),
        'VALID',
      ],
      ['accepts an unencrypted licence file', sampleLicenseFile(plain), 'VALID'],
      ['accepts the licence key as it was typed', file, 'VALID', { licenseKey: ' acme 7k3m-9qxr 2tvb h8k2' }],
      ['accepts the product by its id', file, 'VALID', { product: LICENSE.owners.productId }],
      ['accepts any product when that is asked for', file, 'VALID', { product: 'any' }],
      [
        'accepts a test file when that is asked for',
        sampleLicenseFile(test),
        'VALID',
        { environment: 'test' },
      ],
      [
        'accepts the tenant and issuer that are asked for',
        file,
        'VALID',
        { tenant: 'acme', issuer: 'Mintmark' },
      ],
      [
        'accepts a development file unless told otherwise',
        sampleLicenseFile({ meta: { dev: true } }),
        'VALID',
      ],
    ]),
    ...machineFileCases([
      ['accepts a machine file', sampleMachineFile(), 'VALID'],
      ['accepts an unencrypted machine file', sampleMachineFile(plain), 'VALID'],
    ]),
    ...signedKeyCases([
      ['accepts a signed key', sampleSignedKey(), 'VALID'],
      [
        'refuses a signed key of a key that is only announced',
        sampleSignedKey({}, KEYS.pendingLicense),
        'KEY_UNKNOWN',
      ],
      [
        'accepts a signed key of an announced key whose day has come',
        sampleSignedKey({}, KEYS.pendingLicense),
        'VALID',
        { now: '2026-05-21T08:00:00.000Z' },
      ],
      ['accepts a signed key with an end', sampleSignedKey({ expiresAt: EXPIRES_AT }), 'VALID'],
    ]),
  ];
}

/** Step 6. */
function identity(): VectorCase[] {
  return licenseFileCases([
    ['refuses another tenant', sampleLicenseFile({ meta: { tenantCode: 'globex' } }), 'ISSUER_MISMATCH'],
    ['refuses another issuer name', file, 'ISSUER_MISMATCH', { issuer: 'Somebody' }],
    ['refuses another product', file, 'PRODUCT_MISMATCH', { product: 'other-product' }],
    [
      'refuses a product the key may not sign for',
      sampleLicenseFile({ signer: KEYS.productLicense }),
      'PRODUCT_MISMATCH',
    ],
    [
      'refuses a development file in a release build',
      sampleLicenseFile({ meta: { dev: true } }),
      'DEV_REFUSED',
      { refuseDev: true },
    ],
    ['refuses a suspended licence', licensed('SUSPENDED'), 'STATUS_BLOCKED'],
    ['refuses a revoked licence', licensed('REVOKED'), 'STATUS_BLOCKED'],
    ['refuses a banned licence', licensed('BANNED'), 'STATUS_BLOCKED'],
  ]);
}

/** Step 8. */
function clock(): VectorCase[] {
  const graced = sampleLicenseFile({ license: { expiresAt: ISSUED_AT + 1 } });
  return licenseFileCases([
    ['accepts a file until its last millisecond', file, 'VALID', { now: iso(EXPIRES_AT - 1) }],
    ['refuses a file from the moment it expires', file, 'EXPIRED', { now: iso(EXPIRES_AT) }],
    ['accepts a clock that is five minutes behind', file, 'VALID', { now: iso(ISSUED_AT - 5 * MINUTE) }],
    ['refuses a file from the future', file, 'NOT_YET_VALID', { now: iso(ISSUED_AT - 5 * MINUTE - 1) }],
    [
      'refuses a clock that was set back',
      file,
      'CLOCK_ROLLED_BACK',
      { newestTime: iso(NOW + 5 * MINUTE + 1) },
    ],
    ['accepts a clock that wavers', file, 'VALID', { newestTime: iso(NOW + 5 * MINUTE) }],
    [
      'refuses a clock behind the trust bundle',
      file,
      'CLOCK_ROLLED_BACK',
      { now: '2026-02-20T07:54:59.999Z' },
    ],
    [
      'refuses a clock behind the revocation list',
      file,
      'CLOCK_ROLLED_BACK',
      { revocations: sampleList({ issuedAt: NOW + DAY, number: 5 }) },
    ],
    [
      'counts the newest time seen, not the clock',
      file,
      'EXPIRED',
      { now: iso(EXPIRES_AT - MINUTE), newestTime: iso(EXPIRES_AT) },
    ],
    ['accepts a licence in grace and says so', graced, 'EXPIRED_IN_GRACE'],
  ]);
}

/** Step 9. */
function revocation(): VectorCase[] {
  const demanding = sampleLicenseFile({ meta: { crlMaxAgeDays: 30 } });
  const old = sampleList({ issuedAt: NOW - 31 * DAY });
  const leaked = sampleLicenseFile({ signer: KEYS.leakedLicense });
  const keys = (affirmed: readonly Buffer[], kid = KEYS.leakedLicense.ref.kid): string =>
    sampleList({ keys: [{ kid, affirmedEncDigests: affirmed }] });
  return [
    ...licenseFileCases([
      ['accepts a file the list does not name', file, 'VALID', { revocations: sampleList() }],
      [
        'refuses a revoked file',
        sampleLicenseFile({ meta: { jti: 'file_revoked' } }),
        'REVOKED',
        { revocations: sampleList() },
      ],
      [
        'refuses the file of a revoked licence',
        sampleLicenseFile({ license: { id: 'lic_revoked' } }),
        'REVOKED',
        { revocations: sampleList() },
      ],
      [
        'refuses a file below the lowest epoch',
        file,
        'REVOKED_BY_EPOCH',
        { revocations: sampleList({ number: 9, minEpoch: 4 }) },
      ],
      ['demands a list when the file does', demanding, 'LIST_REQUIRED'],
      ['accepts a list that is new enough', demanding, 'VALID', { revocations: sampleList() }],
      ['demands a newer list when the file does', demanding, 'LIST_REQUIRED', { revocations: old }],
      [
        'refuses a list older than the file when it demands one',
        sampleLicenseFile({ meta: { crlMaxAgeDays: 30, epoch: 4 } }),
        'LIST_STALE',
        { revocations: sampleList() },
      ],
      [
        'refuses a file of a compromised key the list does not affirm',
        leaked,
        'KEY_COMPROMISED',
        { revocations: keys([]) },
      ],
      [
        'accepts a file of a compromised key that the list affirms',
        leaked,
        'VALID',
        { revocations: keys([encDigestOf(leaked)]) },
      ],
      [
        'refuses a key the list names although the bundle does not',
        file,
        'KEY_COMPROMISED',
        { revocations: keys([], KEYS.license.ref.kid) },
      ],
    ]),
    ...machineFileCases([
      [
        'refuses a revoked machine',
        sampleMachineFile({ machine: { id: 'mach_revoked' } }),
        'REVOKED',
        { revocations: sampleList() },
      ],
    ]),
    { ...staleWarning(), valid: true },
  ];
}

/** Without a demand in the file a stale list is a warning: the verdict is valid and says so. */
function staleWarning(): VectorCase {
  const newer = sampleLicenseFile({ meta: { epoch: 4 } });
  const [warning] = licenseFileCases([
    ['warns of a list older than the file', newer, 'LIST_STALE', { revocations: sampleList() }],
  ]);
  return present(warning, 'one row makes one case');
}

function signedKeys(): VectorCase[] {
  const key = sampleSignedKey();
  const [input = '', signature = ''] = key.split('.');
  const unpadded = key.replaceAll('=', '');
  const keys = [{ kid: KEYS.license.ref.kid, affirmedEncDigests: [] }];
  return signedKeyCases([
    ['refuses a signed key without its padding', unpadded, 'MALFORMED'],
    ['refuses a signed key without its prefix', key.replace('key/', 'lic/'), 'MALFORMED'],
    ['refuses a signed key in three parts', `${key}.x`, 'MALFORMED'],
    ['refuses a signed key without a signature', input, 'MALFORMED'],
    [
      'refuses the signature of another signed key',
      `${sampleSignedKey({ policy: 'trial' }).split('.')[0] ?? ''}.${signature}`,
      'SIGNATURE_INVALID',
    ],
    ['refuses a signed key by another issuer', sampleSignedKey({}, KEYS.stranger), 'KEY_UNKNOWN'],
    ['refuses a signed key by a compromised key', sampleSignedKey({}, KEYS.leakedLicense), 'KEY_COMPROMISED'],
    [
      'refuses a signed key by a key the list names',
      key,
      'KEY_COMPROMISED',
      { revocations: sampleList({ keys }) },
    ],
    ['refuses a signed key of another product', key, 'PRODUCT_MISMATCH', { product: 'other-product' }],
    ['refuses a signed key that has expired', sampleSignedKey({ expiresAt: NOW }), 'EXPIRED'],
    ['refuses a signed key from the future', sampleSignedKey({ createdAt: NOW + DAY }), 'NOT_YET_VALID'],
    [
      'refuses a signed key of a revoked licence',
      sampleSignedKey({ licenseId: 'lic_revoked' }),
      'REVOKED',
      { revocations: sampleList() },
    ],
    [
      'refuses a development key in a release build',
      sampleSignedKey({ dev: true }),
      'DEV_REFUSED',
      { refuseDev: true },
    ],
    [
      'refuses a signed key of the test environment',
      sampleSignedKey({}, KEYS.testLicense),
      'ENVIRONMENT_MISMATCH',
    ],
  ]);
}

/** Every case about what a genuine file is worth. */
export const judgementCases = (): VectorCase[] => [
  ...accepted(),
  ...identity(),
  ...clock(),
  ...revocation(),
  ...signedKeys(),
];
