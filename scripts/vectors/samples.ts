import type { FileProtection } from '../../src/issuing/certificate.ts';
import type { FileMeta } from '../../src/issuing/file-meta.ts';
import type { EntitlementFacts, LicenseFacts, MachineFacts } from '../../src/issuing/file-resources.ts';
import { prepareLicenseFile } from '../../src/issuing/license-file.ts';
import { prepareMachineFile } from '../../src/issuing/machine-file.ts';
import { prepareSignedKey, type SignedKeyFacts } from '../../src/issuing/signed-key.ts';
import { Secret } from '../../src/lib/secret.ts';
import { ed25519Signer, type Signer } from './signers.ts';

const at = (text: string): number => Date.parse(text);

/** When every sample was issued, and a moment at which the plain ones are valid. */
export const ISSUED_AT = at('2026-03-01T08:00:00.000Z');
/** One day later. */
export const NOW = at('2026-03-02T08:00:00.000Z');
/** A fortnight after {@link ISSUED_AT}. */
export const EXPIRES_AT = at('2026-03-15T08:00:00.000Z');

/** The licence key of every sample, in canonical form. */
export const LICENSE_KEY = 'ACME-7K3M-9QXR-2TVB-H8K2';
/** The fingerprint of the sample machine. */
export const FINGERPRINT = '4d:1f:9a:22:machine-of-the-samples';

/** The keys of the samples, by what they do. */
export const KEYS = {
  root: ed25519Signer('root'),
  standbyRoot: ed25519Signer('standby root'),
  license: ed25519Signer('live license'),
  testLicense: ed25519Signer('test license'),
  pendingLicense: ed25519Signer('pending live license'),
  dueLicense: ed25519Signer('announced live license whose day has come'),
  retiredLicense: ed25519Signer('retired live license'),
  leakedLicense: ed25519Signer('compromised live license'),
  productLicense: ed25519Signer('live license of one product'),
  response: ed25519Signer('live response'),
  testResponse: ed25519Signer('test response'),
  retiredResponse: ed25519Signer('retired live response'),
  leakedResponse: ed25519Signer('compromised live response'),
  revocation: ed25519Signer('revocation'),
  pendingResponse: ed25519Signer('pending live response'),
  pendingRevocation: ed25519Signer('pending revocation'),
  stranger: ed25519Signer('another issuer'),
} as const;

/** The sample licence. */
export const LICENSE: LicenseFacts = {
  id: 'lic_01KJM000000000000000000001',
  name: 'Werk Süd – Linie 3',
  expiresAt: null,
  status: 'ACTIVE',
  usesCount: 0,
  suspended: false,
  floating: false,
  maxMachines: 2,
  metadata: { site: 'Süd', seats: 2 },
  createdAt: at('2026-02-01T08:00:00.000Z'),
  updatedAt: at('2026-02-01T08:00:00.000Z'),
  owners: {
    tenantId: 'ten_01KJM000000000000000000001',
    productId: 'prod_01KJM00000000000000000001',
    policyId: 'pol_01KJM000000000000000000001',
  },
};

/** The sample machine. */
export const MACHINE: MachineFacts = {
  id: 'mach_01KJM00000000000000000001',
  fingerprint: FINGERPRINT,
  name: 'press-3',
  platform: 'linux',
  hostname: 'press-3.plant.local',
  cores: 8,
  heartbeat: { required: false, status: 'NOT_STARTED', intervalSeconds: null },
  metadata: {},
  createdAt: at('2026-02-02T08:00:00.000Z'),
  updatedAt: at('2026-02-02T08:00:00.000Z'),
};

/** The sample entitlement. */
export const ENTITLEMENT: EntitlementFacts = {
  id: 'ent_01KJM000000000000000000001',
  code: 'export-pdf',
  name: 'PDF export',
  metadata: {},
  createdAt: at('2026-02-01T08:00:00.000Z'),
  updatedAt: at('2026-02-01T08:00:00.000Z'),
};

/** What the samples say about themselves. */
export const META: FileMeta = {
  issuedAt: ISSUED_AT,
  expiresAt: EXPIRES_AT,
  jti: 'file_01KJM00000000000000000001',
  branch: '5f2c9a0d1b7e4433',
  seq: 17,
  anchor: { size: 42, root: Buffer.alloc(32, 0xa5) },
  epoch: 3,
  tenantCode: 'acme',
  environment: 'live',
  issuer: 'Mintmark',
  productCode: 'press-control',
  crlMaxAgeDays: null,
  enforcement: 'BLOCK',
  graceDays: 0,
  dev: false,
};

/** The iv of every sample. Only samples may repeat one. */
const IV = Buffer.from('0102030405060708090a0b0c', 'hex');

/** Encrypted under the sample key, or readable by anyone. */
export const PROTECTION = {
  encrypted: { mode: 'encrypted', licenseKey: new Secret(LICENSE_KEY), iv: IV },
  plain: { mode: 'plain', maskedKey: 'ACME-••••-••••-••••-H8K2' },
} as const satisfies Record<string, FileProtection>;

/** What may be changed about a sample. */
export interface SampleChange {
  readonly license?: Partial<LicenseFacts>;
  readonly machine?: Partial<MachineFacts>;
  readonly meta?: Partial<FileMeta>;
  readonly protection?: FileProtection;
  readonly signer?: Signer;
}

/** The sample licence file, changed as asked. */
export function sampleLicenseFile(change: SampleChange = {}): string {
  const signer = change.signer ?? KEYS.license;
  const file = prepareLicenseFile({
    license: { ...LICENSE, ...change.license },
    entitlements: [ENTITLEMENT],
    meta: { ...META, ...change.meta },
    protection: change.protection ?? PROTECTION.encrypted,
    signingKey: signer.ref,
  });
  return file.finish(signer.sign(file.signingInput));
}

/** The sample machine file, changed as asked. */
export function sampleMachineFile(change: SampleChange = {}): string {
  const signer = change.signer ?? KEYS.license;
  const file = prepareMachineFile({
    machine: { ...MACHINE, ...change.machine },
    license: { ...LICENSE, ...change.license },
    entitlements: [ENTITLEMENT],
    meta: { ...META, jti: 'file_01KJM00000000000000000002', ...change.meta },
    protection: change.protection ?? PROTECTION.encrypted,
    signingKey: signer.ref,
  });
  return file.finish(signer.sign(file.signingInput));
}

/** The sample signed key, changed as asked. */
export function sampleSignedKey(change: Partial<SignedKeyFacts> = {}, signer: Signer = KEYS.license): string {
  const facts: SignedKeyFacts = {
    productCode: 'press-control',
    policy: 'desktop_app',
    licenseId: LICENSE.id,
    entitlementCodes: ['export-pdf'],
    createdAt: ISSUED_AT,
    expiresAt: null,
    dev: false,
    ...change,
  };
  const key = prepareSignedKey(facts, signer.ref);
  return key.finish(signer.sign(key.signingInput));
}
