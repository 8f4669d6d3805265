import { prepareCertificate, type FileProtection, type PreparedFile } from './certificate.ts';
import { encodeFileMeta, type FileMeta } from './file-meta.ts';
import {
  entitlementResource,
  licenseResource,
  machineResource,
  type EntitlementFacts,
  type LicenseFacts,
  type MachineFacts,
} from './file-resources.ts';
import { SIGNATURE_ALGORITHMS, type SigningKeyRef } from './signature-algorithm.ts';

/** Everything that goes into a machine file. */
export interface MachineFileInput {
  readonly machine: MachineFacts;
  readonly license: LicenseFacts;
  /** The union of policy and licence, already resolved. */
  readonly entitlements: readonly EntitlementFacts[];
  readonly meta: FileMeta;
  readonly protection: FileProtection;
  readonly signingKey: SigningKeyRef;
}

/**
 * Lays out a machine file (`MACHINE FILE`, docs/formats/license-file.md) up to its signature: bound to one fingerprint
 * by its content key when encrypted, and by the signed attribute always. Pure.
 * @throws Fault FILE_TOO_LARGE when it carries more than 15 000 bytes
 */
export function prepareMachineFile(input: MachineFileInput): PreparedFile {
  const { machine, license, entitlements, protection, signingKey } = input;
  const { scheme } = SIGNATURE_ALGORITHMS[signingKey.algorithm];
  const dataset = {
    data: machineResource(machine, license),
    included: [
      licenseResource(license, entitlements, { protection, scheme }),
      ...entitlements.map(entitlementResource),
    ],
    meta: encodeFileMeta(input.meta, signingKey.kid, { mode: 'exact' }),
  };
  const { fingerprint } = machine;
  return prepareCertificate({ kind: 'machine', dataset, protection, fingerprint, signingKey });
}
