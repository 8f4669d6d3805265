import type { Indexer, KeyedDigest, Sealer } from '../../custody/sealer.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { newId } from '../../lib/ulid.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import { refuseCardData } from '../metadata.ts';
import type { Components } from '../validation/standing.ts';
import { readMachineKey, requirePossession } from './machine-key.ts';
import {
  componentDigest,
  fingerprintDigest,
  fingerprintDigests,
  sealFingerprint,
  sealMachinePersonal,
  userDigests,
} from './machine-sealing.ts';
import { isFiller } from './component-matching.ts';
import type { StoredComponent } from './component-store.ts';
import type { NewMachine } from './machine-store.ts';
import { IDENTIFYING_COMPONENTS, type MachinePersonal, type Platform } from './machine.ts';

/** What a caller says of a machine he activates. */
export interface MachineFacts {
  /** 8–256 characters. */
  readonly fingerprint: string;
  readonly components: Components;
  /** base64url of an Ed25519 key, with the proof that its private half is held. */
  readonly publicKey: string | null;
  readonly proof: string | null;
  readonly platform: Platform | null;
  readonly cores: number | null;
  readonly personal: MachinePersonal;
}

/** What preparing an activation needs. */
export interface PrepareDeps {
  readonly indexer: Indexer;
  readonly sealer: Sealer;
  readonly random: Random;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
}

/** A machine ready to be stored: sealed, digested, its key proven. Pure data: dropping it leaves no trace. */
export interface PreparedMachine {
  readonly realm: RealmId;
  readonly fingerprint: string;
  /** Digests of the fingerprint under every live index key, newest first. */
  readonly digests: readonly KeyedDigest[];
  /** Whose seat it takes, and of which product, is told by the unit that stores it. */
  readonly row: Omit<NewMachine, 'userIndex' | 'productId'>;
  readonly components: readonly (StoredComponent & { readonly indexVersion: number })[];
  /** The components as they were sent: a machine that is there is recognised by them. */
  readonly sent: Components;
  /** Digests of the user's address under every live index key, newest first; empty: none was named. */
  readonly users: readonly KeyedDigest[];
}

/**
 * Does everything of an activation that needs no transaction.
 * @throws Fault VALIDATION_FAILED for a key that is none or is not proven; CARD_DATA_REFUSED; SEALED
 */
export function prepareMachine(
  deps: PrepareDeps,
  place: { readonly realm: RealmId; readonly licenseId: string },
  facts: MachineFacts,
): PreparedMachine {
  const { realm, licenseId } = place;
  const { fingerprint, platform, cores, personal } = facts;
  refuseCardData({ name: personal.name, hostname: personal.hostname, metadata: personal.metadata });
  const id = newId('machine', deps.time.now(), deps.random);
  const { digest, version } = fingerprintDigest(deps.indexer, realm, fingerprint);
  const row: PreparedMachine['row'] = {
    id,
    licenseId,
    fingerprintHash: digest,
    fingerprintSealed: sealFingerprint(deps.sealer, { realm, id }, fingerprint),
    indexVersion: version,
    publicKey: provenKey(facts),
    platform,
    cores,
    personal: sealMachinePersonal(deps.sealer, { realm, id }, personal),
  };
  const digests = fingerprintDigests(deps.indexer, realm, fingerprint);
  const components = digestAll(deps.indexer, realm, facts.components);
  const { userEmail } = personal;
  const users = userEmail === null ? [] : userDigests(deps.indexer, realm, userEmail);
  return { realm, fingerprint, digests, row, components, sent: facts.components, users };
}

function provenKey({ publicKey, proof, fingerprint }: MachineFacts): Buffer | null {
  if (publicKey === null) return null;
  const key = readMachineKey(publicKey);
  requirePossession(key, fingerprint, proof);
  return key;
}

/** Digests of the components; a value that only fills its field identifies nothing, and is left out. */
function digestAll(indexer: Indexer, realm: RealmId, components: Components): PreparedMachine['components'] {
  const telling = Object.entries(components).filter(
    ([name, value]) => !(IDENTIFYING_COMPONENTS.has(name) && isFiller(value)),
  );
  return telling.map(([name, value]) => {
    const { digest, version } = componentDigest(indexer, realm, { name, value });
    return { name, valueHash: digest, indexVersion: version };
  });
}
