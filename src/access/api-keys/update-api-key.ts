import { Fault } from '../../faults.ts';
import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { saysTheSame } from '../says-the-same.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Permit } from '../permit.ts';
import type { Scope } from '../scopes.ts';
import { type ApiKey, apiKeyDecides, apiKeyView, type ApiKeyView, type Tier, TIERS } from './api-key.ts';
import { findKey } from './api-key-store.ts';
import { changeKey } from './change-key.ts';
import { type ApiKeyDeps, eventData } from './create-api-key.ts';
import { giverOf, realmOf } from './giver.ts';
import { type Giver, isAbove, refuseWider } from './giving.ts';
import { notFound } from './rotate-api-key.ts';

/** What to change; members that are absent stay. */
export interface ApiKeyChange {
  readonly name?: string | undefined;
  readonly scopes?: readonly Scope[] | undefined;
  readonly allowedCidrs?: readonly string[] | undefined;
  readonly expiresAt?: EpochMs | null | undefined;
  readonly tier?: Tier | undefined;
  readonly issueLimitPerDay?: number | null | undefined;
  readonly issueLimitTotal?: number | null | undefined;
  readonly allowedProducts?: readonly string[] | undefined;
  readonly cascade?: boolean | undefined;
}

/** Which key, which versions of it the caller accepts (null: any), and what to change. */
export interface UpdateApiKey {
  readonly id: string;
  readonly versions: readonly number[] | null;
  readonly change: ApiKeyChange;
}

/** A key with the row version of its entity tag. */
export interface ChangedApiKey {
  readonly view: ApiKeyView;
  readonly version: number;
}

/**
 * Changes what a key may do, from the commit on. Nobody gives what he does not have, before or after; how much a key may ask
 * for and issue is raised by the local operator alone.
 * @throws Fault NOT_FOUND; PRECONDITION_FAILED; CONFLICT when the key is revoked; INSUFFICIENT_SCOPE, VALIDATION_FAILED,
 *   OPERATOR_ONLY
 */
export async function updateApiKey(
  deps: ApiKeyDeps,
  permit: Permit,
  request: UpdateApiKey,
): Promise<ChangedApiKey> {
  const realm = realmOf(permit);
  const outcome = await deps.work.run(permit, (tx) => {
    const before = findKey(tx.in(realm), request.id);
    if (before === undefined) return { refused: notFound(request.id) };
    const after = changed(before, request.change, tx.now);
    const refused = refuseChange(giverOf(tx.in(realm), permit), { before, after }, request);
    if (refused !== undefined) return { refused };
    if (saysTheSame(before, after)) return { done: shownKey(deps, realm, before) };
    changeKey(tx, deps.proven, { realm, before, after });
    const target = { kind: 'api-key', id: after.id };
    const [was, is] = [apiKeyDecides(before), apiKeyDecides(after)];
    append(tx, { action: 'api_key.updated', target, before: was, after: is });
    const done = shownKey(deps, realm, after);
    deps.outbox.emit(tx, { type: 'key.updated', realm, data: eventData(done.view) });
    return { done };
  });
  if ('refused' in outcome) throw outcome.refused;
  return outcome.done;
}

function shownKey(deps: ApiKeyDeps, realm: RealmId, key: ApiKey): ChangedApiKey {
  return { view: apiKeyView(key, deps.environmentOf(realm)), version: key.version };
}

function changed(before: ApiKey, change: ApiKeyChange, now: EpochMs): ApiKey {
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  return { ...before, ...Object.fromEntries(given), updatedAt: now, version: before.version + 1 };
}

function refuseChange(
  giver: Giver,
  { before, after }: { readonly before: ApiKey; readonly after: ApiKey },
  { versions }: UpdateApiKey,
): Fault | undefined {
  if (versions?.includes(before.version) === false) {
    return new Fault('PRECONDITION_FAILED', `API key ${before.id} has changed since it was read`);
  }
  if (before.revokedAt !== null) return new Fault('CONFLICT', 'the key is revoked; make a new one');
  const unfit = refuseUnfit(after);
  if (unfit !== undefined) return unfit;
  // Who could not have made the key as it was must not change it: it is somebody else's.
  return refuseWider(giver, before) ?? refuseWider(giver, after) ?? refuseRaise(giver, before, after);
}

/** A secret key has scopes, a publishable one has fixed abilities. */
function refuseUnfit({ kind, scopes }: ApiKey): Fault | undefined {
  if ((kind === 'sk') === scopes.length > 0) return undefined;
  const message = kind === 'sk' ? 'must name at least one' : 'must be left out: the key is publishable';
  return new Fault('VALIDATION_FAILED', `scopes ${message}`, {
    errors: [{ path: 'scopes', code: 'CUSTOM', message }],
  });
}

function refuseRaise(giver: Giver, before: ApiKey, after: ApiKey): Fault | undefined {
  if (giver.operator) return undefined;
  const raised =
    TIERS.indexOf(after.tier) > TIERS.indexOf(before.tier) ||
    isAbove(after.issueLimitPerDay, before.issueLimitPerDay) ||
    isAbove(after.issueLimitTotal, before.issueLimitTotal);
  if (!raised) return undefined;
  return new Fault('OPERATOR_ONLY', 'tier and issue limits are raised by the local operator alone');
}
