import { Fault } from '../../faults.ts';
import { DAY } from '../../lib/clock.ts';
import { invariant } from '../../lib/invariant.ts';
import type { Tx } from '../../storage/tx.ts';
import type { Permit } from '../permit.ts';
import { countIssued, findKey } from './api-key-store.ts';

/**
 * Counts what a key issues (licences, files, imports) against its daily limit, inside the unit that issues: the last
 * thing the unit decides, since a refusal found later would leave the count.
 * @param count how many are issued at once
 * @returns the refusal (`ISSUE_LIMIT`), or undefined; whoever is not a key has no such limit
 */
export function countIssue(tx: Tx, permit: Permit, count = 1): { readonly refused: Fault } | undefined {
  const { principal } = permit;
  if (principal.kind !== 'secret-key') return undefined;
  const rows = tx.in(principal.realm);
  const key = findKey(rows, principal.actor.id);
  invariant(key !== undefined, 'a key that was let in exists: keys are revoked, not deleted');
  const limit = key.issueLimitPerDay;
  if (limit === null) return undefined;
  const day = Math.floor(tx.now / DAY);
  if (countIssued(rows, { id: key.id, day, count, limit })) return undefined;
  return {
    refused: new Fault(
      'ISSUE_LIMIT',
      `the key may issue ${limit} a day, and has; it goes on at midnight UTC`,
      {
        retryAfterMs: (day + 1) * DAY - tx.now,
      },
    ),
  };
}
