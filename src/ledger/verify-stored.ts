import { present } from '../lib/invariant.ts';
import type { Reader } from '../storage/tx.ts';
import {
  lastCheckpoint,
  ledgerPublicKeys,
  ledgerSize,
  readCheckpoints,
  readEntries,
  type StoredEntry,
} from './ledger-store.ts';
import type { VerifierKey } from './note.ts';
import { ledgerVerifierKey } from './signer.ts';
import { type LedgerReport, LedgerVerification } from './verify.ts';

/** What verifying a ledger in its database needs. */
export interface VerifyStoredDeps {
  /** A read-only connection in a worker, or any other while nothing else has to run. */
  readonly reader: Reader;
  /** `mintmark/<appliance id>`. */
  readonly origin: string;
}

/** Some milliseconds of reading and hashing: between two slices others have their turn. */
const SLICE = 100;

/**
 * Verifies the whole ledger where it is stored, as after an unclean stop: bytes against hashes, hashes against
 * checkpoints. Synchronous, bounded memory. A ledger that was never signed has nothing to contradict: that is in
 * `signedSize`, and no problem here.
 */
export function verifyStored(deps: VerifyStoredDeps): LedgerReport {
  const walk = walkStored(deps);
  for (;;) {
    const slice = walk.next();
    if (slice.done === true) return slice.value;
  }
}

/**
 * The same, slice by slice: yields the entries of each slice after they were verified, and returns the report. What comes
 * to the ledger meanwhile is not looked at.
 */
export function* walkStored({ reader, origin }: VerifyStoredDeps): Generator<StoredEntry[], LedgerReport> {
  const size = ledgerSize(reader);
  let recorded: Buffer | undefined;
  const verification = new LedgerVerification({
    firstKey: firstLedgerKey({ reader, origin }),
    checkpoints: notes(reader, size),
    recordedLeaf: () => recorded,
    mayBeUnsigned: true,
  });
  for (let from = 0; from < size; from += SLICE) {
    const slice = readEntries(reader, { from, to: Math.min(from + SLICE, size) });
    for (const { bytes, hash } of slice) {
      recorded = hash;
      verification.add(bytes);
    }
    yield slice;
  }
  return verification.finish();
}

/** The key that proves all later ones: what `init` shows, and whoever verifies an export compares. */
export function firstLedgerKey({ reader, origin }: VerifyStoredDeps): VerifierKey {
  const first = present(ledgerPublicKeys(reader)[0], 'an appliance has a ledger key from the start');
  return ledgerVerifierKey(origin, first);
}

/** A checkpoint that came while the entries were read covers more of them than were. */
function* notes(reader: Reader, size: number): Generator<string> {
  const newest = lastCheckpoint(reader)?.size ?? 0;
  let from = 0;
  for (;;) {
    const slice = readCheckpoints(reader, { from, to: Math.max(newest, size), limit: SLICE });
    const last = slice.at(-1);
    if (last === undefined) return;
    for (const { note } of slice) yield note;
    from = last.size + 1;
  }
}
