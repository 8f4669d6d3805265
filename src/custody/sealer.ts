import type { RealmId } from '../storage/realm-scope.ts';

/** Which cell of which row a sealed value belongs to; bound into the ciphertext, so that none can be moved. */
export interface Cell {
  readonly realm: RealmId;
  readonly table: string;
  readonly column: string;
  /** Id of the row. */
  readonly row: string;
}

/** A keyed digest with the version of the index key that made it. */
export interface KeyedDigest {
  readonly version: number;
  /** HMAC-SHA-256, 32 bytes. */
  readonly digest: Buffer;
}

/**
 * Encryption at rest (custody.md, Hierarchy). Synchronous, so that it can run inside a unit of work.
 * Sealed value: `version(1) ‖ key version(2, big-endian) ‖ nonce(12) ‖ ciphertext ‖ tag(16)`, AES-256-GCM under the
 * realm's data key.
 */
export interface Sealer {
  /** @throws Fault SEALED while no slot has been opened. */
  seal(cell: Cell, plaintext: Buffer): Buffer;
  /** @throws Fault SEALED; Fault KEY_STORAGE when the value is damaged or belongs to another cell. */
  open(cell: Cell, sealed: Buffer): Buffer;
}

/** Which derived key makes a digest: HKDF info `mintmark/1/<purpose>/<realm>/<table>/<column>`. */
export interface IndexName {
  readonly purpose: 'lookup' | 'blind' | 'fingerprint' | 'secret' | 'idempotency';
  readonly table: string;
  readonly column: string;
}

/** Keyed digests for looking things up without storing them (custody.md, Index key). */
export interface Indexer {
  /** Digest under the current index key of `realm` (SYSTEM_REALM: the appliance's). */
  digest(realm: RealmId, name: IndexName, value: string): KeyedDigest;
  /** Digests under every live version, newest first: what a look-up tries. */
  candidates(realm: RealmId, name: IndexName, value: string): readonly KeyedDigest[];
}
