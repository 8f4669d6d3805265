import type { EpochMs } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { newId } from '../../lib/ulid.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { endHoldOf } from './end-hold.ts';
import { dueHolders } from './held-seat-store.ts';
import { releaseSeat } from './seat-store.ts';

/** What giving back seats needs. */
export interface ReleaseSeatsDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
  readonly random: Random;
  readonly time: { now(): EpochMs };
  readonly realms: () => readonly RealmId[];
}

/** The name under which seats are given back. */
export const RELEASE_JOB = 'machine-seat-release';
/** Seats given back in one unit: other writers are let in between. */
const PER_UNIT = 100;

/**
 * Gives back the seats of removed machines whose newest file has expired. An activation that needs one does so by itself;
 * this keeps the counts right where nobody asks.
 * @returns how many
 */
export async function releaseSeats(deps: ReleaseSeatsDeps): Promise<number> {
  let released = 0;
  for (const realm of deps.realms()) {
    for (let slice = PER_UNIT; slice === PER_UNIT; released += slice) slice = await releaseSlice(deps, realm);
  }
  return released;
}

async function releaseSlice(deps: ReleaseSeatsDeps, realm: RealmId): Promise<number> {
  const due = { now: deps.time.now(), limit: PER_UNIT };
  if (dueHolders(deps.work.read.in(realm), due).length === 0) return 0;
  const actor = { kind: 'system', id: RELEASE_JOB, via: 'job' } as const;
  const requestId = newId('request', deps.time.now(), deps.random);
  return deps.work.run({ actor, requestId, realm }, (tx) => release(tx, realm));
}

function release(tx: Tx, realm: RealmId): number {
  const holders = dueHolders(tx.in(realm), { now: tx.now, limit: PER_UNIT });
  for (const holder of holders) {
    endHoldOf(tx, { realm, holder, action: 'machine.seat_released' });
    releaseSeat(tx.in(realm), holder);
  }
  return holders.length;
}
