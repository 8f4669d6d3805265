import { present } from '../lib/invariant.ts';
import type { Authority } from '../storage/journal.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import { type EntryDocument, parseEntry } from './entry.ts';
import {
  type EntriesRange,
  type RealmEntry,
  realmEntries,
  realmEntriesAbout,
} from './realm-entries-store.ts';

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

/** Which entries to read. */
export interface EntriesRequest extends EntriesRange {
  /** Only what is about this id; of a licence also what is about its machines and files. Undefined: everything. */
  readonly subject?: string | undefined;
}

/**
 * The entries that concern the caller's realm, in order. Their indexes are places in the ledger of the whole appliance:
 * there are gaps where other realms' entries stand.
 * @throws Fault LEDGER_INVALID when stored bytes are damaged
 */
export function readEntries(
  deps: ReadEntriesDeps,
  caller: EntriesCaller,
  { subject, ...range }: EntriesRequest,
): EntryView[] {
  const realm = present(caller.realm, 'a permit for the ledger of a realm names it');
  const { read } = deps.work;
  const entries =
    subject === undefined
      ? realmEntries(read, realm, range)
      : realmEntriesAbout(read, realm, { ...range, subject });
  return entries.map(view);
}

function view({ bytes, hash }: RealmEntry): EntryView {
  return { ...parseEntry(bytes), leafHash: hash.toString('hex') };
}
