export { addressPrefix } from './address-prefix.ts';
export { type Anchor, type AnchorFinding, anchorFile, checkAnchor } from './anchor.ts';
export { append, type Happening, NO_ROW } from './append.ts';
export { ledgerOrigin, parseCheckpoint } from './checkpoint.ts';
export { Checkpointer, type CheckpointerDeps, type CheckpointStatus } from './checkpointer.ts';
export { type Facts } from './entry.ts';
export { exportLedger, type ExportDeps, type ExportRequest, type ExportSummary } from './export.ts';
export { EXPORT_FILES } from './export-format.ts';
export { forcesCheckpoint } from './forced-actions.ts';
export { ledgerJobs, type LedgerJobsDeps } from './jobs.ts';
export { keyChangeFacts, LEDGER_KEY_CHANGED } from './key-chain.ts';
export { Ledger, type LedgerAnchor, type LedgerDeps } from './ledger.ts';
export { lastCheckpoint, ledgerPublicKeys, ledgerSize, type StoredEntry } from './ledger-store.ts';
export type { TreeHead } from './merkle.ts';
export {
  formatVerifierKey,
  isSignedBy,
  type NoteSigner,
  parseVerifierKey,
  type VerifierKey,
} from './note.ts';
export { recordRefusals, type RecordRefusalsDeps } from './record-refusals.ts';
export { type AnonymousRefusal, type KnownRefusal, Refusals } from './refusals.ts';
export { describeReport } from './report.ts';
export { auditRoutes } from './routes.ts';
export { ledgerSigner, ledgerVerifierKey } from './signer.ts';
export type { LedgerProblem, LedgerReport } from './verify.ts';
export { type ExportReport, verifyExport, type VerifyExportOptions } from './verify-export.ts';
export { firstLedgerKey, verifyStored, type VerifyStoredDeps, walkStored } from './verify-stored.ts';
export { describes, newestRowEntry, type RowEntry, type RowName } from './row-entry.ts';
export { entriesAbout, isIndexed } from './row-entries-store.ts';
export { type EntryDocument, parseEntry } from './entry.ts';
