import type { Secret } from '../../lib/secret.ts';
import { passphraseBytes, stretch } from './passphrase.ts';
import { parseRecoveryCode } from './recovery-code.ts';

/** What a slot is opened with. */
export type SlotKind = 'passphrase' | 'credential' | 'recovery' | 'shares';

/** What is known of a kind of slot. */
interface SlotKindRow {
  /** Meant to be kept on paper: one such slot always stays. */
  readonly recovers: boolean;
}

/** Every kind of slot. */
export const SLOT_KINDS: Readonly<Record<SlotKind, SlotKindRow>> = {
  passphrase: { recovers: false },
  credential: { recovers: false },
  recovery: { recovers: true },
  shares: { recovers: true },
};

/** A secret that opens the slots of one kind; it knows how to become a key. */
export interface SlotSecret {
  readonly kind: SlotKind;
  /** In a sentence, with the file it came from where that is known. */
  readonly called: string;
  /**
   * 32 bytes from the secret and the salt of the slot; the caller wipes them.
   * @param checks what the slot has to tell its shares by
   * @throws Fault SLOT_SECRET_WRONG when the secret cannot be one of its kind
   */
  derive(salt: Buffer, checks?: readonly string[]): Promise<Buffer>;
  /** Of every share, what a slot will tell it by; absent: the secret has no shares. */
  checks?(salt: Buffer): string[];
}

/** A passphrase somebody types: scrypt (RFC 7914) with N=2^17, r=8, p=1; about half a second and 128 MB. */
export function passphraseSecret(passphrase: Secret): SlotSecret {
  return {
    kind: 'passphrase',
    called: 'the passphrase given',
    derive: (salt) => stretch(passphraseBytes(passphrase), salt),
  };
}

/** The 32 bytes of a key file. @param path where it was read */
export function credentialSecret(key: Secret<Buffer>, path?: string): SlotSecret {
  const called = path === undefined ? 'the credential given' : `the credential in ${path}`;
  return { kind: 'credential', called, derive: () => Promise.resolve(Buffer.from(key.expose())) };
}

/** The recovery code as it was printed, or typed from the print. */
export function recoverySecret(code: Secret): SlotSecret {
  // Thrown inside the promise, as the other kinds do.
  return {
    kind: 'recovery',
    called: 'the recovery code given',
    derive: () => Promise.resolve().then(() => parseRecoveryCode(code)),
  };
}
