// The face of the verify library: everything an application needs to check what Mintmark issued, without a network.
// No Node API; imports nothing but the noble libraries. See docs/verify.md.

export { canonicalLicenseKey } from './license-key.ts';
export { VERDICT_CODES, type VerdictCode } from './refusal.ts';
export type {
  Enforcement,
  EntitlementContent,
  FileContent,
  LicenseContent,
  MachineContent,
  MetaContent,
} from './content.ts';
export {
  contentDigest,
  verifyResponse,
  type ResponseOptions,
  type ResponseVerdict,
  type SignedRequest,
  type SignedResponse,
} from './response.ts';
export {
  RevocationList,
  type RevocableKind,
  type RevocationListAnswer,
  type RevocationListOptions,
} from './revocation-list.ts';
export type { SignatureVerifier, SignatureVerifiers } from './signature.ts';
export { verifySignedKey, type SignedKeyContent, type SignedKeyVerdict } from './signed-key.ts';
export { EMPTY_STATE, type SeenMessage, type VerifierState } from './state.ts';
export type { JsonObject, JsonValue } from './strict-json.ts';
export { pinPublicKeys, type Environment, type Trust, type TrustedKey } from './trust.ts';
export {
  rootFingerprint,
  verifyTrustBundle,
  type TrustBundle,
  type TrustBundleAnswer,
  type TrustBundleOptions,
} from './trust-bundle.ts';
export type { Unchecked, Verdict, VerifyMachineOptions, VerifyOptions } from './verdict.ts';
export { verifyLicenseFile, verifyMachineFile } from './verify-file.ts';
