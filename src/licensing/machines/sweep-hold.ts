import type { Permit } from '../../access/index.ts';
import type { Outbox } from '../../delivery/outbox.ts';
import { Fault } from '../../faults.ts';
import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { newId } from '../../lib/ulid.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Reader } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { jobState, setJobState } from './sweep-store.ts';

/** The name under which the sweep of heartbeats writes and is held. */
export const SWEEP_JOB = 'machine-heartbeat-sweep';

/** A sweep that would hit more than this share … */
const SHARE = 0.05;
/** … and more than this many machines of a realm at once is held. */
const ROWS = 20;

/** Machines of one licence that count towards a hold: its holder makes and kills as many as he likes, and must not stop
 * the sweep of everybody with them. */
const PER_LICENSE = 5;

/** Counts machines towards a hold, those of one licence up to a few. */
export class HoldCount {
  readonly #ofLicense = new Map<string, number>();
  #counted = 0;

  /** One more machine of a licence. */
  add(licenseId: string): void {
    const before = this.#ofLicense.get(licenseId) ?? 0;
    if (before >= PER_LICENSE) return;
    this.#ofLicense.set(licenseId, before + 1);
    this.#counted += 1;
  }

  /** What counts of all that were added. */
  get counted(): number {
    return this.#counted;
  }
}

/** How many of so many living machines one sweep may hit. */
export function mostAtOnce(living: number): number {
  return Math.max(ROWS, Math.floor(living * SHARE));
}

/** Where a realm's sweep stands: it runs, waits for an operator, or was released for one run. */
type HoldState = 'running' | 'held' | 'released';

/** What a sweep is about to do to a realm. */
export interface Reach {
  readonly realm: RealmId;
  readonly dead: number;
  /** How many of them count towards a hold; default: all. */
  readonly counted?: number;
  readonly living: number;
}

/** Under which names the holds of a sweep are kept. */
export interface SweepHolds {
  /** Name of the job. */
  readonly job: string;
}

interface HoldDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
  readonly outbox: Outbox;
  readonly random: Random;
  readonly time: { now(): EpochMs };
}

/**
 * Whether a sweep must not run in a realm now: it would hit too many at once, and nobody has released it. The first time
 * is told in the ledger and as an event. A hold ends when fewer would be hit, or for one run when it was released.
 */
export async function holdSweep(deps: HoldDeps, { job }: SweepHolds, reach: Reach): Promise<boolean> {
  const { realm, dead, counted = dead, living } = reach;
  const state = stateOf(deps, job, realm);
  const tooMany = counted > mostAtOnce(living);
  if (!tooMany || state === 'released') {
    if (state !== 'running') await tell(deps, job, { ...reach, state: 'running' });
    return false;
  }
  if (state === 'running') await tell(deps, job, { ...reach, state: 'held' });
  return true;
}

/** Whether the sweep of a realm waits for an operator. */
export function isSweepHeld(deps: Pick<HoldDeps, 'work'>, holds: SweepHolds, realm: RealmId): boolean {
  return isHeldIn(deps.work.read, holds, realm);
}

/** The same, as a reader or an open unit sees it. */
export function isHeldIn(reader: Reader, { job }: SweepHolds, realm: RealmId): boolean {
  return jobState(reader, keyOf(job, realm)) === 'held';
}

/**
 * Lets a held sweep run once, however many it hits. For operators.
 * @throws Fault CONFLICT when it is not held
 */
export async function releaseSweep(deps: HoldDeps, permit: Permit, { job }: SweepHolds): Promise<void> {
  const realm = realmOf(permit);
  if (!isSweepHeld(deps, { job }, realm)) throw new Fault('CONFLICT', `the sweep ${job} is not held here`);
  await deps.work.run(permit, (tx) => {
    setJobState(tx, keyOf(job, realm), 'released');
    append(tx, { realm, action: 'system.sweep_released', target: { kind: 'job', id: job } });
  });
}

async function tell(deps: HoldDeps, job: string, to: Reach & { readonly state: HoldState }): Promise<void> {
  const { realm, state, dead, living } = to;
  const actor = { kind: 'system', id: job, via: 'job' } as const;
  const requestId = newId('request', deps.time.now(), deps.random);
  await deps.work.run({ actor, requestId, realm }, (tx) => {
    setJobState(tx, keyOf(job, realm), state);
    const action = state === 'held' ? 'system.sweep_held' : 'system.sweep_resumed';
    append(tx, { realm, action, target: { kind: 'job', id: job }, facts: { dead, living } });
    if (state === 'held')
      deps.outbox.emit(tx, { type: 'system.sweep_held', realm, data: { job, dead, living } });
  });
}

function stateOf({ work }: Pick<HoldDeps, 'work'>, job: string, realm: RealmId): HoldState {
  const state = jobState(work.read, keyOf(job, realm));
  return state === 'held' || state === 'released' ? state : 'running';
}

const keyOf = (job: string, realm: RealmId): string => `${job}:${realm}`;
