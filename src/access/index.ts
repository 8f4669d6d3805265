export { type AnswerRooms, Answers, type AnswersDeps } from './answer-store.ts';
export { apiKeyDecides, DEFAULT_ISSUE_LIMIT, type Tier, TIERS } from './api-keys/api-key.ts';
export { findByPublicId } from './api-keys/api-key-store.ts';
export { countIssue } from './api-keys/count-issue.ts';
export {
  type ApiKeyToMake,
  makeApiKey,
  type MakeApiKeyDeps,
  type ShownApiKey,
} from './api-keys/create-api-key.ts';
export { type BulkKind, BulkReads } from './bulk-reads.ts';
export { ProvenKeys } from './api-keys/proven-keys.ts';
export { KeyUsage } from './api-keys/key-usage.ts';
export { scopeOf, SECURITY_SCHEMES, securityOf } from './demand-security.ts';
export { FailureLimiter, WEAK_GUESS_POINTS } from './failure-limiter.ts';
export { type KnownLicenseKey, LicenseKeys } from './license-keys.ts';
export { type Identified, identify, type IdentifyDeps, type Presented } from './identify.ts';
export { accessJobs, type AccessJobsDeps } from './jobs.ts';
export { type Asked, authorise, type Decision, type Demand, type KeepAnswer, Permit } from './permit.ts';
export type { Principal, PrincipalKind, RealmName } from './principal.ts';
export { refusalRecorder } from './refusal-recorder.ts';
export { API_KEY_SCOPES, holdersOf, type Scope, SCOPES } from './scopes.ts';
export {
  type CreateTenant,
  type CreateTenantDeps,
  type NewRealms,
  type PreparedTenant,
  type PreparedTenantKeys,
  prepareTenant,
  storeTenant,
} from './tenants/create-tenant.ts';
export { tenantDecides } from './tenants/tenant.ts';
export { findTenant } from './tenants/tenant-store.ts';
export { RateLimits, type RateLimitsDeps } from './rate-limits/rate-limits.ts';
export type { LimitTable } from './rate-limits/tier-limits.ts';
export { RealmDirectory } from './tenants/realm-directory.ts';
export { saysTheSame } from './says-the-same.ts';
export { refuseFull, type TenantRoom, tenantRoom } from './tenants/tenant-room-store.ts';
export type { RealmStanding } from './tenants/tenant-store.ts';
export { UsageLog } from './usage/usage-log.ts';
export { usageRoutes } from './usage/routes.ts';
export { apiKeyRoutes } from './api-keys/routes.ts';
export { tenantRoutes } from './tenants/routes.ts';
