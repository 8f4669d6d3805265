import type { Indexer } from '../../custody/sealer.ts';
import type { Outbox } from '../../delivery/outbox.ts';
import { Fault } from '../../faults.ts';
import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { Secret } from '../../lib/secret.ts';
import { newId } from '../../lib/ulid.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import type { Permit } from '../permit.ts';
import { type ApiKey, apiKeyDecides, apiKeyView, type ApiKeyView } from './api-key.ts';
import { insertKey, secretDigest } from './api-key-store.ts';
import { type ApiKeyKind, type KeyEnvironment, newApiKeyText, type NewApiKeyText } from './api-key-text.ts';
import { refuseFull, tenantRoom } from '../tenants/tenant-room-store.ts';
import { giverOf, realmOf } from './giver.ts';
import type { ProvenKeys } from './proven-keys.ts';
import { type Authority, authorityFor, refuseWider, type Wanted } from './giving.ts';

/** What making a key inside a unit needs. */
export interface MakeApiKeyDeps {
  readonly indexer: Indexer;
  readonly random: Random;
  readonly outbox: Outbox;
}

/** What making and changing keys needs. */
export interface ApiKeyDeps extends MakeApiKeyDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
  /** Which environment a realm is. */
  readonly environmentOf: (realm: RealmId) => KeyEnvironment;
  /** What was proven of keys, to be forgotten when they change. */
  readonly proven: Pick<ProvenKeys, 'forget'>;
}

/** A key to be made. */
export interface CreateApiKey extends Wanted {
  readonly kind: ApiKeyKind;
  readonly name: string;
  /** Whether it ends with the key that makes it. */
  readonly cascade: boolean;
}

/** A key with its text, which is shown this once. */
export interface ShownApiKey {
  readonly view: ApiKeyView;
  readonly text: Secret;
}

/**
 * Makes a key.
 * @throws Fault INSUFFICIENT_SCOPE, VALIDATION_FAILED when more is asked for than the giver has; TENANT_LIMIT
 */
export async function createApiKey(
  deps: ApiKeyDeps,
  permit: Permit,
  request: CreateApiKey,
): Promise<ShownApiKey> {
  const realm = realmOf(permit);
  const environment = deps.environmentOf(realm);
  const outcome = await deps.work.run(permit, (tx) => {
    const giver = giverOf(tx.in(realm), permit);
    const authority = authorityFor(giver, request);
    const full = refuseFull(tenantRoom(tx.in(realm)));
    const refused = full?.refused ?? refuseWider(giver, authority) ?? refusePast(tx, authority.expiresAt);
    if (refused !== undefined) return { refused };
    const { kind, name, cascade } = request;
    const shown = makeApiKey(deps, tx, { realm, environment, kind, name, cascade, authority });
    permit.remember(tx, shown);
    return { done: shown };
  });
  if ('refused' in outcome) throw outcome.refused;
  return outcome.done;
}

/** A key as it is stored, once it is decided that it may be. */
export interface ApiKeyToMake {
  readonly realm: RealmId;
  readonly environment: KeyEnvironment;
  readonly kind: ApiKeyKind;
  readonly name: string;
  readonly cascade?: boolean;
  readonly authority: Authority;
}

/** Makes a key inside a unit, in the name of whoever runs it: row, directory, ledger entry, event. Asks nobody. */
export function makeApiKey(deps: MakeApiKeyDeps, tx: Tx, made: ApiKeyToMake): ShownApiKey {
  const { realm, environment, kind, name, cascade = false, authority } = made;
  const { actor } = tx.authority;
  const text = newApiKeyText({ kind, environment }, deps.random);
  const key: ApiKey = {
    id: newId('apiKey', tx.now, deps.random),
    ...{ kind, name, cascade, ...authority },
    ...storedText(deps.indexer, text),
    ...{ previousSecretHash: null, previousValidUntil: null },
    createdBy: `${actor.kind}:${actor.id}`,
    ...{ revokedAt: null, rotatedAt: tx.now, version: 1, createdAt: tx.now, updatedAt: tx.now },
  };
  insertKey(tx.in(realm), deps.indexer, key);
  append(tx, {
    realm,
    action: 'api_key.created',
    target: { kind: 'api-key', id: key.id },
    after: apiKeyDecides(key),
    facts: { kind, scopes: key.scopes.join(' '), expiresAt: key.expiresAt },
  });
  const view = apiKeyView(key, environment);
  deps.outbox.emit(tx, { type: 'key.created', realm, data: eventData(view) });
  return { view, text: text.text };
}

/** What is kept of a key's text: its id, a keyed digest of its secret, four characters to tell it by. */
export function storedText(
  indexer: Indexer,
  text: NewApiKeyText,
): Pick<ApiKey, 'publicId' | 'secretHash' | 'indexVersion' | 'lastFour'> {
  const { digest, version } = secretDigest(indexer, text.secret.expose());
  return { publicId: text.publicId, secretHash: digest, indexVersion: version, lastFour: text.lastFour };
}

function refusePast(tx: Tx, expiresAt: EpochMs | null): Fault | undefined {
  if (expiresAt === null || expiresAt > tx.now) return undefined;
  const message = 'must lie in the future';
  return new Fault('VALIDATION_FAILED', `expiresAt ${message}`, {
    errors: [{ path: 'expiresAt', code: 'IN_THE_PAST', message }],
  });
}

/** What events tell of a key. */
export function eventData(view: ApiKeyView): Parameters<Outbox['emit']>[1]['data'] {
  const { id, kind, environment, name, masked, tier, createdBy, expiresAt, revokedAt, rotatedAt } = view;
  const scopes = [...view.scopes];
  return { id, kind, environment, name, masked, scopes, tier, createdBy, expiresAt, revokedAt, rotatedAt };
}
