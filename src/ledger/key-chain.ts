import { Fault } from '../faults.ts';
import type { EntryDocument, Facts } from './entry.ts';
import { type Note, type VerifierKey, formatVerifierKey, isSignedBy, parseVerifierKey } from './note.ts';

/** The action of the entry by which one ledger key hands over to the next. */
export const LEDGER_KEY_CHANGED = 'ledger_key.changed';

/** How the bytes of that entry begin: `action` is the first member of the canonical form. */
export const KEY_CHANGE_PREFIX = Buffer.from(`{"action":"${LEDGER_KEY_CHANGED}",`);

/** The facts of that entry: both keys in their one-line form. */
export function keyChangeFacts(from: VerifierKey, to: VerifierKey): Facts {
  return { from: formatVerifierKey(from), to: formatVerifierKey(to) };
}

/** A key and the size of the first checkpoint it had to sign. */
export interface LedgerKey {
  readonly key: VerifierKey;
  readonly from: number;
}

/**
 * Follows the ledger's keys from the first one on. Each change is an entry that names both keys, and the first
 * checkpoint over that entry is signed by both; so the first key proves all others.
 */
export class KeyChain {
  readonly #keys: LedgerKey[];
  #current: VerifierKey;
  #next: { readonly key: VerifierKey; readonly index: number } | undefined;

  constructor(first: VerifierKey) {
    this.#current = first;
    this.#keys = [{ key: first, from: 0 }];
  }

  /** The keys proven so far, oldest first. */
  get keys(): readonly LedgerKey[] {
    return this.#keys;
  }

  /**
   * Takes in an entry of the action `ledger_key.changed`.
   * @throws Fault LEDGER_INVALID when it does not continue the chain
   */
  change(entry: EntryDocument): void {
    const { from, to } = entry.facts ?? {};
    if (this.#next !== undefined)
      throw broken('no checkpoint signed by both keys stands between two changes of key');
    if (from !== formatVerifierKey(this.#current))
      throw broken('the change of key does not start from the key in force');
    if (typeof to !== 'string') throw broken('the change of key names no new key');
    const key = parseVerifierKey(to);
    if (key.name !== this.#current.name) throw broken('the new key signs under another name');
    this.#next = { key, index: entry.index };
  }

  /** Whether a checkpoint over `size` entries carries every signature it needs; completes a change of key. */
  accepts(note: Note, size: number): boolean {
    const next = this.#next;
    if (!isSignedBy(note, this.#current)) return false;
    if (next === undefined || size <= next.index) return true;
    if (!isSignedBy(note, next.key)) return false;
    this.#keys.push({ key: next.key, from: size });
    this.#current = next.key;
    this.#next = undefined;
    return true;
  }
}

const broken = (why: string): Fault => new Fault('LEDGER_INVALID', why);
