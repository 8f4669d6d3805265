import type { Clock } from '../lib/clock.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import type { Anchor } from './anchor.ts';
import { signCheckpoint } from './checkpoint.ts';
import { insertCheckpoint, lastCheckpoint } from './ledger-store.ts';
import type { Ledger } from './ledger.ts';
import type { TreeHead } from './merkle.ts';
import type { NoteSigner } from './note.ts';

/** What checkpoints stand on. */
export interface CheckpointerDeps {
  readonly ledger: Ledger;
  readonly work: Pick<UnitOfWork<TreeHead>, 'keep' | 'read'>;
  readonly anchor: Anchor;
  /** `mintmark/<appliance id>`. */
  readonly origin: string;
  /** The ledger key in force; between a change of key and its first checkpoint the old one and the new one. */
  readonly signers: () => readonly NoteSigner[];
  readonly clock: Clock;
  /** Entries after which a checkpoint is signed without waiting for its time. */
  readonly everyEntries: number;
  /** False while nothing may be signed (rolled back, clock suspect): an older anchor must not be overwritten then. */
  readonly maySign: () => boolean;
  /** Told when a checkpoint that nobody waits for has failed; the next one covers the same entries. */
  readonly onError: (error: unknown) => void;
}

/** How far the ledger is signed. */
export interface CheckpointStatus {
  readonly size: number;
  readonly signedSize: number;
  /** Trusted time of the last checkpoint, milliseconds since the epoch. */
  readonly signedAt: number | undefined;
  /** Monotonic milliseconds since the oldest unsigned entry was published; undefined when all is signed. */
  readonly unsignedForMs: number | undefined;
}

/** Name under which checkpoints are written down. */
const JOB = 'ledger-checkpoint';

/**
 * Signs what is durable: on time, when enough has come together, at stop, and before the answer to what must not wait.
 * One signature at a time; who comes meanwhile waits for the next one.
 */
export class Checkpointer {
  readonly #deps: CheckpointerDeps;
  #signedSize: number;
  #signedAt: number | undefined;
  #unsignedSince: number | undefined;
  #running: Promise<void> | undefined;

  constructor(deps: CheckpointerDeps) {
    this.#deps = deps;
    const last = lastCheckpoint(deps.work.read);
    this.#signedSize = last?.size ?? 0;
    this.#signedAt = last?.signedAt;
    this.#unsignedSince = this.#isSigned() ? undefined : deps.clock.monotonic();
    deps.ledger.onPublished(() => {
      this.#grown();
    });
  }

  /** Where the ledger stands. */
  status(): CheckpointStatus {
    const { ledger, clock } = this.#deps;
    return {
      size: ledger.head().size,
      signedSize: this.#signedSize,
      signedAt: this.#signedAt,
      unsignedForMs: this.#unsignedSince === undefined ? undefined : clock.monotonic() - this.#unsignedSince,
    };
  }

  /**
   * Signs a checkpoint when there are entries no checkpoint covers. When this resolves, every entry that was durable at
   * the call is covered by a durable one; except while nothing may be signed, then nothing happens.
   * @throws Fault SIGNER_UNAVAILABLE, SIGNER_BUSY, DISK_FULL
   */
  async sign(): Promise<void> {
    const wanted = this.#deps.ledger.head().size;
    // A run under way may have begun before the last entries came: at most one more is needed after it.
    while (this.#signedSize < wanted && this.#deps.maySign()) await this.#join();
  }

  /**
   * To be awaited between a durable write and its answer: resolves at once unless an entry of this request must be
   * covered by a checkpoint first (keys, operators, restore, clock).
   * @throws as `sign`; the write stands all the same, and an identical retry is answered when signing works again
   */
  async beforeAnswer(requestId: string): Promise<void> {
    if (this.#deps.ledger.sizeToSign(requestId) !== undefined) await this.sign();
  }

  #join(): Promise<void> {
    // A head is published first and memory follows it in the same turn: which keys sign is asked when both are true.
    this.#running ??= Promise.resolve()
      .then(() => this.#signHead())
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  /**
   * 1. The head is published, so it is durable. Stop here: nothing was signed.
   * 2. Signed. Stop here: the note has not left the process.
   * 3. Written to the anchor. Stop here: the anchor is ahead of the table, and the ledger contains it.
   * 4. Stored in the table. Stop here: nobody was told yet; whoever waited asks again.
   */
  async #signHead(): Promise<void> {
    const { ledger, origin, signers, anchor, work } = this.#deps;
    const head = ledger.head();
    const note = await signCheckpoint(origin, head, signers());
    await anchor.write(note);
    this.#signedAt = await work.keep(JOB, (tx) => {
      insertCheckpoint(tx, { size: head.size, note });
      return tx.now;
    });
    this.#signedSize = head.size;
    this.#unsignedSince = this.#isSigned() ? undefined : this.#deps.clock.monotonic();
    ledger.signed(head.size);
  }

  #grown(): void {
    if (this.#isSigned()) return;
    this.#unsignedSince ??= this.#deps.clock.monotonic();
    const { ledger, everyEntries, onError } = this.#deps;
    if (ledger.head().size - this.#signedSize < everyEntries || this.#running !== undefined) return;
    this.sign().catch(onError);
  }

  #isSigned(): boolean {
    return this.#signedSize >= this.#deps.ledger.head().size;
  }
}
