import { present } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader } from '../../storage/tx.ts';
import { findListHead, findListText } from './revocation-list-store.ts';

/** A list as it goes out. */
export interface ListText {
  readonly number: number;
  /** The compact JWS in ASCII, shared by everybody who downloads it: never written into. */
  readonly bytes: Buffer;
}

/** Lists held although nobody downloads them just now: with the longest ones that is some 50 MB. */
const HELD = 4;

/**
 * The texts of lists, up to 13 MB each, which anybody may download as often and as slowly as he likes: those who download the
 * same one share its bytes, and it is read once.
 */
export class ListTexts {
  readonly #shared = new Map<RealmId, { readonly number: number; readonly bytes: WeakRef<Buffer> }>();
  /** Newest first. */
  #held: readonly Buffer[] = [];

  /** The newest list of a realm that has one. */
  of(reader: RealmReader, realm: RealmId): ListText {
    const number = findListHead(reader)?.number;
    const known = this.#shared.get(realm);
    const bytes = known?.number === number ? known?.bytes.deref() : undefined;
    return bytes === undefined || number === undefined ? this.#read(reader, realm) : { number, bytes };
  }

  #read(reader: RealmReader, realm: RealmId): ListText {
    const { number, jws } = present(findListText(reader), 'a list that was made is stored');
    const bytes = Buffer.from(jws, 'ascii');
    this.#shared.set(realm, { number, bytes: new WeakRef(bytes) });
    this.#held = [bytes, ...this.#held].slice(0, HELD);
    return { number, bytes };
  }
}
