export { type CheckoutDeps, checkoutLicense, checkoutMachine, type CheckoutOptions } from './checkout.ts';
export type { CountIssue, IssuedCheckout } from './checkout-commit.ts';
export { fileDecides } from './issued-files-store.ts';
export type { FileNumbers, Issuer } from './checkout-prepare.ts';
export type { Signer } from './checkout-sign.ts';
export type { LedgerAnchor } from './file-meta.ts';
export {
  prepareTenantTrust,
  type PreparedTrust,
  publishTrustBundle,
  type PublishDeps,
  type TrustDeps,
} from './publish-trust-bundle.ts';
export { revocationJobs } from './revocations/jobs.ts';
export { holdEpochs } from './revocations/publish-after-restore.ts';
export { listColumns } from './revocations/revocation-list-store.ts';
export { RevocationLists } from './revocations/publish-lists.ts';
export { signingKeyJobs } from './signing-keys/jobs.ts';
export { licenseKeysDue } from './signing-keys/key-times.ts';
export { signingKeyRoutes } from './signing-keys/routes.ts';
export { issuingRoutes, type IssuingRoutesDeps } from './routes.ts';
export { prepareJws } from './jws.ts';
