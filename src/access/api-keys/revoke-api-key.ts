import { Fault } from '../../faults.ts';
import { append } from '../../ledger/append.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader, Tx } from '../../storage/tx.ts';
import type { Permit } from '../permit.ts';
import { type ApiKey, apiKeyDecides, apiKeyView, type ApiKeyView } from './api-key.ts';
import { cascadingFrom, findKey } from './api-key-store.ts';
import { changeKey } from './change-key.ts';
import { type ApiKeyDeps, eventData } from './create-api-key.ts';
import { realmOf } from './giver.ts';
import { notFound } from './rotate-api-key.ts';

/** Keys that end in one unit; more of them end in the units that follow at once. */
const SLICE = 200;
/** Units of one revocation: as many keys as nobody has. */
const SLICES = 1000;

/**
 * Ends a key at once, both its secrets, and with it the keys it made that were to end with it, and theirs. A key that is
 * revoked already stays as it is: whoever asks gets what he wants, and what was left of its keys ends, too.
 *
 * 1. One unit ends the key and the first of the others. Stop here: it gives nothing any more, and asking again ends the rest.
 * @throws Fault NOT_FOUND
 */
export async function revokeApiKey(
  deps: ApiKeyDeps,
  permit: Permit,
  request: { readonly id: string },
): Promise<ApiKeyView> {
  const realm = realmOf(permit);
  for (let slice = 0; slice < SLICES; slice++) {
    const outcome = await deps.work.run(permit, (tx) =>
      revokeSlice(deps, tx, { realm, permit, id: request.id }),
    );
    if ('refused' in outcome) throw outcome.refused;
    if (!outcome.more) return outcome.done;
  }
  throw new Fault(
    'CONFLICT',
    `the key ${request.id} is revoked, and some that end with it are not; revoke it again`,
  );
}

type Slice = { readonly refused: Fault } | { readonly done: ApiKeyView; readonly more: boolean };

function revokeSlice(
  deps: ApiKeyDeps,
  tx: Tx,
  { realm, permit, id }: { readonly realm: RealmId; readonly permit: Permit; readonly id: string },
): Slice {
  const before = findKey(tx.in(realm), id);
  if (before === undefined) return { refused: notFound(id) };
  const after = before.revokedAt === null ? end(deps, tx, { realm, before }) : before;
  const ending = endingWith(tx.in(realm), id);
  for (const key of ending.slice(0, SLICE)) end(deps, tx, { realm, before: key });
  const view = apiKeyView(after, deps.environmentOf(realm));
  const more = ending.length > SLICE;
  if (!more && (after !== before || ending.length > 0)) permit.remember(tx, view);
  return { done: view, more };
}

/** Living keys that end with a key, one more than a slice: its own, and those of the keys that ended with it before. */
function endingWith(reader: RealmReader, id: string): readonly ApiKey[] {
  const found: ApiKey[] = [];
  const makers = [id];
  for (let maker = makers.pop(); maker !== undefined && found.length <= SLICE; maker = makers.pop()) {
    for (const key of cascadingFrom(reader, maker)) {
      makers.push(key.id);
      if (key.revokedAt === null) found.push(key);
    }
  }
  return found;
}

function end(
  deps: ApiKeyDeps,
  tx: Tx,
  { realm, before }: { readonly realm: RealmId; readonly before: ApiKey },
): ApiKey {
  const ended = { previousSecretHash: null, previousValidUntil: null, revokedAt: tx.now, updatedAt: tx.now };
  const after: ApiKey = { ...before, ...ended, version: before.version + 1 };
  changeKey(tx, deps.proven, { realm, before, after });
  const target = { kind: 'api-key', id: after.id };
  const [was, is] = [apiKeyDecides(before), apiKeyDecides(after)];
  append(tx, { action: 'api_key.revoked', target, before: was, after: is });
  const view = apiKeyView(after, deps.environmentOf(realm));
  deps.outbox.emit(tx, { type: 'key.revoked', realm, data: eventData(view) });
  return after;
}
