import { isoTime, type EpochMs } from '../../lib/clock.ts';
import type { DecidingColumns } from '../../storage/journal.ts';
import type { Metadata } from '../metadata.ts';

/** A living product as stored. Times in milliseconds since the epoch. */
export interface Product {
  readonly seq: number;
  readonly id: string;
  readonly code: string;
  readonly name: string;
  readonly description: string | null;
  readonly keyPrefix: string;
  /** Which licence key signs its files. */
  readonly signingKid: string;
  /** Sealed; null: none. */
  readonly metadata: Buffer | null;
  readonly version: number;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
}

/** A product as the API shows it. */
export interface ProductView {
  readonly id: string;
  readonly code: string;
  readonly name: string;
  readonly description: string | null;
  readonly keyPrefix: string;
  readonly signingKid: string;
  readonly metadata: Metadata;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** What the ledger's digests of a product cover. */
export function productDecides(
  product: Pick<Product, 'id' | 'code' | 'keyPrefix' | 'signingKid'>,
  deletedAt: EpochMs | null = null,
): DecidingColumns {
  const { id, code, keyPrefix, signingKid } = product;
  return { id, code, keyPrefix, signingKid, deletedAt };
}

/** A product with its opened metadata, as the API shows it. */
export function productView(product: Omit<Product, 'seq'>, metadata: Metadata): ProductView {
  const { id, code, name, description, keyPrefix, signingKid } = product;
  const times = { createdAt: isoTime(product.createdAt), updatedAt: isoTime(product.updatedAt) };
  return { id, code, name, description, keyPrefix, signingKid, metadata, ...times };
}
