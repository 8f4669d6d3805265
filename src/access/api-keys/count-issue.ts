import { Fault } from '../../faults.ts';
import { DAY, type EpochMs } from '../../lib/clock.ts';
import { invariant } from '../../lib/invariant.ts';
import type { RealmTx, Tx } from '../../storage/tx.ts';
import type { Permit } from '../permit.ts';
import type { ApiKey } from './api-key.ts';
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
    if (!isWithin(rows, key, { day, count })) return exhausted(key, tx.now, day);
    id = makerOf(key.createdBy);
    if (id === undefined) return undefined;
  }
  return { refused: new Fault('ISSUE_LIMIT', 'the key comes from too long a chain of keys; make another') };
}

function isWithin(
  rows: RealmTx,
  key: ApiKey,
  issued: { readonly day: number; readonly count: number },
): boolean {
  const { id, issueLimitPerDay, issueLimitTotal } = key;
  if (issueLimitPerDay === null && issueLimitTotal === null) return true;
  const limit = issueLimitPerDay ?? Number.MAX_SAFE_INTEGER;
  const total = issueLimitTotal ?? Number.MAX_SAFE_INTEGER;
  return countIssued(rows, { id, ...issued, limit, total });
}

/** The id of the key that made a key; undefined when an operator did. */
function makerOf(createdBy: string): string | undefined {
  const [kind, id] = createdBy.split(':');
  return kind === 'api-key' ? id : undefined;
}

function exhausted(key: ApiKey, now: EpochMs, day: number): { readonly refused: Fault } {
  const { issueLimitPerDay: perDay, issueLimitTotal: total } = key;
  const limits = [perDay === null ? [] : `${perDay} a day`, total === null ? [] : `${total} in all`].flat();
  const message = `the key, or one it comes from, may issue ${limits.join(', ')}, and has; a day begins at midnight UTC`;
  return { refused: new Fault('ISSUE_LIMIT', message, { retryAfterMs: (day + 1) * DAY - now }) };
}
