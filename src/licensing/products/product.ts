import { isoTime, type EpochMs } from '../../lib/clock.ts';
import type { DecidingColumns } from '../../storage/journal.ts';
import { invariant } from '../../lib/invariant.ts';
import type { Metadata } from '../metadata.ts';
import { deletedShown } from '../schema.ts';

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
  /** Keys by which its licences can be listed: a JSON list. */
  readonly indexedMetadata: string;
  readonly version: number;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
  /** Null: it lives. */
  readonly deletedAt: EpochMs | null;
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
  /** Keys of the metadata of its licences by which they can be listed. */
  readonly indexedMetadata: readonly string[];
  /** Of these, the keys by which not all licences are indexed yet. */
  readonly metadataIndexing: readonly string[];
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Only of what is deleted. */
  readonly deletedAt?: string;
}

/** What the ledger's digests of a product cover. */
export function productDecides(
  product: Pick<Product, 'id' | 'code' | 'keyPrefix' | 'signingKid' | 'indexedMetadata'>,
  deletedAt: EpochMs | null = null,
): DecidingColumns {
  const { id, code, keyPrefix, signingKid, indexedMetadata } = product;
  return { id, code, keyPrefix, signingKid, indexedMetadata, deletedAt };
}

/** The keys in the stored form of `indexedMetadata`. */
export function indexedNames(stored: string): string[] {
  // Almost every product has none, and each new licence asks.
  if (stored === '[]') return [];
  const names: unknown = JSON.parse(stored);
  invariant(Array.isArray(names), 'indexed keys are stored as a list');
  return names.map(String);
}

/** What a view shows beside the row itself. */
export interface ProductFacets {
  /** Opened. */
  readonly metadata: Metadata;
  /** Keys by which not all licences are indexed yet. */
  readonly indexing: readonly string[];
}

/** A product as the API shows it. */
export function productView(product: Omit<Product, 'seq'>, facets: ProductFacets): ProductView {
  const { id, code, name, description, keyPrefix, signingKid } = product;
  const times = { createdAt: isoTime(product.createdAt), updatedAt: isoTime(product.updatedAt) };
  const { metadata, indexing } = facets;
  const indexedMetadata = indexedNames(product.indexedMetadata);
  const shown = { metadata, indexedMetadata, metadataIndexing: [...indexing].sort() };
  const deleted = deletedShown(product.deletedAt);
  return { id, code, name, description, keyPrefix, signingKid, ...shown, ...times, ...deleted };
}
