import { APPLIANCE_SCOPE, type Keyring, type SigningKey } from '../custody/index.ts';
import {
  isSignedBy,
  lastCheckpoint,
  ledgerSigner,
  ledgerVerifierKey,
  type NoteSigner,
  parseCheckpoint,
} from '../ledger/index.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';

/** What is known of the ledger's keys. */
export interface LedgerKeys {
  readonly keyring: Keyring;
  readonly work: Pick<UnitOfWork, 'read'>;
  readonly identity: { readonly origin: string };
}

/** Who signs the next checkpoint: the key in force, and until both have signed one, the key before it too. */
export function ledgerSigners(keys: LedgerKeys): NoteSigner[] {
  const active = activeKey(keys);
  const before = hasHandedOver(keys) ? undefined : keyBefore(keys);
  return [...(before === undefined ? [] : [before]), active].map((key) => signerOf(keys, key));
}

/**
 * Whether the key in force has signed the newest checkpoint: the one after a change carries both signatures, so that the key before
 * it is needed no more. Read from what is stored, since a stop may lie between the change and that checkpoint.
 */
export function hasHandedOver(keys: LedgerKeys): boolean {
  if (keyBefore(keys) === undefined) return true;
  const last = lastCheckpoint(keys.work.read);
  if (last === undefined) return false;
  const key = ledgerVerifierKey(keys.identity.origin, activeKey(keys).publicKey);
  return isSignedBy(parseCheckpoint(last.note).note, key);
}

function activeKey({ keyring }: LedgerKeys): SigningKey {
  return keyring.activeKey('ledger', APPLIANCE_SCOPE);
}

function keyBefore({ keyring }: LedgerKeys): SigningKey | undefined {
  return keyring.list().findLast(({ purpose, state }) => purpose === 'ledger' && state === 'retiring');
}

function signerOf({ identity, keyring }: LedgerKeys, key: SigningKey): NoteSigner {
  return ledgerSigner(identity.origin, key, (message) => keyring.sign(key.kid, message));
}
