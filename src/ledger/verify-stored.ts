import { present } from '../lib/invariant.ts';
import type { Reader } from '../storage/tx.ts';
import { ledgerPublicKeys, ledgerSize, readCheckpoints, readEntries } from './ledger-store.ts';
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

const SLICE = 1000;

/**
 * Verifies the whole ledger where it is stored, as after an unclean stop: bytes against hashes, hashes against
 * checkpoints. Synchronous, bounded memory. A ledger that was never signed has nothing to contradict: that is in
 * `signedSize`, and no problem here.
 */
export function verifyStored({ reader, origin }: VerifyStoredDeps): LedgerReport {
  const size = ledgerSize(reader);
  let recorded: Buffer | undefined;
  const verification = new LedgerVerification({
    firstKey: firstLedgerKey({ reader, origin }),
    checkpoints: notes(reader),
    recordedLeaf: () => recorded,
    mayBeUnsigned: true,
  });
  for (let from = 0; from < size; from += SLICE) {
    for (const { bytes, hash } of readEntries(reader, { from, to: from + SLICE })) {
      recorded = hash;
      verification.add(bytes);
    }
  }
  return verification.finish();
}

/** The key that proves all later ones: what `init` shows, and whoever verifies an export compares. */
export function firstLedgerKey({ reader, origin }: VerifyStoredDeps): VerifierKey {
  const first = present(ledgerPublicKeys(reader)[0], 'an appliance has a ledger key from the start');
  return ledgerVerifierKey(origin, first);
}

function* notes(reader: Reader): Generator<string> {
  let from = 0;
  for (;;) {
    const slice = readCheckpoints(reader, { from, to: Number.MAX_SAFE_INTEGER, limit: SLICE });
    const last = slice.at(-1);
    if (last === undefined) return;
    for (const { note } of slice) yield note;
    from = last.size + 1;
  }
}
