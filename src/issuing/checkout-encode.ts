import { createHash } from 'node:crypto';
import type { SigningKey } from '../custody/keyring.ts';
import type { Sealer } from '../custody/sealer.ts';
import type { Random } from '../lib/random.ts';
import { Secret } from '../lib/secret.ts';
import { openLicenseKey, type Standing, statusAt } from '../licensing/index.ts';
import { type FileProtection, type PreparedFile, requireSignable } from './certificate.ts';
import { entitlementFacts, licenseFacts, type MachineInFile } from './checkout-dataset.ts';
import type { FileMeta } from './file-meta.ts';
import { prepareLicenseFile } from './license-file.ts';
import { prepareMachineFile } from './machine-file.ts';
import { type SigningKeyRef, SIGNATURE_ALGORITHMS } from './signature-algorithm.ts';
import { prepareSignedKey } from './signed-key.ts';
import { prepareToken } from './token.ts';

/** In which form: a certificate, a compact token, or a signed key, which is bound to no machine. */
export type CheckoutForm = 'file' | 'jwt' | 'signed-key';

/** What encoding opens, and what it draws. */
export interface EncodeDeps {
  readonly sealer: Sealer;
  readonly random: Random;
}

/** Everything that is known of a file before it is signed. */
export interface ToEncode {
  readonly form: CheckoutForm;
  readonly encrypt: boolean;
  readonly standing: Standing;
  readonly tenantId: string;
  readonly key: SigningKey;
  readonly meta: FileMeta;
  /** null: bound to none. */
  readonly machine: MachineInFile | null;
  readonly policyCode: string;
}

const ENCODERS: Readonly<Record<CheckoutForm, (deps: EncodeDeps, given: ToEncode) => PreparedFile>> = {
  file: encodeFile,
  jwt: encodeToken,
  'signed-key': encodeSignedKey,
};

/** Lays out a file in the form that was asked for, up to its signature. @throws Fault FILE_TOO_LARGE, SEALED, KEY_STORAGE */
export function encodeCheckout(deps: EncodeDeps, given: ToEncode): PreparedFile {
  return ENCODERS[given.form](deps, given);
}

function encodeFile(deps: EncodeDeps, given: ToEncode): PreparedFile {
  const { standing, tenantId, meta, machine } = given;
  const input = {
    license: licenseFacts(deps, standing, { tenantId, now: meta.issuedAt }),
    entitlements: entitlementFacts(deps, standing, meta.expiresAt),
    meta,
    protection: protectionOf(deps, given),
    signingKey: refOf(given),
  };
  return machine === null ? prepareLicenseFile(input) : prepareMachineFile({ ...input, machine });
}

const IV_BYTES = 12;

function protectionOf(deps: EncodeDeps, { encrypt, standing }: ToEncode): FileProtection {
  const { realm, license } = standing;
  if (!encrypt) return { mode: 'plain', maskedKey: license.keyMasked };
  const licenseKey = new Secret(openLicenseKey(deps, realm, license));
  return { mode: 'encrypted', licenseKey, iv: deps.random.bytes(IV_BYTES) };
}

function encodeToken(deps: EncodeDeps, given: ToEncode): PreparedFile {
  const { standing, meta, machine } = given;
  const { license } = standing;
  const status = statusAt(license, meta.issuedAt).toUpperCase();
  const token = prepareToken(
    {
      ...{ licenseId: license.id, policyId: license.policyId, status, maskedKey: license.keyMasked, meta },
      entitlementCodes: codesOf(deps, given),
      machine: machine === null ? null : { id: machine.id, fingerprint: machine.fingerprint },
    },
    refOf(given),
  );
  return signable(token, given.key.algorithm);
}

function encodeSignedKey(deps: EncodeDeps, given: ToEncode): PreparedFile {
  const { standing, meta, policyCode } = given;
  const { issuedAt: createdAt, expiresAt, dev, productCode } = meta;
  const key = prepareSignedKey(
    {
      ...{ productCode, policy: policyCode, licenseId: standing.license.id },
      ...{ entitlementCodes: codesOf(deps, given), createdAt, expiresAt, dev },
    },
    refOf(given),
  );
  return signable(key, SIGNATURE_ALGORITHMS[given.key.algorithm].certificateSuffix);
}

/** @throws Fault FILE_TOO_LARGE */
function signable(prepared: Pick<PreparedFile, 'signingInput' | 'finish'>, algorithm: string): PreparedFile {
  const { signingInput, finish } = prepared;
  requireSignable(signingInput.length);
  const encDigest = createHash('sha256').update(signingInput).digest();
  return { signingInput, encDigest, algorithm, finish };
}

function codesOf(deps: EncodeDeps, { standing, meta }: ToEncode): string[] {
  return entitlementFacts(deps, standing, meta.expiresAt).map(({ code }) => code);
}

function refOf({ key }: ToEncode): SigningKeyRef {
  return { kid: key.kid, algorithm: key.algorithm };
}
