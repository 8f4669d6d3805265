import type { Indexer, Sealer } from '../../custody/sealer.ts';
import type { Clock } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import {
  dropKey,
  type MetadataKey,
  putKey,
  reachedWith,
  unfinishedKey,
} from '../products/metadata-key-store.ts';
import { type LicenseToIndex, licensesToIndex, rewriteOneKey } from './license-metadata-store.ts';
import { indexedValues, type IndexedValue } from './license-metadata.ts';
import { openPersonal } from './license-sealing.ts';

/** Name of the job. */
export const INDEX_JOB = 'metadata-index';

/** What indexing licences by metadata needs. */
export interface IndexMetadataDeps {
  readonly work: Pick<UnitOfWork, 'keep' | 'read'>;
  readonly sealer: Sealer;
  readonly indexer: Indexer;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** A unit holds the event loop no longer than about this. */
const SLICE_MS = 4;
/** Licences read at a time. */
const PAGE = 50;

/**
 * Indexes the licences that a realm had when a key was declared, and forgets what was indexed by keys that are no longer
 * declared. Each slice remembers how far it came in its own unit: after a stop the next run goes on there.
 * @returns slices done; 0: there was nothing to do
 */
export async function indexMetadata(deps: IndexMetadataDeps, realm: RealmId): Promise<number> {
  let slices = 0;
  for (;;) {
    const key = unfinishedKey(deps.work.read.in(realm));
    if (key === undefined) return slices;
    await deps.work.keep(INDEX_JOB, (tx) => {
      indexSlice(deps, tx, realm);
    });
    slices += 1;
  }
}

/** The key is read again: it may have been declared anew since. */
function indexSlice(deps: IndexMetadataDeps, tx: Tx, realm: RealmId): void {
  const rows = tx.in(realm);
  const key = unfinishedKey(rows);
  if (key === undefined) return;
  const { productId } = key;
  const until = deps.clock.monotonic() + SLICE_MS;
  let after = key.reached;
  do {
    const page = licensesToIndex(rows, { productId, after, limit: PAGE });
    for (const license of page) {
      rewriteOneKey(rows, license, { name: key.name, value: valueOf(deps, realm, { key, license }) });
      after = license.seq;
    }
    if (page.length < PAGE) {
      finish(tx, realm, key);
      return;
    }
  } while (deps.clock.monotonic() < until);
  reachedWith(rows, key, after);
}

function valueOf(
  deps: IndexMetadataDeps,
  realm: RealmId,
  { key, license }: { readonly key: MetadataKey; readonly license: LicenseToIndex },
): IndexedValue | undefined {
  if (key.state === 'removing') return undefined;
  const { metadata } = openPersonal(deps.sealer, realm, license);
  return indexedValues(deps.indexer, realm, { names: [key.name], metadata })[0];
}

function finish(tx: Tx, realm: RealmId, key: MetadataKey): void {
  if (key.state === 'removing') dropKey(tx.in(realm), key);
  else putKey(tx.in(realm), key, 'ready');
}
