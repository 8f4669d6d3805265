import { findTenant, type Permit, tenantDecides } from '../access/index.ts';
import type { Custody } from '../custody/index.ts';
import { Fault } from '../faults.ts';
import type { Job } from '../jobs/schedule.ts';
import { append } from '../ledger/index.ts';
import { type EpochMs, SECOND } from '../lib/clock.ts';
import { present } from '../lib/invariant.ts';
import {
  blankTenant,
  ERASED_TABLES,
  type ErasedPart,
  type ErasePlace,
  forgetErasure,
  noteErasure,
  noteKeysGone,
  type PendingErasure,
  pendingErasures,
  WALKED_TABLES,
} from '../storage/erase-store.ts';
import type { Authority } from '../storage/entry.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import { findRealm, listRealms } from '../storage/realms.ts';
import type { Tx } from '../storage/tx.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';

/** What erasing needs. */
export interface EraseDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read' | 'emptyLog'>;
  readonly custody: Pick<Custody, 'destroyRealmKeys'>;
  readonly time: { now(): EpochMs };
  /** Called after the commit: nobody gets into the tenant's realms any more. */
  readonly realmsChanged: () => void;
}

/** The name under which rows are erased. */
export const ERASE_JOB = 'erase-tenant';

/** Counters and times that are written behind have been by then: nothing is sealed for the tenant any more. */
const SETTLE_MS = 5 * SECOND;
/** Rows deleted in one unit: a few milliseconds. */
const PER_UNIT = 200;

const ERASER: Authority = {
  actor: { kind: 'system', id: ERASE_JOB, via: 'job' },
  requestId: ERASE_JOB,
  realm: null,
};

/**
 * Decides that a tenant is erased: from the commit on nobody gets into it, and its name is gone. Its keys and rows follow
 * within seconds ({@link eraseJob}), also after a crash.
 * @param asked `confirm`: the code of the tenant
 * @throws Fault NOT_FOUND; VALIDATION_FAILED when the code is another; DISK_FULL
 */
export async function eraseTenant(
  { work, realmsChanged }: Pick<EraseDeps, 'work' | 'realmsChanged'>,
  permit: Permit,
  asked: { readonly id: string; readonly confirm: string },
): Promise<void> {
  const tenant = listRealms(work.read).find(({ tenantId }) => tenantId === asked.id);
  const erased = pendingErasures(work.read).some(({ tenantId }) => tenantId === asked.id);
  if (tenant === undefined || erased) throw new Fault('NOT_FOUND', `there is no tenant ${asked.id}`);
  if (tenant.tenantCode !== asked.confirm) {
    const message = `confirm is not the code of tenant ${asked.id}`;
    throw new Fault('VALIDATION_FAILED', message, {
      errors: [{ path: 'confirm', code: 'CONFIRM', message }],
    });
  }
  const { actor, requestId } = permit;
  await work.run({ actor, requestId, realm: null }, (tx) => {
    blankTenant(tx, asked.id);
    noteErasure(tx, asked.id);
    const left = present(findTenant(tx, asked.id), 'what is left of a tenant stays');
    const target = { kind: 'tenant', id: asked.id };
    append(tx, { realm: null, action: 'tenant.erasing', target, after: tenantDecides(left) });
  });
  realmsChanged();
}

/** The job that destroys keys and rows of tenants that were erased. */
export function eraseJob(deps: EraseDeps, mayRun: () => boolean): Job {
  return {
    name: ERASE_JOB,
    everyMs: SECOND,
    mayRun,
    run: async () => {
      for (const pending of pendingErasures(deps.work.read)) {
        if (deps.time.now() - pending.since >= SETTLE_MS) await erase(deps, pending);
      }
    },
  };
}

/**
 * 1. The wrapped keys go. Stop here: what is left cannot be opened by anybody. 2. The rows go, slice by slice; begun anew
 * after a stop: what is gone is not there. 3. The log is emptied: nothing of it is left in the files. 4. Only now it is
 * said that the tenant is erased.
 */
async function erase(deps: EraseDeps, { tenantId, keysGone }: PendingErasure): Promise<void> {
  const { work, custody } = deps;
  const target = { kind: 'tenant', id: tenantId };
  const realms = (['live', 'test'] as const).flatMap(
    (environment) => findRealm(work.read, { tenantId, environment }) ?? [],
  );
  if (!keysGone) {
    await work.run(ERASER, (tx) => {
      for (const realm of realms) custody.destroyRealmKeys(tx, realm);
      noteKeysGone(tx, tenantId);
      append(tx, { realm: null, action: 'tenant.keys_destroyed', target });
    });
  }
  let rows = 0;
  for (const realm of realms) rows += await eraseRows(work, realm);
  // A reader stands in the way: a run a few seconds later finds nothing but this to do, and says nothing until it is done.
  if (!work.emptyLog()) return;
  await work.run(ERASER, (tx) => {
    forgetErasure(tx, tenantId);
    append(tx, { realm: null, action: 'tenant.erased', target, facts: { rows } });
  });
}

async function eraseRows(work: EraseDeps['work'], realm: RealmId): Promise<number> {
  let rows = 0;
  for (const { table, erase: eraseSome } of ERASED_TABLES) {
    for (let some = PER_UNIT; some === PER_UNIT; rows += some) {
      some = (await slice(work, table, (tx) => ({ next: null, rows: eraseSome(tx, realm, PER_UNIT) }))).rows;
    }
  }
  for (const { table, erase: eraseSome } of WALKED_TABLES) {
    let place: ErasePlace = null;
    do {
      const at: { place: ErasePlace; limit: number } = { place, limit: PER_UNIT };
      const part = await slice(work, table, (tx) => eraseSome(tx, realm, at));
      place = part.next;
      rows += part.rows;
    } while (place !== null);
  }
  return rows;
}

function slice(
  work: EraseDeps['work'],
  table: string,
  eraseSome: (tx: Tx) => ErasedPart,
): Promise<ErasedPart> {
  return work.run(ERASER, (tx) => {
    const part = eraseSome(tx);
    const target = { kind: 'table', id: table };
    if (part.rows > 0)
      append(tx, { realm: null, action: 'tenant.rows_erased', target, facts: { rows: part.rows } });
    return part;
  });
}
