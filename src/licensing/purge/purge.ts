import type { Outbox } from '../../delivery/outbox.ts';
import { append } from '../../ledger/append.ts';
import type { Clock, EpochMs } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { newId } from '../../lib/ulid.ts';
import type { Authority } from '../../storage/journal.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmTx, Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { holdSweep, mostAtOnce } from '../machines/sweep-hold.ts';
import { PURGE_KINDS, type PurgeKind, type PurgeTime } from './purge-kinds.ts';

/** Name of the job, and the actor of what it writes. */
export const PURGE_JOB = 'retention-purge';

/** What purging needs. */
export interface PurgeDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
  readonly outbox: Outbox;
  readonly random: Random;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
  readonly clock: Pick<Clock, 'monotonic'>;
  /** How long something deleted can be restored, in milliseconds. */
  readonly keepDeletedMs: number;
  /** Whether what cannot be undone may be done now; asked before every slice. */
  readonly mayPurge: () => boolean;
}

/** What one run did to a realm. */
export interface Purged {
  /** Rows that went. */
  readonly rows: number;
  /** Names of the sweeps that are held: they would have hit too many at once. */
  readonly held: readonly string[];
}

/** A unit holds the event loop no longer than about this. */
const SLICE_MS = 4;
/** Rows looked up for one unit. */
const PER_UNIT = 100;

/**
 * Deletes for good what was deleted longer ago than the retention says: machines, licences, policies, products,
 * entitlements. A kind of which more than 5 % and more than 20 rows would go at once (of machines: a few of each licence
 * counted) is held until an operator releases it. Every unit leaves one ledger entry with what it removed.
 */
export async function purgeDeleted(deps: PurgeDeps, realm: RealmId): Promise<Purged> {
  const now = deps.time.now();
  const at = { now, cutoff: now - deps.keepDeletedMs };
  const held: string[] = [];
  let rows = 0;
  for (const kind of PURGE_KINDS) {
    if (await isHeld(deps, realm, { kind, at })) held.push(String(kind.hold));
    else rows += await purgeKind(deps, realm, { kind, at });
  }
  return { rows, held };
}

interface Purging {
  readonly kind: PurgeKind;
  readonly at: PurgeTime;
}

async function isHeld(deps: PurgeDeps, realm: RealmId, { kind, at }: Purging): Promise<boolean> {
  if (kind.hold === null) return false;
  const reader = deps.work.read.in(realm);
  const living = kind.living(reader);
  // One more than may go at once says that it is too many; how many more there are would have to be counted.
  const most = mostAtOnce(living);
  const tooMany =
    (await kind.tooMany?.(reader, { ...at, most })) ??
    kind.due(reader, { ...at, limit: 1, skip: most }).length > 0;
  return holdSweep(deps, { job: kind.hold }, { realm, dead: tooMany ? most + 1 : 0, living });
}

async function purgeKind(deps: PurgeDeps, realm: RealmId, { kind, at }: Purging): Promise<number> {
  let rows = 0;
  while (deps.mayPurge() && kind.due(deps.work.read.in(realm), { ...at, limit: 1, skip: 0 }).length > 0) {
    rows += await deps.work.run(authority(deps, realm), (tx) => purgeSlice(deps, tx, { realm, kind, at }));
  }
  return rows;
}

function authority({ time, random }: PurgeDeps, realm: RealmId): Authority {
  const actor = { kind: 'system', id: PURGE_JOB, via: 'job' } as const;
  return { actor, requestId: newId('request', time.now(), random), realm };
}

/** What is due is looked up again: it may have been restored since. */
function purgeSlice(deps: PurgeDeps, tx: Tx, { realm, kind, at }: Purging & { realm: RealmId }): number {
  const rows = tx.in(realm);
  const ids = kind.due(rows, { ...at, limit: PER_UNIT, skip: 0 });
  if (ids.length === 0) return 0;
  const until = deps.clock.monotonic() + SLICE_MS;
  const late = (): boolean => deps.clock.monotonic() >= until;
  let removed = 0;
  for (const id of ids) {
    if (purgeRow(rows, id, { kind, at, late })) removed += 1;
    if (late()) break;
  }
  const target = { kind: 'job', id: PURGE_JOB };
  append(tx, { realm, action: 'retention.purged', target, facts: { [kind.counted]: removed } });
  return removed;
}

/** Goes on with one row until it is done, or the time of the unit is over. */
function purgeRow(rows: RealmTx, id: string, { kind, at, late }: Purging & { late: () => boolean }): boolean {
  for (;;) {
    if (kind.purge(rows, id, at)) return true;
    if (late()) return false;
  }
}
