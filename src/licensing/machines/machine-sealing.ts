import type { Cell, Indexer, KeyedDigest, Sealer } from '../../custody/sealer.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import { normalEmail } from '../licenses/license-sealing.ts';
import type { MachinePersonal, MachineSnapshot } from './machine.ts';

const FINGERPRINT = { purpose: 'fingerprint', table: 'machines', column: 'fingerprint' } as const;
const USER = { purpose: 'blind', table: 'machines', column: 'user_email' } as const;
const COMPONENT = { purpose: 'fingerprint', table: 'machine_components', column: 'value' } as const;

/** What finding what is stored of a machine under other index keys than its own row needs. */
export interface FingerprintReading {
  readonly sealer: Sealer;
  readonly indexer: Indexer;
}

/** Digests of a fingerprint under every live index key of the realm, newest first: what a look-up tries. */
export function fingerprintDigests(
  indexer: Indexer,
  realm: RealmId,
  fingerprint: string,
): readonly KeyedDigest[] {
  return indexer.candidates(realm, FINGERPRINT, fingerprint);
}

/** The digest a new machine is stored with. */
export function fingerprintDigest(indexer: Indexer, realm: RealmId, fingerprint: string): KeyedDigest {
  return indexer.digest(realm, FINGERPRINT, fingerprint);
}

/** The digest of one component; the name is part of it, so that no value can pass for another's. */
export function componentDigest(
  indexer: Indexer,
  realm: RealmId,
  component: { readonly name: string; readonly value: string },
): KeyedDigest {
  return indexer.digest(realm, COMPONENT, `${component.name}=${component.value}`);
}

/** Digests of a user's address under every live index key, newest first: whose seats a machine's counts among. */
export function userDigests(indexer: Indexer, realm: RealmId, address: string): readonly KeyedDigest[] {
  return indexer.candidates(realm, USER, normalEmail(address));
}

/** Digests of one component under every live index key, newest first: what a look-up tries. */
export function componentDigests(
  indexer: Indexer,
  realm: RealmId,
  component: { readonly name: string; readonly value: string },
): readonly KeyedDigest[] {
  return indexer.candidates(realm, COMPONENT, `${component.name}=${component.value}`);
}

/** Seals the fingerprint of the machine with this id. */
export function sealFingerprint(
  sealer: Sealer,
  machine: { readonly realm: RealmId; readonly id: string },
  fingerprint: string,
): Buffer {
  return sealer.seal(cell(machine, 'fingerprint_sealed'), Buffer.from(fingerprint, 'utf8'));
}

/** The fingerprint of a machine in clear. @throws Fault SEALED, KEY_STORAGE */
export function openFingerprint(
  sealer: Sealer,
  realm: RealmId,
  machine: Pick<MachineSnapshot, 'id' | 'fingerprintSealed'>,
): string {
  const sealed = machine.fingerprintSealed;
  return sealer.open(cell({ realm, id: machine.id }, 'fingerprint_sealed'), sealed).toString('utf8');
}

const NOTHING: MachinePersonal = { name: null, hostname: null, userEmail: null, metadata: {} };

/**
 * Digests of a stored machine's fingerprint under every live index key, newest first: rows about it that were written since
 * have another than its own. @throws Fault SEALED, KEY_STORAGE
 */
export function digestsOfMachine(
  { sealer, indexer }: FingerprintReading,
  realm: RealmId,
  machine: MachineSnapshot,
): readonly KeyedDigest[] {
  return fingerprintDigests(indexer, realm, openFingerprint(sealer, realm, machine));
}

/** Seals what describes a person; null when there is nothing to seal. */
export function sealMachinePersonal(
  sealer: Sealer,
  machine: { readonly realm: RealmId; readonly id: string },
  personal: MachinePersonal,
): Buffer | null {
  const { name, hostname, userEmail, metadata } = personal;
  const empty =
    name === null && hostname === null && userEmail === null && Object.keys(metadata).length === 0;
  return empty ? null : sealer.seal(cell(machine, 'personal'), Buffer.from(JSON.stringify(personal), 'utf8'));
}

/** What describes a person, in clear. @throws Fault SEALED, KEY_STORAGE */
export function openMachinePersonal(
  sealer: Sealer,
  realm: RealmId,
  machine: Pick<MachineSnapshot, 'id' | 'personal'>,
): MachinePersonal {
  if (machine.personal === null) return NOTHING;
  const text = sealer.open(cell({ realm, id: machine.id }, 'personal'), machine.personal).toString('utf8');
  return JSON.parse(text) as MachinePersonal; // written by sealMachinePersonal, authenticated by the seal
}

function cell(machine: { readonly realm: RealmId; readonly id: string }, column: string): Cell {
  return { realm: machine.realm, table: 'machines', column, row: machine.id };
}
