import { isoTime, type EpochMs } from '../../lib/clock.ts';
import type { DecidingColumns } from '../../storage/journal.ts';
import type { Metadata } from '../metadata.ts';
import { deletedShown } from '../schema.ts';

/** A living entitlement as stored. Times in milliseconds since the epoch. */
export interface Entitlement {
  readonly seq: number;
  readonly id: string;
  readonly code: string;
  readonly name: string;
  /** Sealed; null: none. */
  readonly metadata: Buffer | null;
  readonly version: number;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
  /** Null: it lives. */
  readonly deletedAt: EpochMs | null;
}

/** An entitlement as the API shows it. */
export interface EntitlementView {
  readonly id: string;
  readonly code: string;
  readonly name: string;
  readonly metadata: Metadata;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Only of what is deleted. */
  readonly deletedAt?: string;
}

/** What the ledger's digests of an entitlement cover. */
export function entitlementDecides(
  entitlement: Pick<Entitlement, 'id' | 'code'>,
  deletedAt: EpochMs | null = null,
): DecidingColumns {
  return { id: entitlement.id, code: entitlement.code, deletedAt };
}

/** An entitlement with its opened metadata, as the API shows it. */
export function entitlementView(entitlement: Omit<Entitlement, 'seq'>, metadata: Metadata): EntitlementView {
  const { id, code, name } = entitlement;
  const times = { createdAt: isoTime(entitlement.createdAt), updatedAt: isoTime(entitlement.updatedAt) };
  return { id, code, name, metadata, ...times, ...deletedShown(entitlement.deletedAt) };
}
