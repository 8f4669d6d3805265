import { Fault } from '../../faults.ts';
import type { KeyPurpose } from '../custodian.ts';
import { parsePkcs11Uri, type Pkcs11Uri, pkcs11Uri } from './pkcs11-uri.ts';

/** How a key is found again: what its reference says. */
export interface KeyPlace {
  /** Label and serial number of the token. */
  readonly on: string;
  readonly serial: string;
  readonly label: string;
  readonly id: Buffer;
}

/** How long the id of a key is (CKA_ID). */
export const ID_BYTES = 16;

/** The label of a key names its purpose: who can write our database still cannot give a key another one. */
export function labelOf(purpose: KeyPurpose, id: Buffer): string {
  return `mintmark/${purpose}/${id.toString('hex')}`;
}

/** The reference of a key at this place: a PKCS#11 URI in the one spelling that is ours. */
export function referenceOf({ on, serial, label, id }: KeyPlace): string {
  return pkcs11Uri({ token: on, serial, object: label, id, type: 'private' });
}

/**
 * Where a stored key is.
 * @throws Fault KEY_STORAGE unless the reference is, to the letter, one that we would write for this purpose
 */
export function placeOf(
  { reference, purpose }: { readonly reference: string; readonly purpose: KeyPurpose },
  kid: string,
): KeyPlace {
  const { token: on, serial, object: label, id } = readReference(reference);
  if (on !== undefined && serial !== undefined && label !== undefined && id?.length === ID_BYTES) {
    const place = { on, serial, label, id };
    if (label === labelOf(purpose, id) && referenceOf(place) === reference) return place;
  }
  throw keyStorage(kid, 'has a reference that is not its own');
}

function readReference(reference: string): Pkcs11Uri {
  try {
    return parsePkcs11Uri(reference);
  } catch (error) {
    if (error instanceof Fault) return {};
    throw error;
  }
}

/** What is wrong with a stored key. */
export function keyStorage(kid: string, what: string): Fault {
  return new Fault('KEY_STORAGE', `signing key ${kid} ${what}`);
}
