import type { EpochMs } from '../../lib/clock.ts';
import { readJobState, writeJobState } from '../../storage/job-state-store.ts';
import { statement } from '../../storage/statement.ts';
import type { Reader, RealmReader, RealmTx, Tx } from '../../storage/tx.ts';

/** A machine whose heartbeat is overdue, and the policy it stands under now. */
export interface OverdueMachine {
  readonly id: string;
  readonly licenseId: string;
  readonly createdAt: EpochMs;
  readonly lastHeartbeatAt: EpochMs | null;
  readonly due: EpochMs | null;
  readonly policyId: string;
  readonly policyVersion: number;
}

/** When the heartbeat of a machine is booked to be due, and the policy it stands under now. */
export interface BookedMachine {
  readonly id: string;
  /** null: none is waited for. */
  readonly due: EpochMs | null;
  /** Alive and not removed: a heartbeat of it can be waited for. */
  readonly waits: boolean;
  readonly policy: { readonly id: string; readonly version: number };
}

const OVERDUE = statement<{ now: EpochMs; due: EpochMs; id: string; limit: number }>()((db, p) =>
  db
    .selectFrom('machine_usage as u')
    .innerJoin('machines as m', (join) =>
      join.onRef('m.realm_id', '=', 'u.realm_id').onRef('m.id', '=', 'u.machine_id'),
    )
    .innerJoin('licenses as l', (join) =>
      join.onRef('l.realm_id', '=', 'm.realm_id').onRef('l.id', '=', 'm.license_id'),
    )
    .innerJoin('policies as pol', (join) =>
      join.onRef('pol.realm_id', '=', 'l.realm_id').onRef('pol.id', '=', 'l.policy_id'),
    )
    .select([
      'm.id as id',
      'm.license_id as licenseId',
      'm.created_at as createdAt',
      'u.last_heartbeat_at as lastHeartbeatAt',
      'u.heartbeat_due as due',
      'pol.id as policyId',
      'pol.version as policyVersion',
    ])
    .where('u.realm_id', '=', p.realm)
    .where('u.heartbeat_due', '<', p.now)
    .where('u.heartbeat_due', '>=', p.due)
    .where((eb) => eb.or([eb('u.heartbeat_due', '>', p.due), eb('u.machine_id', '>', p.id)]))
    .where('m.deleted_at', 'is', null)
    .where('m.alive', '=', 1)
    .orderBy('u.heartbeat_due')
    .orderBy('u.machine_id')
    .limit(p.limit),
);

const OVERDUE_IN_REALM = statement<{ now: EpochMs; limit: number }>()((db, p) =>
  db
    .selectFrom('machine_usage')
    .select('license_id as licenseId')
    .where('realm_id', '=', p.realm)
    .where('heartbeat_due', '<', p.now)
    .limit(p.limit),
);

const OVERDUE_OF_LICENSE = statement<{ licenseId: string; now: EpochMs; limit: number }>()((db, p) =>
  db
    .selectFrom('machine_usage')
    .select('machine_id as id')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('heartbeat_due', '<', p.now)
    .orderBy('heartbeat_due')
    .limit(p.limit),
);

const OVERDUE_OF_USER = statement<{ licenseId: string; userIndex: Buffer; now: EpochMs; limit: number }>()(
  (db, p) =>
    db
      .selectFrom('machine_usage as u')
      .innerJoin('machines as m', (join) =>
        join.onRef('m.realm_id', '=', 'u.realm_id').onRef('m.id', '=', 'u.machine_id'),
      )
      .select('u.machine_id as id')
      .where('u.realm_id', '=', p.realm)
      .where('u.license_id', '=', p.licenseId)
      .where('u.heartbeat_due', '<', p.now)
      .where('m.user_index', '=', p.userIndex)
      .orderBy('u.heartbeat_due')
      .limit(p.limit),
);

const RESCHEDULE = statement<{ id: string; due: EpochMs | null }>()((db, p) =>
  db
    .updateTable('machine_usage')
    .set({ heartbeat_due: p.due })
    .where('realm_id', '=', p.realm)
    .where('machine_id', '=', p.id),
);

const LIVING = statement()((db, p) =>
  db.selectFrom('realm_counters').select('machines').where('realm_id', '=', p.realm),
);

const BOOKED = statement<{ after: string; last: string; limit: number }>()((db, p) =>
  db
    .selectFrom('machine_usage as u')
    .innerJoin('machines as m', (join) =>
      join.onRef('m.realm_id', '=', 'u.realm_id').onRef('m.id', '=', 'u.machine_id'),
    )
    .innerJoin('licenses as l', (join) =>
      join.onRef('l.realm_id', '=', 'm.realm_id').onRef('l.id', '=', 'm.license_id'),
    )
    .innerJoin('policies as pol', (join) =>
      join.onRef('pol.realm_id', '=', 'l.realm_id').onRef('pol.id', '=', 'l.policy_id'),
    )
    .select(['u.machine_id as id', 'u.heartbeat_due as due', 'm.alive as alive', 'm.deleted_at as deletedAt'])
    .select(['pol.id as policyId', 'pol.version as policyVersion'])
    .where('u.realm_id', '=', p.realm)
    .where('u.machine_id', '>', p.after)
    .where('u.machine_id', '<=', p.last)
    .orderBy('u.machine_id')
    .limit(p.limit),
);

/** Living machines whose heartbeat was due before `now`, after the given place; the longest overdue first. */
export function overdueMachines(
  reader: RealmReader,
  asked: { readonly now: EpochMs; readonly after: { due: EpochMs; id: string }; readonly limit: number },
): OverdueMachine[] {
  const { now, after, limit } = asked;
  return reader.all(OVERDUE, { now, limit, due: after.due, id: after.id });
}

/** Whose machines' heartbeats were due before `now`, as they are booked: a licence for each machine, at most `limit`. */
export function overdueInRealm(
  reader: RealmReader,
  { now, limit }: { readonly now: EpochMs; readonly limit: number },
): string[] {
  return reader.all(OVERDUE_IN_REALM, { now, limit }).map(({ licenseId }) => licenseId);
}

/**
 * Machines of one licence (of one of its users, where `userIndex` is not null) whose heartbeat was due before `now`, the
 * longest overdue first.
 */
export function overdueOf(
  reader: RealmReader,
  of: { readonly licenseId: string; readonly userIndex: Buffer | null },
  { now, limit }: { readonly now: EpochMs; readonly limit: number },
): string[] {
  const { licenseId, userIndex } = of;
  const found =
    userIndex === null
      ? reader.all(OVERDUE_OF_LICENSE, { licenseId, now, limit })
      : reader.all(OVERDUE_OF_USER, { licenseId, userIndex, now, limit });
  return found.map(({ id }) => id);
}

/** Machines with an id behind `after` and up to `last`, gone ones too, with what is booked of them. */
export function bookedMachines(
  reader: RealmReader,
  asked: { readonly after: string; readonly last: string; readonly limit: number },
): BookedMachine[] {
  return reader.all(BOOKED, asked).map(({ id, due, alive, deletedAt, policyId, policyVersion }) => {
    const policy = { id: policyId, version: policyVersion };
    return { id, due, waits: alive === 1 && deletedAt === null, policy };
  });
}

/** Books when a machine is to be looked at again; null: its policy asks for no heartbeat. */
export function rescheduleHeartbeat(tx: RealmTx, id: string, due: EpochMs | null): void {
  tx.run(RESCHEDULE, { id, due });
}

/** How many machines of the realm are alive or dead and not removed. */
export function livingMachines(reader: RealmReader): number {
  return reader.get(LIVING, {})?.machines ?? 0;
}

/** What a job remembered; undefined: nothing. */
export function jobState(reader: Reader, job: string): string | undefined {
  return readJobState(reader, job);
}

/** Lets a job remember something across restarts. */
export function setJobState(tx: Tx, job: string, state: string): void {
  writeJobState(tx, job, state);
}
