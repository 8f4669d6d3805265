import type { Indexer } from '../../custody/sealer.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Metadata } from '../metadata.ts';

const VALUE = { purpose: 'blind', table: 'license_metadata', column: 'value' } as const;

/** Longer texts are kept like any other metadata, and are not found by it. */
export const INDEXED_TEXT_MAX = 256;

/** A value to find under a key of metadata. */
export interface MetadataFilter {
  readonly name: string;
  readonly value: string;
}

/** A value of metadata as it is looked for: never the value itself. */
export interface IndexedValue {
  readonly name: string;
  /** Keyed digest of name and value. */
  readonly digest: Buffer;
}

/**
 * A value of metadata as text to be looked for: strings in NFC and trimmed, numbers as JSON writes them, `true` and
 * `false`. Undefined: a value that no filter finds (null, lists, objects, long or empty texts).
 */
export function indexableText(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return JSON.stringify(value);
  if (typeof value !== 'string') return undefined;
  const text = value.normalize('NFC').trim();
  return text === '' || text.length > INDEXED_TEXT_MAX ? undefined : text;
}

/** What of metadata can be looked for, for the keys that are indexed. @throws Fault SEALED */
export function indexedValues(
  indexer: Indexer,
  realm: RealmId,
  given: { readonly names: readonly string[]; readonly metadata: Metadata },
): IndexedValue[] {
  return given.names.flatMap((name) => {
    const value = Object.hasOwn(given.metadata, name) ? given.metadata[name] : undefined;
    const text = indexableText(value);
    return text === undefined
      ? []
      : [{ name, digest: indexer.digest(realm, VALUE, valueText(name, text)).digest }];
  });
}

/** The digests that a filter looks for, one per live index key; none: nothing can match. @throws Fault SEALED */
export function metadataCandidates(
  indexer: Indexer,
  realm: RealmId,
  asked: { readonly name: string; readonly value: string },
): readonly Buffer[] {
  const text = indexableText(asked.value);
  if (text === undefined) return [];
  return indexer.candidates(realm, VALUE, valueText(asked.name, text)).map(({ digest }) => digest);
}

/** The name is part of what is digested: equal values of two keys do not show that they are equal. */
function valueText(name: string, text: string): string {
  return JSON.stringify([name, text]);
}
