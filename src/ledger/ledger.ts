import { invariant } from '../lib/invariant.ts';
import type { Random } from '../lib/random.ts';
import type { Sealer } from '../custody/sealer.ts';
import type { EntryDraft, Journal } from '../storage/journal.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { Reader, Tx } from '../storage/tx.ts';
import {
  PRIVATE_SALT_BYTES,
  SALT_BYTES,
  SYSTEM_REALM_NAME,
  canonicalBytes,
  decidingDigest,
  encodeEntry,
  privateCommitment,
} from './entry.ts';
import { forcesCheckpoint } from './forced-actions.ts';
import {
  insertEntry,
  insertPrivate,
  insertSubjects,
  realmName,
  sealingRealm,
  storedHead,
} from './ledger-store.ts';
import { type TreeHead, appendLeaf, leafHash, treeRoot } from './merkle.ts';

/** What the ledger stands on. */
export interface LedgerDeps {
  readonly random: Random;
  /** Seals what describes a person. */
  readonly sealer: Pick<Sealer, 'seal'>;
}

/** A durable head in two values, as issued files carry it. */
export interface LedgerAnchor {
  readonly size: number;
  /** 32 bytes. */
  readonly root: Buffer;
}

/** Told of every new durable head. Must not throw. */
export type HeadListener = (head: TreeHead) => void;

/**
 * The tamper-evident log, as the unit of work writes in it. Heads are values: the batch chains them, a rolled-back
 * unit's is dropped, COMMIT publishes the last one, and only a published head is ever shown or signed.
 */
export class Ledger implements Journal<TreeHead> {
  readonly #deps: LedgerDeps;
  readonly #realmNames = new Map<RealmId, string>();
  readonly #forced = new Map<string, number>();
  readonly #listeners: HeadListener[] = [];
  #head: TreeHead;
  #anchor: LedgerAnchor | undefined;

  private constructor(deps: LedgerDeps, head: TreeHead) {
    this.#deps = deps;
    this.#head = head;
  }

  /** Opens the ledger of a database. Reads a few tiles, whatever its size. */
  static open(reader: Reader, deps: LedgerDeps): Ledger {
    return new Ledger(deps, storedHead(reader));
  }

  /** The durable head. */
  head(): TreeHead {
    return this.#head;
  }

  /** The durable head as size and root. */
  anchor(): LedgerAnchor {
    this.#anchor ??= { size: this.#head.size, root: treeRoot(this.#head) };
    return this.#anchor;
  }

  append(tx: Tx, head: TreeHead, drafts: readonly EntryDraft[]): TreeHead {
    return drafts.reduce((before, draft) => this.#appendOne(tx, before, draft), head);
  }

  publish(head: TreeHead): void {
    invariant(head.size >= this.#head.size, 'a ledger never shrinks');
    this.#head = head;
    this.#anchor = undefined;
    for (const listener of this.#listeners) listener(head);
  }

  /** Registers who is told of every new durable head. */
  onPublished(listener: HeadListener): void {
    this.#listeners.push(listener);
  }

  /** The size a checkpoint must cover before the request is answered; undefined when it may be answered at once. */
  sizeToSign(requestId: string): number | undefined {
    return this.#forced.get(requestId);
  }

  /** A checkpoint over `size` entries is durable: no answer waits for it any more. */
  signed(size: number): void {
    for (const [requestId, needed] of this.#forced) if (needed <= size) this.#forced.delete(requestId);
  }

  #appendOne(tx: Tx, head: TreeHead, draft: EntryDraft): TreeHead {
    const index = head.size;
    const salt = this.#deps.random.bytes(SALT_BYTES);
    const bytes = encodeEntry({
      index,
      at: tx.now,
      salt,
      realm: this.#nameOf(tx, draft.realm),
      actor: tx.authority.actor,
      action: draft.action,
      target: draft.target,
      outcome: draft.outcome,
      requestId: tx.authority.requestId,
      before: draft.before && decidingDigest(salt, draft.before),
      after: draft.after && decidingDigest(salt, draft.after),
      facts: draft.facts,
      private: draft.private && this.#hide(tx, index, { ...draft, private: draft.private }),
    });
    const hash = leafHash(bytes);
    insertEntry(tx, { position: index, realm: draft.realm, bytes, hash });
    insertSubjects(tx, { realm: sealingRealm(draft.realm), position: index, subjects: subjectsOf(draft) });
    if (forcesCheckpoint(draft.action)) this.#forceAfter(tx, index + 1);
    return appendLeaf(head, hash);
  }

  /** Seals the private part beside the entry and returns the commitment that stands in it. */
  #hide(tx: Tx, index: number, draft: Pick<EntryDraft, 'realm'> & { readonly private: object }): Buffer {
    const plain = canonicalBytes(draft.private);
    const salt = this.#deps.random.bytes(PRIVATE_SALT_BYTES);
    const realm = sealingRealm(draft.realm);
    const cell = { realm, table: 'ledger_private', column: 'sealed', row: String(index) };
    insertPrivate(tx, { position: index, realm, salt, sealed: this.#deps.sealer.seal(cell, plain) });
    return privateCommitment(salt, plain);
  }

  #nameOf(tx: Tx, realm: RealmId | null): string {
    if (realm === null) return SYSTEM_REALM_NAME;
    const known = this.#realmNames.get(realm);
    if (known !== undefined) return known;
    const name = realmName(tx, realm);
    // The realm itself may be of this very unit, which can still be thrown away.
    tx.afterCommit(() => this.#realmNames.set(realm, name));
    return name;
  }

  #forceAfter(tx: Tx, size: number): void {
    const { requestId } = tx.authority;
    tx.afterCommit(() => this.#forced.set(requestId, size));
  }
}

/**
 * Under which ids an entry is found: what it is about and, of a machine or a file, the licence it belongs to. An index
 * and no more: it proves nothing, and nothing is decided by it.
 */
function subjectsOf({ target, before, after, facts, about = [] }: EntryDraft): string[] {
  const licenses = [before, after, facts].map((columns) => columns?.['licenseId']);
  return [...new Set([target.id, ...about, ...licenses.filter((id) => typeof id === 'string')])];
}
