import { append } from '../../ledger/append.ts';
import type { Permit } from '../permit.ts';
import { type ApiKey, apiKeyDecides, apiKeyView, type ApiKeyView } from './api-key.ts';
import { findKey } from './api-key-store.ts';
import { changeKey } from './change-key.ts';
import { type ApiKeyDeps, eventData } from './create-api-key.ts';
import { realmOf } from './giver.ts';
import { notFound } from './rotate-api-key.ts';

/**
 * Ends a key at once, both its secrets. A key that is revoked already stays as it is: whoever asks gets what he wants.
 * @throws Fault NOT_FOUND
 */
export async function revokeApiKey(
  deps: ApiKeyDeps,
  permit: Permit,
  request: { readonly id: string },
): Promise<ApiKeyView> {
  const realm = realmOf(permit);
  const environment = deps.environmentOf(realm);
  const outcome = await deps.work.run(permit, (tx) => {
    const before = findKey(tx.in(realm), request.id);
    if (before === undefined) return { refused: notFound(request.id) };
    if (before.revokedAt !== null) return { done: apiKeyView(before, environment) };
    const ended = {
      previousSecretHash: null,
      previousValidUntil: null,
      revokedAt: tx.now,
      updatedAt: tx.now,
    };
    const after: ApiKey = { ...before, ...ended, version: before.version + 1 };
    changeKey(tx, deps.proven, { realm, before, after });
    const target = { kind: 'api-key', id: after.id };
    const [was, is] = [apiKeyDecides(before), apiKeyDecides(after)];
    append(tx, { action: 'api_key.revoked', target, before: was, after: is });
    const view = apiKeyView(after, environment);
    deps.outbox.emit(tx, { type: 'key.revoked', realm, data: eventData(view) });
    permit.remember(tx, view);
    return { done: view };
  });
  if ('refused' in outcome) throw outcome.refused;
  return outcome.done;
}
