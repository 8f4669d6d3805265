import { countIssue, type Permit } from '../../access/index.ts';
import { append } from '../../ledger/append.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmTx, Tx } from '../../storage/tx.ts';
import { realmOf } from '../caller.ts';
import { appendOwn, attachOwn, type CreateLicenseDeps, requireMayImport } from '../licenses/create.ts';
import { basisHolds } from '../licenses/license-basis-store.ts';
import { livingEntitlements } from '../licenses/license-entitlement-store.ts';
import type { LicenseView } from '../licenses/license-view.ts';
import { insertLicense } from '../licenses/license-write-store.ts';
import type { PreparedLicense } from '../licenses/prepare.ts';
import { claimTenantLicense } from '../licenses/tenant-license-store.ts';
import { type Outcome, settle, STALE } from '../refusal.ts';
import type { BatchInput } from './batch-schema.ts';
import { faultOfItem, faultOfItems } from './item-problem.ts';
import { inputsOf, keyInUse, prepareBatch, type PreparedBatch } from './prepare-batch.ts';
import type { RunningBatches } from './running-batches.ts';

/** What creating batches needs. */
export interface CreateBatchDeps extends CreateLicenseDeps {
  readonly batches: RunningBatches;
}

/** A batch as the answer shows it. */
export interface BatchView {
  readonly id: string;
  readonly count: number;
  /** In the order of the request, each with its key in full. */
  readonly licenses: readonly LicenseView[];
}

/** Ids in one event: 500 are 17 KB, and an event has at most 20 KB. */
const IDS_PER_EVENT = 500;

/**
 * Creates many licences, all or none.
 *
 * 1. Prepare, a slice at a time: other requests are served in between. Stop here: nothing happened.
 * 2. One unit compares the versions relied on, counts against the limits and inserts everything with one ledger entry a
 *    licence. Stop before its commit: nothing happened. After it: all licences are there, and a repeated request gets
 *    the same answer.
 *
 * @throws Fault NOT_FOUND, VALIDATION_FAILED, CARD_DATA_REFUSED, WEAK_KEY; CONFLICT (a batch is running, a key is in use);
 *   INSUFFICIENT_SCOPE (import); TENANT_LIMIT, ISSUE_LIMIT; SEALED
 */
export async function createBatch(
  deps: CreateBatchDeps,
  permit: Permit,
  request: BatchInput,
): Promise<BatchView> {
  for (const input of inputsOf(request)) requireMayImport(permit, input);
  const realm = realmOf(permit);
  return deps.batches.run(realm, () =>
    settle('what the batch rests on', async () => {
      const batch = await prepareBatch(deps, permit, request);
      refuseProblems(batch);
      return deps.work.run(permit, (tx): Outcome<BatchView> => {
        const outcome = insertBatch(tx, permit, batch);
        if (!('done' in outcome)) return outcome;
        announce(deps, tx, { realm, batch });
        const view = viewOf(batch);
        permit.remember(tx, view);
        return { done: view };
      });
    }),
  );
}

/** @throws Fault of the items that cannot be created */
function refuseProblems({ problems }: PreparedBatch): void {
  const [first, ...others] = problems;
  if (first !== undefined) throw faultOfItems([first, ...others]);
}

function viewOf({ id, items }: PreparedBatch): BatchView {
  return { id, count: items.length, licenses: items.map(({ license }) => license.view) };
}

/** @throws Fault ISSUE_LIMIT, CONFLICT (a key is in use): the unit is undone, and what it has counted with it */
function insertBatch(tx: Tx, permit: Permit, { id, grounds, items }: PreparedBatch): Outcome<null> {
  const realm = realmOf(permit);
  const rows = tx.in(realm);
  if (!grounds.every(({ basis }) => basisHolds(rows, basis))) return STALE;
  if (!entitlementsLive(rows, items)) return STALE;
  const full = claimTenantLicense(rows, items.length);
  if (full !== null) return full;
  const over = countIssue(tx, permit, items.length);
  if (over !== undefined) throw over.refused;
  for (const [index, { license, entry }] of items.entries()) {
    insertItem(rows, license, index);
    append(tx, { ...entry, facts: { batch: id } });
    appendOwn(tx, license);
  }
  return { done: null };
}

function entitlementsLive(rows: RealmTx, items: PreparedBatch['items']): boolean {
  const ids = [...new Set(items.flatMap(({ license }) => license.own.map(({ id }) => id)))];
  return livingEntitlements(rows, ids).length === ids.length;
}

function insertItem(rows: RealmTx, license: PreparedLicense, index: number): void {
  if (!insertLicense(rows, license.stored)) throw faultOfItem(keyInUse(), index);
  attachOwn(rows, license);
}

function announce(
  { outbox }: Pick<CreateBatchDeps, 'outbox'>,
  tx: Tx,
  { realm, batch }: { readonly realm: RealmId; readonly batch: PreparedBatch },
): void {
  const { id, items } = batch;
  for (const { event } of items) if (event !== null) outbox.emit(tx, event);
  const ids = items.filter(({ event }) => event === null).map(({ license }) => license.stored.id);
  const parts = Math.ceil(ids.length / IDS_PER_EVENT);
  for (let part = 1; part <= parts; part++) {
    const licenseIds = ids.slice((part - 1) * IDS_PER_EVENT, part * IDS_PER_EVENT);
    const data = { batch: id, part, parts, count: items.length, licenseIds };
    outbox.emit(tx, { type: 'license.batch_created', realm, data });
  }
}
