import type { Permit } from '../../access/index.ts';
import { Fault } from '../../faults.ts';
import type { RealmReader } from '../../storage/tx.ts';
import { realmOf } from '../caller.ts';
import { notFound } from '../refusal.ts';
import type { Challenges } from './challenges.ts';
import { isSignedBy, requestMessage, type RequestToSign } from './machine-key.ts';
import { findMachine } from './machine-store.ts';
import type { MachineSnapshot } from './machine.ts';

/** A request that its machine signed, as it came in. */
export interface SignedRequest extends RequestToSign {
  /** base64url of 64 bytes. */
  readonly signature: string;
}

/** The licence whose holder the caller is; null: the caller acts for the publisher. */
export function holderOf({ principal }: Permit): string | null {
  return principal.kind === 'license' ? principal.licenseId : null;
}

/**
 * The living machine with this id; for a licence, only one of its own.
 * @throws Fault NOT_FOUND
 */
export function ownMachine(reader: RealmReader, permit: Permit, id: string): MachineSnapshot {
  const machine = findMachine(reader, id);
  const holder = holderOf(permit);
  if (machine === undefined || (holder !== null && machine.licenseId !== holder)) {
    throw notFound('machine', id);
  }
  return machine;
}

/** The key whose signature over the request was seen; null: none was needed, the machine had no key. */
export interface SeenSignature {
  readonly key: Buffer | null;
}

/**
 * States that a machine with a key agreed to what is done to it: who has the licence key alone signs with the machine's
 * key too. Uses up the nonce, once for a request. The publisher's own credentials need no signature.
 * @returns what {@link requireSameSigner} compares with the machine each time it is read again
 * @throws Fault MACHINE_SIGNATURE_REQUIRED
 */
export function requireMachineSignature(
  { challenges }: { readonly challenges: Challenges },
  permit: Permit,
  { machine, signed }: { readonly machine: MachineSnapshot; readonly signed: SignedRequest | null },
): SeenSignature {
  if (holderOf(permit) === null || machine.publicKey === null) return { key: null };
  const { id, publicKey } = machine;
  // The signature first: only who could sign uses up a nonce.
  const isSigned = signed !== null && isSignedBy(publicKey, requestMessage(signed), signed.signature);
  if (isSigned && challenges.use(realmOf(permit), id, signed.nonce)) return { key: publicKey };
  throw signatureRequired(machine);
}

/**
 * States that a machine, read again, still has the key whose signature was seen: it may have been given one, or another,
 * since the request came in.
 * @throws Fault MACHINE_SIGNATURE_REQUIRED
 */
export function requireSameSigner(permit: Permit, machine: MachineSnapshot, { key }: SeenSignature): void {
  if (holderOf(permit) === null || machine.publicKey === null) return;
  if (key?.equals(machine.publicKey) !== true) throw signatureRequired(machine);
}

function signatureRequired({ id }: MachineSnapshot): Fault {
  return new Fault(
    'MACHINE_SIGNATURE_REQUIRED',
    `machine ${id} has a key: sign the request with it over a fresh nonce from its challenge`,
  );
}
