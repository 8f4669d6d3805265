/**
 * The face of custody: what others may know of keys. Key bytes never leave this folder.
 */
export type {
  CustodianHealth,
  KeyAlgorithm,
  KeyCustodian,
  KeyHandle,
  KeyPurpose,
  KeySpec,
} from './custodian.ts';
export type { DataKeyStatus, KeyWork } from './data-keys.ts';
export type { JoseAlgorithm, KeyJwk } from './key-id.ts';
export {
  APPLIANCE_SCOPE,
  Keyring,
  type KeyScope,
  type NewKey,
  realmScope,
  type SigningKey,
  signingKeyColumns,
  type SigningKeyState,
  tenantScope,
} from './keyring.ts';
export type { Cell, Indexer, IndexName, KeyedDigest, Sealer } from './sealer.ts';
export {
  describeTenantKeys,
  generateLedgerKey,
  generateTenantKeys,
  type NewTenantKeys,
  registerLedgerKey,
  registerTenantKeys,
  type TenantPlace,
  trustBundleContents,
  type TrustBundleContents,
} from './tenant-keys.ts';
export { keyVersionOf } from './value-format.ts';
