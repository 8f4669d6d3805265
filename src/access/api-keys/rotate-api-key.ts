import { Fault } from '../../faults.ts';
import { append } from '../../ledger/append.ts';
import { HOUR } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { Permit } from '../permit.ts';
import { type ApiKey, apiKeyDecides, apiKeyView } from './api-key.ts';
import { findKey } from './api-key-store.ts';
import { newApiKeyText, type NewApiKeyText } from './api-key-text.ts';
import { changeKey } from './change-key.ts';
import { type ApiKeyDeps, eventData, type ShownApiKey, storedText } from './create-api-key.ts';
import { giverOf, realmOf } from './giver.ts';
import { refuseWider } from './giving.ts';

/** How long the old secret goes on, when nobody says otherwise. */
export const DEFAULT_OVERLAP_HOURS = 24;

/** Which key gets a new secret, and how long the old one goes on. */
export interface RotateApiKey {
  readonly id: string;
  /** 0: not at all. */
  readonly overlapHours: number;
  /** The old secret got out: it dies at once, whatever the overlap. */
  readonly exposed: boolean;
}

/**
 * Gives a key a new secret; its id, and so its way into realm and row, stays. Only one old secret goes on at a time.
 * @throws Fault NOT_FOUND; CONFLICT when the key is revoked or expired; INSUFFICIENT_SCOPE, VALIDATION_FAILED when the
 *   key may do more than whoever asks: its new secret would be more than he has
 */
export async function rotateApiKey(
  deps: ApiKeyDeps,
  permit: Permit,
  request: RotateApiKey,
): Promise<ShownApiKey> {
  const realm = realmOf(permit);
  const outcome = await deps.work.run(permit, (tx) => {
    const before = findKey(tx.in(realm), request.id);
    if (before === undefined) return { refused: notFound(request.id) };
    const refused = refuseEnded(tx, before) ?? refuseWider(giverOf(tx.in(realm), permit), before);
    if (refused !== undefined) return { refused };
    const { kind, publicId } = before;
    const text = newApiKeyText({ kind, publicId, environment: deps.environmentOf(realm) }, deps.random);
    return { done: store(deps, tx, { realm, before, text, request, permit }) };
  });
  if ('refused' in outcome) throw outcome.refused;
  return outcome.done;
}

/** The fault for an id that this realm does not have. */
export function notFound(id: string): Fault {
  return new Fault('NOT_FOUND', `there is no API key ${id}`);
}

function refuseEnded(tx: Tx, key: ApiKey): Fault | undefined {
  if (key.revokedAt !== null) return new Fault('CONFLICT', 'the key is revoked; make a new one');
  if (key.expiresAt !== null && key.expiresAt <= tx.now) {
    return new Fault('CONFLICT', 'the key has expired; make a new one');
  }
  return undefined;
}

function store(
  deps: ApiKeyDeps,
  tx: Tx,
  given: {
    readonly realm: RealmId;
    readonly before: ApiKey;
    readonly text: NewApiKeyText;
    readonly request: RotateApiKey;
    readonly permit: Permit;
  },
): ShownApiKey {
  const { realm, before, text, request, permit } = given;
  const overlapHours = request.exposed ? 0 : request.overlapHours;
  const after: ApiKey = {
    ...before,
    ...storedText(deps.indexer, text),
    previousSecretHash: overlapHours > 0 ? before.secretHash : null,
    previousValidUntil: overlapHours > 0 ? tx.now + overlapHours * HOUR : null,
    rotatedAt: tx.now,
    updatedAt: tx.now,
    version: before.version + 1,
  };
  changeKey(tx, deps.proven, { realm, before, after });
  append(tx, {
    action: 'api_key.rotated',
    target: { kind: 'api-key', id: after.id },
    before: apiKeyDecides(before),
    after: apiKeyDecides(after),
    facts: { overlapHours, exposed: request.exposed },
  });
  const view = apiKeyView(after, text.environment);
  deps.outbox.emit(tx, { type: 'key.rotated', realm, data: eventData(view) });
  const shown: ShownApiKey = { view, text: text.text };
  permit.remember(tx, shown);
  return shown;
}
