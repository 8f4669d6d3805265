import { Fault } from '../../faults.ts';
import { DAY, type EpochMs } from '../../lib/clock.ts';
import { invariant } from '../../lib/invariant.ts';
import type { Tx } from '../../storage/tx.ts';
import type { Permit } from '../permit.ts';
import { countIssued, findKey } from './api-key-store.ts';

/** Keys that make keys that make keys: a chain longer than this issues nothing. */
const CHAIN = 16;

/**
 * Counts what a key issues (licences, files, imports) against its daily limit and against those of the keys it comes from:
 * a key with a limit must not get round it by making others. Inside the unit that issues, as the last thing the unit
 * decides; a refusal undoes the unit, and with it what was counted on the way.
 * @param count how many are issued at once
 * @returns the refusal (`ISSUE_LIMIT`), or undefined; whoever is not a key has no such limit
 */
export function countIssue(tx: Tx, permit: Permit, count = 1): { readonly refused: Fault } | undefined {
  const { principal } = permit;
  if (principal.kind !== 'secret-key') return undefined;
  const rows = tx.in(principal.realm);
  const day = Math.floor(tx.now / DAY);
  let id: string | undefined = principal.actor.id;
  for (let depth = 0; depth < CHAIN; depth++) {
    const key = findKey(rows, id);
    invariant(
      key !== undefined,
      'a key that was let in, or made another, exists: keys are revoked, not deleted',
    );
    const limit = key.issueLimitPerDay;
    if (limit !== null && !countIssued(rows, { id, day, count, limit })) return exhausted(limit, tx.now, day);
    id = makerOf(key.createdBy);
    if (id === undefined) return undefined;
  }
  return exhausted(0, tx.now, day);
}

/** The id of the key that made a key; undefined when an operator did. */
function makerOf(createdBy: string): string | undefined {
  const [kind, id] = createdBy.split(':');
  return kind === 'api-key' ? id : undefined;
}

function exhausted(limit: number, now: EpochMs, day: number): { readonly refused: Fault } {
  const message = `the key, or one it comes from, may issue ${limit} a day, and has; it goes on at midnight UTC`;
  return { refused: new Fault('ISSUE_LIMIT', message, { retryAfterMs: (day + 1) * DAY - now }) };
}
