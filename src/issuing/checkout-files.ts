import type { Permit } from '../access/index.ts';
import { isoTime } from '../lib/clock.ts';
import { findLicense, notFound, realmOf } from '../licensing/index.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import { type IssuedKind, type ListedFile, pageOfFiles } from './issued-files-store.ts';

/** A file as the API shows it. */
export interface FileView {
  readonly id: string;
  readonly kind: IssuedKind;
  readonly licenseId: string;
  readonly machineId: string | null;
  readonly kid: string;
  readonly branch: string;
  readonly seq: number;
  /** SHA-256 of `enc`, or of the signed text of a token or key; hexadecimal. */
  readonly digest: string;
  readonly issuedAt: string;
  readonly expiresAt: string;
}

/**
 * The files issued for a licence and its machines, newest first, each with its sort key.
 * @throws Fault NOT_FOUND
 */
export function listFiles(
  { work }: { readonly work: Pick<UnitOfWork, 'read'> },
  permit: Permit,
  asked: { readonly licenseId: string; readonly before: number; readonly limit: number },
): { readonly seq: number; readonly view: FileView }[] {
  const reader = work.read.in(realmOf(permit));
  const { licenseId, before, limit } = asked;
  if (findLicense(reader, licenseId) === undefined) throw notFound('licence', licenseId);
  return pageOfFiles(reader, licenseId, { before, limit }).map((file) => ({
    seq: file.seq,
    view: viewOf(file),
  }));
}

function viewOf(file: ListedFile): FileView {
  const { id, kind, licenseId, machineId, kid, branch } = file;
  const times = { issuedAt: isoTime(file.issuedAt), expiresAt: isoTime(file.expiresAt) };
  const digest = file.digest.toString('hex');
  return { id, kind, licenseId, machineId, kid, branch, seq: file.branchSeq, digest, ...times };
}
