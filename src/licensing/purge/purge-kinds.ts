import type { EpochMs } from '../../lib/clock.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import { countTenantLicenses } from '../licenses/tenant-license-store.ts';
import { dueHoldersOf, endHold } from '../machines/held-seat-store.ts';
import { releaseSeat } from '../machines/seat-store.ts';
import { livingMachines } from '../machines/sweep-store.ts';
import {
  dueEntitlements,
  duePolicies,
  dueProducts,
  livingEntitlementRows,
  livingPolicies,
  livingProducts,
  removeEntitlementRow,
  removePolicyRow,
  removeProductRow,
} from './catalogue-purge-store.ts';
import {
  blankLicense,
  dueLicenses,
  keepSkeleton,
  lastFileExpiry,
  releasedLicenses,
  removeFiles,
  removeFingerprints,
  removeLicense,
} from './license-purge-store.ts';
import {
  blankMachine,
  dueMachines,
  isSpokenOf,
  machinesOfDeleted,
  removeMachineRow,
  tooManyMachinesDue,
} from './machine-purge-store.ts';
import type { Part } from './part.ts';

/** The names under which purges are held when they would hit many at once. */
export const PURGE_SWEEPS = [
  'purge-machines',
  'purge-licenses',
  'purge-policies',
  'purge-products',
  'purge-entitlements',
] as const;

/** When a purge runs. */
export interface PurgeTime {
  /** What was deleted by then is to go. */
  readonly cutoff: EpochMs;
  readonly now: EpochMs;
}

/** A kind of rows that are purged. */
export interface PurgeKind {
  /** Name of its sweep, under which it is held and released; null: what it removes was emptied before. */
  readonly hold: (typeof PURGE_SWEEPS)[number] | null;
  /** What the ledger counts it as. */
  readonly counted: string;
  /** Ids of a part of the rows that are to go. */
  due(reader: RealmReader, asked: PurgeTime & Part): string[];
  /** Whether more than `most` are to go; default: as many as `due` says. Where some of them do not count. */
  tooMany?(reader: RealmReader, asked: PurgeTime & { readonly most: number }): Promise<boolean>;
  /** How many rows of the kind live. */
  living(reader: RealmReader): number;
  /** Does a small part of the work for one row. True: the row is done. Done twice it does no harm. */
  purge(tx: RealmTx, id: string, at: PurgeTime): boolean;
}

/** Rows that hang on one row and are deleted at a time: a fraction of a millisecond. */
const HANGING = 20;

/** In the order in which they let go of each other. */
export const PURGE_KINDS: readonly PurgeKind[] = [
  {
    hold: 'purge-machines',
    counted: 'machines',
    due: dueMachines,
    tooMany: tooManyMachinesDue,
    living: livingMachines,
    purge: purgeMachine,
  },
  {
    hold: 'purge-licenses',
    counted: 'licenses',
    due: dueLicenses,
    living: countTenantLicenses,
    purge: purgeLicense,
  },
  { hold: null, counted: 'skeletons', due: releasedLicenses, living: countTenantLicenses, purge: takeAway },
  {
    hold: 'purge-policies',
    counted: 'policies',
    due: duePolicies,
    living: livingPolicies,
    purge: atOnce(removePolicyRow),
  },
  {
    hold: 'purge-products',
    counted: 'products',
    due: dueProducts,
    living: livingProducts,
    purge: atOnce(removeProductRow),
  },
  {
    hold: 'purge-entitlements',
    counted: 'entitlements',
    due: dueEntitlements,
    living: livingEntitlementRows,
    purge: atOnce(removeEntitlementRow),
  },
];

/** A machine that files name stays as long as its licence, and says nothing of the device or its user any more. */
function purgeMachine(tx: RealmTx, id: string, { now }: PurgeTime): boolean {
  if (isSpokenOf(tx, id)) blankMachine(tx, id, now);
  else removeMachineRow(tx, id);
  return true;
}

/** The licence is emptied at once, and cannot be restored from here on; what hangs on it follows, part by part. */
function purgeLicense(tx: RealmTx, id: string, { now }: PurgeTime): boolean {
  blankLicense(tx, id, now);
  return true;
}

/** While a file of it is good, what is outstanding must be known: its skeleton stays until the last one expires. */
function takeAway(tx: RealmTx, id: string, { now }: PurgeTime): boolean {
  const last = lastFileExpiry(tx, id) ?? now;
  const kept = last > now;
  if (!kept && giveBackSeats(tx, id, now) === HANGING) return false;
  const machines = machinesOfDeleted(tx, id, { limit: HANGING, blanked: !kept });
  for (const machine of machines) {
    if (kept) blankMachine(tx, machine, now);
    else removeMachineRow(tx, machine);
  }
  if (machines.length === HANGING) return false;
  if (kept) keepSkeleton(tx, id, last);
  else if (!removeHanging(tx, id)) return false;
  else removeLicense(tx, id);
  return true;
}

/** Seats that the files of a deleted licence held, all of them due by now, also count for its product. @returns how many */
function giveBackSeats(tx: RealmTx, licenseId: string, now: EpochMs): number {
  const holders = dueHoldersOf(tx, licenseId, { now, limit: HANGING });
  for (const holder of holders) {
    endHold(tx, holder.id, now);
    releaseSeat(tx, holder);
  }
  return holders.length;
}

/** False: there is more. */
function removeHanging(tx: RealmTx, id: string): boolean {
  return removeFiles(tx, id, HANGING) < HANGING && removeFingerprints(tx, id, HANGING) < HANGING;
}

/** A row that nothing hangs on is done at once. */
function atOnce(remove: (tx: RealmTx, id: string) => void): PurgeKind['purge'] {
  return (tx, id) => {
    remove(tx, id);
    return true;
  };
}
