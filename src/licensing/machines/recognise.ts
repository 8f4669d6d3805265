import type { Indexer } from '../../custody/sealer.ts';
import { equalBytes } from '../../lib/secret.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader } from '../../storage/tx.ts';
import { agrees, isFiller, type Matching, neededToRecognise } from './component-matching.ts';
import { componentsOf, machinesWithComponent, type StoredComponent } from './component-store.ts';
import { componentDigests, fingerprintDigests } from './machine-sealing.ts';
import { findMachine, findMachineByFingerprint } from './machine-store.ts';
import { IDENTIFYING_COMPONENTS, type MachineSnapshot } from './machine.ts';

/** What a request says of the machine it comes from, and what the policy tolerates. */
export interface Asking {
  readonly realm: RealmId;
  readonly licenseId: string;
  readonly fingerprint?: string | undefined;
  readonly components?: Readonly<Record<string, string>> | undefined;
  readonly matching: Matching;
}

/** A machine of the licence; `componentsMatch` false: it has the fingerprint, and other hardware. */
export interface Recognised {
  readonly machine: MachineSnapshot;
  readonly componentsMatch: boolean;
}

/** What recognising needs. */
export interface RecogniseDeps {
  readonly indexer: Indexer;
}

/** Machines with one component that are looked at: a value that more machines have identifies none of them. */
const COMMON = 16;

/**
 * The living machine of a licence that a request comes from: the one with the fingerprint; else, where the policy
 * tolerates a change of hardware, the one that has enough of the identifying components. Two that have equally many are
 * told apart by nothing, and neither is it. Only machines of this licence are looked at, through an index.
 */
export function recognise(deps: RecogniseDeps, reader: RealmReader, asking: Asking): Recognised | undefined {
  const { realm, licenseId, fingerprint, matching } = asking;
  if (fingerprint === undefined) return undefined;
  const digests = fingerprintDigests(deps.indexer, realm, fingerprint);
  const machine = findMachineByFingerprint(reader, licenseId, digests);
  const sent = identifyingDigests(deps.indexer, asking);
  if (machine !== undefined) {
    const componentsMatch = sent.size === 0 || agrees(matching, seen(reader, machine.id, sent));
    return { machine, componentsMatch };
  }
  if (matching === 'MATCH_ALL' || sent.size === 0) return undefined;
  const found = byComponents(reader, { licenseId, matching, sent });
  return found === undefined ? undefined : { machine: found, componentsMatch: true };
}

/** The id of the living machine of a licence that has this id or this fingerprint; undefined: it has none. */
export function machineOf(
  { indexer }: RecogniseDeps,
  reader: RealmReader,
  of: { readonly realm: RealmId; readonly licenseId: string; readonly named: string },
): string | undefined {
  const { realm, licenseId, named } = of;
  const byId = findMachine(reader, named);
  if (byId?.licenseId === licenseId) return byId.id;
  return findMachineByFingerprint(reader, licenseId, fingerprintDigests(indexer, realm, named))?.id;
}

/** Whether what a machine is said to be made of agrees with what is stored of it. */
export function componentsAgree(
  { indexer }: RecogniseDeps,
  reader: RealmReader,
  asking: Omit<Asking, 'fingerprint' | 'licenseId'> & { readonly machineId: string },
): boolean {
  return agrees(asking.matching, seen(reader, asking.machineId, identifyingDigests(indexer, asking)));
}

/** An identifying component that was sent and is stored. */
export interface ComparedComponent {
  readonly name: string;
  readonly matches: boolean;
}

/** The identifying components of a machine that can be compared with what was sent, one by one. */
export function compareComponents(
  { indexer }: RecogniseDeps,
  reader: RealmReader,
  asking: Pick<Asking, 'realm' | 'components'> & { readonly machineId: string },
): ComparedComponent[] {
  return compared(componentsOf(reader, asking.machineId), identifyingDigests(indexer, asking));
}

/** Digests of the identifying components, by name; each under every live index key. */
type Sent = ReadonlyMap<string, readonly Buffer[]>;

function identifyingDigests(
  indexer: Indexer,
  { realm, components = {} }: Pick<Asking, 'realm' | 'components'>,
): Sent {
  const identifying = Object.entries(components).filter(
    ([name, value]) => IDENTIFYING_COMPONENTS.has(name) && !isFiller(value),
  );
  return new Map(
    identifying.map(([name, value]) => [
      name,
      componentDigests(indexer, realm, { name, value }).map(({ digest }) => digest),
    ]),
  );
}

interface Seen {
  /** Identifying components stored of the machine. */
  readonly stored: number;
  /** Of those, sent too. */
  readonly compared: number;
  /** Of those, equal. */
  readonly equal: number;
}

function seen(reader: RealmReader, machineId: string, sent: Sent): Seen {
  const stored = componentsOf(reader, machineId).filter(({ name }) => IDENTIFYING_COMPONENTS.has(name));
  const pairs = compared(stored, sent);
  const equal = pairs.filter(({ matches }) => matches).length;
  return { stored: stored.length, compared: pairs.length, equal };
}

function compared(stored: readonly StoredComponent[], sent: Sent): ComparedComponent[] {
  return stored.flatMap(({ name, valueHash }) => {
    const digests = sent.get(name);
    if (digests === undefined) return [];
    return [{ name, matches: digests.some((digest) => equalBytes(digest, valueHash)) }];
  });
}

interface Searching {
  readonly licenseId: string;
  readonly matching: Matching;
  readonly sent: Sent;
}

function byComponents(reader: RealmReader, searching: Searching): MachineSnapshot | undefined {
  const { matching, sent } = searching;
  const fitting = candidates(reader, searching).flatMap((id) => {
    const { stored, equal } = seen(reader, id, sent);
    const needed = neededToRecognise(matching, stored);
    return needed !== null && equal >= needed ? [{ id, equal }] : [];
  });
  const most = Math.max(0, ...fitting.map(({ equal }) => equal));
  const [best, ...tied] = fitting.filter(({ equal }) => equal === most);
  return best === undefined || tied.length > 0 ? undefined : findMachine(reader, best.id);
}

/** Machines with at least one of the components, but not those with nothing but common ones. */
function candidates(reader: RealmReader, { licenseId, sent }: Searching): string[] {
  const found = [...sent.values()].flat().map((hash) => {
    const ids = machinesWithComponent(reader, licenseId, { hash, limit: COMMON + 1 });
    return ids.length > COMMON ? [] : ids;
  });
  return [...new Set(found.flat())];
}
