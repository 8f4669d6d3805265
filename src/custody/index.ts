/**
 * The face of custody: what others may know of keys. Key bytes never leave this folder.
 */
export type {
  CustodianHealth,
  KeyAlgorithm,
  KeyEvidence,
  KeyCustodian,
  KeyHandle,
  KeyPurpose,
  KeySpec,
  TokenIdentity,
  TokenKeys,
} from './custodian.ts';
export { type BackupKey, openBackupKey, type OpenedBackupKey } from './backup-key.ts';
export { Custody, type CustodyDeps, type SlotToAdd, type SlotUsed } from './custody.ts';
export type { DataKeyStatus, KeyWork } from './data-keys.ts';
export { type Probe, probe, type ProbedToken } from './pkcs11/probe.ts';
export { moduleDigest } from './pkcs11/module-file.ts';
export { tokenSettings } from './pkcs11/token-settings.ts';
export {
  initialiseCustody,
  type InitialisedCustody,
  type NewCustody,
  openCustody,
  slotSecret,
  type Unsealing,
  unsealCustody,
} from './initialise.ts';
export { type JoseAlgorithm, type KeyJwk, spkiFingerprint } from './key-id.ts';
export {
  APPLIANCE_SCOPE,
  describeKey,
  inState,
  Keyring,
  type KeyScope,
  type NewKey,
  NO_COPY,
  realmScope,
  type Registration,
  type SigningKey,
  signingKeyColumns,
  type SigningKeyState,
  signsNow,
  type StateChange,
  tenantScope,
} from './keyring.ts';
export type { Cell, Indexer, IndexName, KeyedDigest, Sealer } from './sealer.ts';
export {
  credentialPlace,
  DEFAULT_CREDENTIAL_PATH,
  isInside,
  readCredential,
  writeCredential,
} from './slots/credential.ts';
export { generatePassphrase } from './slots/passphrase.ts';
export { requireStrongPassphrase } from './slots/passphrase-strength.ts';
export { generateRecoveryCode } from './slots/recovery-code.ts';
export { makeShares, parseShare, type Share, sharesSecret } from './slots/shares.ts';
export {
  credentialSecret,
  passphraseSecret,
  recoverySecret,
  type SlotKind,
  type SlotSecret,
} from './slots/slot-secret.ts';
export { openingSlots } from './rekey.ts';
export { listSlots, type SlotInfo, slotOfShare } from './slots/slots.ts';
export {
  describeTenantKeys,
  generateLedgerKey,
  generateTenantKeys,
  type KeySource,
  type NewTenantKeys,
  registerLedgerKey,
  registerTenantKeys,
  TENANT_KEYS,
  type TenantPlace,
  trustBundleContents,
  type TrustBundleContents,
} from './tenant-keys.ts';
export { demandSentence, WITHOUT_COPY } from './without-copy.ts';
export { keyVersionOf } from './value-format.ts';
export { RESEAL_JOB, type ResealProgress, Resealing } from './reseal.ts';
