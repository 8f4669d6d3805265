import type { EpochMs } from '../lib/clock.ts';
import type { Secret } from '../lib/secret.ts';

/** Signature algorithm of a key; a property of the key, never of a request. RFC 8032 and FIPS 186-5. */
export type KeyAlgorithm = 'ed25519' | 'ecdsa-p256';

/** The custodian that every appliance has: sealed files. */
export const DEFAULT_CUSTODIAN = 'file';

/** What a signing key may sign; one purpose per key (formats.md, Signed messages). */
export type KeyPurpose =
  | 'root'
  | 'revocation'
  | 'license'
  | 'response'
  | 'token'
  | 'ledger'
  | 'exchange'
  | 'webhook'
  | 'spool'
  | 'grant'
  | 'site';

/** A key inside a custodian. Only the custodian that gave it can use it; it holds no secret. */
export interface KeyHandle {
  /** First 16 characters of the base64url RFC 7638 thumbprint of the public key. */
  readonly kid: string;
  readonly purpose: KeyPurpose;
  readonly algorithm: KeyAlgorithm;
  /** How the custodian finds the key again; stored beside the public key. No secret in it. */
  readonly reference: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
}

/** What key to make. */
export interface KeySpec {
  readonly purpose: KeyPurpose;
  readonly algorithm: KeyAlgorithm;
}

/** Whether signing works right now, and since when not. */
export interface CustodianHealth {
  readonly state: 'ready' | 'degraded' | 'unavailable';
  readonly detail: string;
  /** Since when it is `unavailable`, if that is known. */
  readonly since?: EpochMs;
  /** Processes that speak to tokens, started since the start of ours, and calls that wait for them. */
  readonly agents?: { readonly started: number; readonly waiting: number };
}

/** A key as the keyring has it stored. */
export interface StoredKey {
  readonly reference: string;
  readonly purpose: KeyPurpose;
  readonly publicKey: Buffer;
}

/** What a token says of a key that is in it; null: it does not say. */
export interface KeyEvidence {
  /** Made inside. */
  readonly local: boolean | null;
  readonly sensitive: boolean | null;
  readonly alwaysSensitive: boolean | null;
  readonly extractable: boolean | null;
  readonly neverExtractable: boolean | null;
}

/** A token and the driver that speaks to it. */
export interface TokenIdentity {
  /** Real path of the module and SHA-256 of the file, in hex. */
  readonly module: string;
  readonly moduleSha256: string;
  readonly token: string;
  readonly serial: string;
  readonly model: string;
  readonly manufacturer: string;
}

/** What can be done with keys that are in a token, and with none in a file. All throw as {@link KeyCustodian.generate}. */
export interface TokenKeys {
  identity(): Promise<TokenIdentity>;
  /** Makes a key under an id of 16 bytes that the caller chose, or finds the one that was made under it before. */
  make(spec: KeySpec, id: Buffer): Promise<{ readonly handle: KeyHandle; readonly found: boolean }>;
  evidence(handle: KeyHandle): Promise<KeyEvidence>;
  /**
   * Has the copy of a key on the second token sign a challenge.
   * @returns where the copy is: PKCS#11 URI of its token, and the reference that the key has there
   * @throws Fault KEY_NOT_COPIED when it is not there, is another key, or no second token is configured
   */
  copyOf(key: StoredKey): Promise<{ readonly token: string; readonly reference: string }>;
}

/**
 * What holds private keys. A contract test runs against every implementation; adding one touches one folder and one
 * line of the registry.
 */
export interface KeyCustodian extends AsyncDisposable {
  /** Stable name of the implementation as stored beside each key (`file`). For look-up only, never branched on. */
  readonly name: string;
  /** Keys that are away can come back while the process runs: at a start they are not waited for. */
  readonly recovers: boolean;
  /** The appliance's backups hold its private keys. */
  readonly inBackups: boolean;
  /** Null: its keys are in no token. */
  readonly tokenKeys: TokenKeys | null;
  /** The algorithms that it makes keys of, best first. @throws Fault SIGNER_UNAVAILABLE, SEALED */
  algorithms(): Promise<readonly KeyAlgorithm[]>;
  /** Makes a key that is durable when the promise resolves. */
  generate(spec: KeySpec): Promise<KeyHandle>;
  /** @throws Fault KEY_STORAGE when the key is not there, or is not the one stored beside `publicKey`. */
  find(stored: StoredKey): Promise<KeyHandle>;
  /**
   * Signs `message`: 64 bytes, Ed25519 or raw r ‖ s. The signature was verified with the public key before it is
   * returned.
   * @throws Fault SIGNER_UNAVAILABLE, SIGNER_REFUSED, SIGNER_BUSY
   * @throws InvariantViolation when `message` does not begin with a prefix of the key's purpose: no bug elsewhere can
   * turn one key into another.
   */
  sign(handle: KeyHandle, message: Buffer, options?: { deadlineMs?: number }): Promise<Buffer>;
  /**
   * Has the private half of a key sign something fresh, and verifies that with the public key. What is signed is chosen here
   * and begins with what no purpose signs, so that the proof is good for nothing else.
   * @throws Fault KEY_STORAGE when the private half is gone or another's; SIGNER_UNAVAILABLE, SIGNER_REFUSED, SIGNER_BUSY, SEALED
   */
  prove(handle: KeyHandle): Promise<void>;
  health(): CustodianHealth;
  /** Looks whether it still works, and brings back what can come back; called every few seconds, result in `health`. */
  check(): Promise<void>;
  /**
   * Seals anew, durably, what it keeps under a key-encryption key that was replaced; told after each. Absent: it keeps nothing
   * under it.
   * @throws Fault KEY_STORAGE, DISK_FULL, SEALED
   */
  reseal?(step: () => Promise<void>): Promise<void>;
  /** Forgets everything that the key-encryption key opened. */
  lock(): void;
}

/** Key-encryption key: 32 bytes, in memory only while the appliance is unsealed. */
export type KekSecret = Secret<Buffer>;
