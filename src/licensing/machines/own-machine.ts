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

/**
 * States that a machine with a key agreed to what is done to it: who has the licence key alone signs with the machine's
 * key too. Uses up the nonce. The publisher's own credentials need no signature.
 * @throws Fault MACHINE_SIGNATURE_REQUIRED
 */
export function requireMachineSignature(
  { challenges }: { readonly challenges: Challenges },
  permit: Permit,
  { machine, signed }: { readonly machine: MachineSnapshot; readonly signed: SignedRequest | null },
): void {
  if (holderOf(permit) === null || machine.publicKey === null) return;
  const fresh = signed !== null && challenges.take(realmOf(permit), machine.id, signed.nonce);
  if (fresh && isSignedBy(machine.publicKey, requestMessage(signed), signed.signature)) return;
  throw new Fault(
    'MACHINE_SIGNATURE_REQUIRED',
    `machine ${machine.id} has a key: sign the request with it over a fresh nonce from its challenge`,
  );
}
