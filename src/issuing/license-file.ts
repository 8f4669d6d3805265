import { prepareCertificate, type FileProtection, type PreparedFile } from './certificate.ts';
import { encodeFileMeta, type FileMeta } from './file-meta.ts';
import {
  entitlementResource,
  licenseResource,
  type EntitlementFacts,
  type LicenseFacts,
} from './file-resources.ts';
import { SIGNATURE_ALGORITHMS, type SigningKeyRef } from './signature-algorithm.ts';

/** Everything that goes into a licence file. */
export interface LicenseFileInput {
  readonly license: LicenseFacts;
  /** The union of policy and licence, already resolved. */
  readonly entitlements: readonly EntitlementFacts[];
  readonly meta: FileMeta;
  readonly protection: FileProtection;
  readonly signingKey: SigningKeyRef;
}

/**
 * Lays out a licence file (`LICENSE FILE`, docs/formats/license-file.md) up to its signature. Pure.
 * @throws Fault FILE_TOO_LARGE when it carries more than 15 000 bytes
 */
export function prepareLicenseFile(input: LicenseFileInput): PreparedFile {
  const { license, entitlements, protection, signingKey } = input;
  const { scheme } = SIGNATURE_ALGORITHMS[signingKey.algorithm];
  const dataset = {
    data: licenseResource(license, entitlements, { protection, scheme }),
    included: entitlements.map(entitlementResource),
    meta: encodeFileMeta(input.meta, signingKey.kid),
  };
  return prepareCertificate({ kind: 'license', dataset, protection, signingKey });
}
