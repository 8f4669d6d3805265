import { inState, type SigningKey } from '../../custody/index.ts';
import { Fault } from '../../faults.ts';
import { productsOfKey } from '../../licensing/index.ts';
import type { RealmReader } from '../../storage/tx.ts';
import { changeKeys, type KeyCaller, type KeyDeps } from './change-keys.ts';
import { type ChangedKey, changedKey } from './changed-keys.ts';
import { type NamedKey, requireKey } from './key-plans.ts';

/** What retiring a key needs. */
export interface RetireKeyDeps extends KeyDeps {
  /** Whether a checkpoint has carried the signatures of both ledger keys since the last one was rotated. */
  readonly ledgerHandedOver: () => boolean;
}

/**
 * Ends a key that no longer signs (or takes back one that was only announced): what it signed until now stays valid.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED; CONFLICT when products name it, or it is needed for the ledger's next checkpoint; as
 *   `changeKeys`
 */
export async function retireKey(
  deps: RetireKeyDeps,
  caller: KeyCaller,
  request: NamedKey,
): Promise<ChangedKey> {
  const { tenantId } = requireKey(deps.keyring.list(), request, ['pending', 'retiring']);
  return changeKeys(deps, caller, {
    tenantId,
    plan: (keys, at) => {
      const key = requireKey(keys, request, ['pending', 'retiring']);
      requireUnused(deps, key);
      return { changed: [inState(key, 'retired', { now: at })] };
    },
    commit: (tx, changed) => {
      const done = changedKey(changed, request.kid);
      // Said again where it is true: a product may have been moved since.
      if (done.key.realm !== null) requireUnnamed(tx.in(done.key.realm), done.key);
      return done;
    },
  });
}

function requireUnused({ work, ledgerHandedOver }: RetireKeyDeps, key: SigningKey): void {
  if (key.realm !== null) requireUnnamed(work.read.in(key.realm), key);
  if (key.purpose === 'ledger' && !ledgerHandedOver()) {
    throw new Fault(
      'CONFLICT',
      `ledger key ${key.kid} has not handed over yet; wait for the next checkpoint`,
    );
  }
}

/** How many products a refusal names. */
const MAX_NAMED = 10;

function requireUnnamed(reader: RealmReader, { kid }: SigningKey): void {
  const products = productsOfKey(reader, kid);
  if (products.length === 0) return;
  const codes = products.slice(0, MAX_NAMED).map(({ code }) => code);
  const more = products.length > MAX_NAMED ? ` and ${String(products.length - MAX_NAMED)} more` : '';
  const named = `signing key ${kid} signs for ${codes.join(', ')}${more}`;
  throw new Fault('CONFLICT', `${named}; move them with product set-key first`);
}
