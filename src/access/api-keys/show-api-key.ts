import type { Sealer } from '../../custody/sealer.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import type { Permit } from '../permit.ts';
import { type ApiKey, apiKeyView, type ApiKeyView } from './api-key.ts';
import { findKey, pageOfKeys, useOf } from './api-key-store.ts';
import type { KeyEnvironment } from './api-key-text.ts';
import { realmOf } from './giver.ts';
import { notFound } from './rotate-api-key.ts';

/** What showing keys needs. */
export interface ShowApiKeyDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
  readonly sealer: Pick<Sealer, 'open'>;
  readonly environmentOf: (realm: RealmId) => KeyEnvironment;
}

/** A key as shown, with the row version of its entity tag. */
export interface FoundApiKey {
  readonly seq: number;
  readonly view: ApiKeyView;
}

/** One key. @throws Fault NOT_FOUND */
export function showApiKey(
  deps: ShowApiKeyDeps,
  permit: Permit,
  request: { readonly id: string },
): { readonly view: ApiKeyView; readonly version: number } {
  const realm = realmOf(permit);
  const key = findKey(deps.work.read.in(realm), request.id);
  if (key === undefined) throw notFound(request.id);
  return { view: viewOf(deps, realm, key), version: key.version };
}

/** Keys of the realm, newest first, made before `before` (a sequence number). */
export function listApiKeys(
  deps: ShowApiKeyDeps,
  permit: Permit,
  page: { readonly before: number; readonly limit: number },
): FoundApiKey[] {
  const realm = realmOf(permit);
  const found = pageOfKeys(deps.work.read.in(realm), page);
  return found.map(({ seq, key }) => ({ seq, view: viewOf(deps, realm, key) }));
}

function viewOf(deps: ShowApiKeyDeps, realm: RealmId, key: ApiKey): ApiKeyView {
  const use = useOf(deps.work.read.in(realm), deps.sealer, { realm, id: key.id });
  return apiKeyView(key, deps.environmentOf(realm), use);
}
