import { Fault } from '../faults.ts';
import type { EpochMs } from '../lib/clock.ts';
import type { Secret } from '../lib/secret.ts';
import { Custody, type CustodyDeps } from './custody.ts';
import { Kek } from './kek.ts';
import { credentialPlace, readCredential, writeCredential } from './slots/credential.ts';
import { requireStrongPassphrase } from './slots/passphrase-strength.ts';
import { generateRecoveryCode } from './slots/recovery-code.ts';
import { sharesSecret } from './slots/shares.ts';
import { credentialSecret, passphraseSecret, recoverySecret, type SlotSecret } from './slots/slot-secret.ts';
import { listSlots } from './slots/slots.ts';

/** What a new appliance's keys are protected with; a recovery slot is always made. */
export interface NewCustody extends CustodyDeps {
  readonly now: EpochMs;
  /** Makes a credential slot and writes its key to this file, outside the data directory. */
  readonly credentialPath?: string | undefined;
  /** Makes a passphrase slot. */
  readonly passphrase?: Secret | undefined;
}

/** A custody that was just made: unsealed, with no realm's keys in it yet. */
export interface InitialisedCustody {
  readonly custody: Custody;
  /** Shown once; whoever has it opens the appliance and every backup of it. */
  readonly recoveryCode: Secret;
}

/** How the appliance's keys are opened at start. */
export type Unsealing =
  | {
      readonly with: 'credential';
      readonly path?: string | undefined;
      readonly credentialsDirectory?: string | undefined;
    }
  | { readonly with: 'passphrase'; readonly passphrase: Secret }
  | { readonly with: 'recovery'; readonly code: Secret }
  | { readonly with: 'shares'; readonly shares: readonly Secret[] };

/**
 * Makes the key-encryption key of a new appliance and its slots, named by their kinds.
 * @throws Fault KEY_STORAGE when there are slots already; VALIDATION_FAILED when the passphrase is easily guessed
 */
export async function initialiseCustody(given: NewCustody): Promise<InitialisedCustody> {
  const { directory, random, now, passphrase, credentialPath } = given;
  if (listSlots(directory).length > 0) {
    throw new Fault('KEY_STORAGE', 'the data directory has key slots already; they are never overwritten');
  }
  if (passphrase !== undefined) requireStrongPassphrase(passphrase);
  const custody = new Custody(given);
  custody.adopt(Kek.generate(random));
  const recoveryCode = generateRecoveryCode(random);
  const add = (name: string, secret: SlotSecret): Promise<void> => custody.addSlot({ name, secret, now });
  await add('recovery', recoverySecret(recoveryCode));
  if (passphrase !== undefined) await add('passphrase', passphraseSecret(passphrase));
  if (credentialPath !== undefined) {
    await add('credential', credentialSecret(writeCredential(credentialPath, directory, random)));
  }
  return { custody, recoveryCode };
}

/**
 * Opens the keys of an appliance at start.
 * @throws Fault SLOT_SECRET_WRONG, KEY_STORAGE
 */
export async function openCustody(deps: CustodyDeps, unsealing: Unsealing): Promise<Custody> {
  return unsealCustody(deps, slotSecret(unsealing, deps.directory));
}

/** Opens the keys of an appliance with the secret of a slot. @throws Fault SLOT_SECRET_WRONG, KEY_STORAGE */
export async function unsealCustody(deps: CustodyDeps, secret: SlotSecret): Promise<Custody> {
  const custody = new Custody(deps);
  await custody.unseal(secret);
  return custody;
}

/**
 * The secret that opens a slot, from where the operator keeps it.
 * @param dataDirectory where a credential must not be; null where there is none, as for a backup by itself
 * @throws Fault KEY_STORAGE
 */
export function slotSecret(unsealing: Unsealing, dataDirectory: string | null): SlotSecret {
  switch (unsealing.with) {
    case 'passphrase':
      return passphraseSecret(unsealing.passphrase);
    case 'recovery':
      return recoverySecret(unsealing.code);
    case 'shares':
      return sharesSecret(unsealing.shares);
    case 'credential': {
      const place = credentialPlace(unsealing);
      return credentialSecret(readCredential(place, dataDirectory), place.path);
    }
  }
}
