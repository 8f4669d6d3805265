import { z } from 'zod';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Reader, Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import type { PolicySource } from '../validation/standing.ts';
import { heartbeatPatienceMs } from './heartbeat-rule.ts';
import type { MachineUsage } from './machine-usage.ts';
import {
  type BookedMachine,
  bookedMachines,
  jobState,
  rescheduleHeartbeat,
  setJobState,
} from './sweep-store.ts';

/** Name under which it writes, and keeps where it is. */
export const BOOKING_JOB = 'machine-heartbeat-booking';

/** What booking heartbeats anew needs. */
export interface BookHeartbeatsDeps {
  readonly work: Pick<UnitOfWork, 'keep' | 'read'>;
  readonly policies: PolicySource;
  readonly machineUsage: Pick<MachineUsage, 'flush'>;
}

/** Machines of one unit: a few milliseconds, then others have their turn. */
const PAGE = 250;
/** Units of one run, a hundred thousand machines; the next run, a minute later, goes on. */
const PAGES_PER_RUN = 400;

/** Ids of machines to look at: those behind the first and up to the second. */
const stretches = z.array(z.tuple([z.string(), z.string()])).readonly();
type Stretches = z.infer<typeof stretches>;

/** Before and behind every id there is. */
const [FIRST, LAST] = ['', '~'];

/**
 * Says, in the unit that makes it so, that heartbeats of some machines of a realm are due earlier than they are booked, or
 * at all: from the next sweep on they are booked anew. One that is under way goes on, and round to where it is now.
 */
export function bookAnew(tx: Tx, realm: RealmId): void {
  const at = stretchesOf(stateOf(tx, realm))[0]?.[0] ?? FIRST;
  const before: Stretches = at === FIRST ? [] : [[FIRST, at]];
  store(tx, realm, [[at, LAST], ...before]);
}

/**
 * Books the heartbeats of machines whose policy asks for them earlier than they are booked: each has one interval from
 * now. In pages that each remember where they end: after a stop the next run goes on there.
 * @returns pages done; 0: nothing was to be booked
 */
export async function bookHeartbeats(deps: BookHeartbeatsDeps, realm: RealmId): Promise<number> {
  for (let pages = 0; pages < PAGES_PER_RUN; pages++) {
    const seen = stateOf(deps.work.read, realm);
    if (stretchesOf(seen).length === 0) return pages;
    // Heartbeats taken before the rule changed carry the old due time: once they are on disk, none comes behind this page.
    await deps.machineUsage.flush();
    await deps.work.keep(BOOKING_JOB, (tx) => {
      // Changed once more since the flush: again from there.
      if (stateOf(tx, realm) === seen) bookPage(deps, tx, realm);
    });
  }
  return PAGES_PER_RUN;
}

function bookPage({ policies }: BookHeartbeatsDeps, tx: Tx, realm: RealmId): void {
  const rows = tx.in(realm);
  const [stretch, ...others] = stretchesOf(stateOf(tx, realm));
  if (stretch === undefined) return;
  const [after, last] = stretch;
  const page = bookedMachines(rows, { after, last, limit: PAGE });
  for (const machine of page) {
    const due = earlierDue(machine, tx.now, () => policies.settings(rows, { realm, ...machine.policy }));
    if (due !== null) rescheduleHeartbeat(rows, machine.id, due);
  }
  const end = page.length < PAGE ? undefined : page.at(-1)?.id;
  store(tx, realm, end === undefined ? others : [[end, last], ...others]);
}

function earlierDue(
  machine: BookedMachine,
  now: number,
  policyOf: () => ReturnType<PolicySource['settings']>,
): number | null {
  if (!machine.waits) return null;
  const policy = policyOf();
  if (!policy.requireHeartbeat) return null;
  const due = now + heartbeatPatienceMs(policy.heartbeatIntervalMinutes);
  return machine.due === null || machine.due > due ? due : null;
}

const keyOf = (realm: RealmId): string => `${BOOKING_JOB}:${realm}`;

function stateOf(reader: Reader, realm: RealmId): string | undefined {
  return jobState(reader, keyOf(realm));
}

function stretchesOf(state: string | undefined): Stretches {
  return state === undefined ? [] : stretches.parse(JSON.parse(state));
}

function store(tx: Tx, realm: RealmId, left: Stretches): void {
  setJobState(tx, keyOf(realm), JSON.stringify(left));
}
