export { countDay, dayOf } from './analytics/day-count-store.ts';
export { analyticsJobs } from './analytics/jobs.ts';
export { analyticsRoutes, type AnalyticsRoutesDeps } from './analytics/routes.ts';
export { createValidationCounts, type ValidationCounts } from './analytics/validation-counts.ts';
export { batchRoutes, type BatchRoutesDeps } from './batches/routes.ts';
export { RunningBatches } from './batches/running-batches.ts';
export { holdsScope, realmOf } from './caller.ts';
export { openLicenseKey, openPersonal } from './licenses/license-sealing.ts';
export { findLicense } from './licenses/license-store.ts';
export { statusAt } from './licenses/license.ts';
export { startTerm, withTermBegun } from './licenses/start-term.ts';
export { Challenges } from './machines/challenges.ts';
export { claimMachine, type ClaimDeps } from './machines/claim.ts';
export { machineJobs, type MachineJobsDeps } from './machines/jobs.ts';
export { LimitNotices } from './machines/limit-notices.ts';
export { openFingerprint, openMachinePersonal } from './machines/machine-sealing.ts';
export { bookMachineCheckout } from './machines/machine-store.ts';
export { createMachineUsage, type MachineUsage } from './machines/machine-usage.ts';
export {
  holderOf,
  ownMachine,
  requireMachineSignature,
  requireSameSigner,
  type SeenSignature,
  type SignedRequest,
} from './machines/own-machine.ts';
export { machineOf } from './machines/recognise.ts';
export { prepareMachine, type PreparedMachine, type PrepareDeps } from './machines/prepare-activation.ts';
export { MACHINE_PROOFS, machineRoutes, type MachineRoutesDeps, signedRequestOf } from './machines/routes.ts';
export { componentsSchema, fingerprintSchema, userEmailSchema } from './machines/machine-schema.ts';
export { isPublisher, seatsOfHolder, untilTomorrow } from './machines/holder-limits.ts';
export { tenantSuspended } from './machines/suspended-tenant.ts';
export { isSweepHeld, releaseSweep, SWEEP_JOB } from './machines/sweep-hold.ts';
export { openMetadata } from './metadata.ts';
export { PolicyCache } from './policies/policy-cache.ts';
export { findPolicy } from './policies/policy-store.ts';
export { notFound, type Outcome, type Refusal, refusal, settle, STALE } from './refusal.ts';
export { idParams, NEWEST_FIRST } from './schema.ts';
export { decide, type DecisionFacts } from './validation/decide.ts';
export { Decoy } from './validation/decoy.ts';
export { validationJobs } from './validation/jobs.ts';
export { createLicenseUsage, type LicenseUsage } from './validation/license-usage.ts';
export { validationRoutes } from './validation/routes.ts';
export { type Components, readStanding, type Standing, type StandingDeps } from './validation/standing.ts';
export type { ValidateKeyDeps } from './validation/validate-key.ts';
export { bookHolderCheckout, bookLicenseCheckout } from './validation/usage-store.ts';
export { entitlementRoutes, type EntitlementRoutesDeps } from './entitlements/routes.ts';
export { entitlementDecides } from './entitlements/entitlement.ts';
export { licenseLink } from './licenses/license-entitlement-store.ts';
export { licenseDecides } from './licenses/license-view.ts';
export { fingerprintDigests } from './machines/machine-sealing.ts';
export { machineDecides } from './machines/machine.ts';
export { policyLink } from './policies/policy-entitlement-store.ts';
export { policyDecides } from './policies/policy.ts';
export { productDecides } from './products/product.ts';
export { PURGE_JOB } from './purge/purge.ts';
export { licenseJobs, type LicenseJobsDeps } from './licenses/jobs.ts';
export { REVOKE_JOB } from './licenses/revoke-lapsed.ts';
export { licenseKeyDigest, licenseKeyDigests } from './licenses/license-directory-store.ts';
export { isWeakGuess } from './licenses/license-key-strength.ts';
export { canonicalLicenseKey, licenseKeyForms } from './licenses/license-key.ts';
export { licenseRoutes, type LicenseRoutesDeps } from './licenses/routes.ts';
export { policyRoutes, type PolicyRoutesDeps } from './policies/routes.ts';
export { purgeJobs } from './purge/jobs.ts';
export { PURGE_SWEEPS } from './purge/purge-kinds.ts';
export { productJobs } from './products/jobs.ts';
export { productOf } from './products/product-of-store.ts';
export { type KeyedProduct, productsOfKey } from './products/product-keys-store.ts';
export { moveProducts } from './products/set-key.ts';
export { productRoutes, type ProductRoutesDeps } from './products/routes.ts';
