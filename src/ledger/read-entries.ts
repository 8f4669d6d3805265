import { present } from '../lib/invariant.ts';
import type { Authority } from '../storage/journal.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import { type EntryDocument, parseEntry } from './entry.ts';
import { type RealmEntry, realmEntriesAfter } from './realm-entries-store.ts';

/** What reading entries needs. */
export interface ReadEntriesDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
}

/** Who reads entries: of a permit, the realm is all that counts. */
export type EntriesCaller = Pick<Authority, 'realm'>;

/** An entry as its bytes say it, and the hash of its leaf. */
export interface EntryView extends EntryDocument {
  /**
   * SHA-256 over a zero byte and the entry's canonical bytes (RFC 6962, section 2.1), in hexadecimal. The canonical
   * bytes are the RFC 8785 form of all members but this one.
   */
  readonly leafHash: string;
}

/**
 * The entries that concern the caller's realm, oldest first. Their indexes are places in the ledger of the whole
 * appliance: there are gaps where other realms' entries stand.
 * @throws Fault LEDGER_INVALID when stored bytes are damaged
 */
export function readEntries(
  deps: ReadEntriesDeps,
  caller: EntriesCaller,
  page: { readonly after: number; readonly limit: number },
): EntryView[] {
  const realm = present(caller.realm, 'a permit for the ledger of a realm names it');
  return realmEntriesAfter(deps.work.read, { realm, ...page }).map(view);
}

function view({ bytes, hash }: RealmEntry): EntryView {
  return { ...parseEntry(bytes), leafHash: hash.toString('hex') };
}
