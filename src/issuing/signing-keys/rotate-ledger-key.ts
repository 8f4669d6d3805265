import { Fault } from '../../faults.ts';
import { keyChangeFacts, LEDGER_KEY_CHANGED, ledgerVerifierKey } from '../../ledger/index.ts';
import { append } from '../../ledger/append.ts';
import { present } from '../../lib/invariant.ts';
import { changeKeys, type KeyCaller, type KeyDeps } from './change-keys.ts';
import { changedKey, type RotatedKey } from './changed-keys.ts';
import { makeSuccessor } from './generate-key.ts';
import { type NamedKey, replaced, requireKey } from './key-plans.ts';

/** What rotating the ledger key needs. */
export interface RotateLedgerDeps extends KeyDeps {
  /** `mintmark/<appliance id>`: the name that checkpoints are signed under. */
  readonly ledgerOrigin: string;
  /** Whether a checkpoint has carried the signatures of both keys since the last rotation. */
  readonly ledgerHandedOver: () => boolean;
}

/**
 * Gives the ledger another key. One entry names both; the first checkpoint that covers it is signed by both, before the answer, so
 * that the first key proves the second one (docs/formats/ledger.md). Stop between the commit and that checkpoint: the next one, at
 * the latest a minute after the start, is signed by both.
 * @throws Fault CONFLICT when the last rotation has not been signed yet; as `changeKeys`
 */
export async function rotateLedgerKey(
  deps: RotateLedgerDeps,
  caller: KeyCaller,
  request: NamedKey,
): Promise<RotatedKey> {
  requireHandedOver(deps);
  const old = requireKey(deps.keyring.list(), request, ['active']);
  const made = await makeSuccessor(deps, old);
  return changeKeys(deps, caller, {
    tenantId: null,
    plan: (keys, at) => {
      requireHandedOver(deps);
      return replaced(requireKey(keys, request, ['active']), made, { to: 'retiring', at });
    },
    commit: (tx, changed) => {
      const done = changedKey(changed, made.handle.kid);
      const [from, to] = [old, done.key].map((key) => ledgerVerifierKey(deps.ledgerOrigin, key.publicKey));
      append(tx, {
        realm: null,
        action: LEDGER_KEY_CHANGED,
        target: { kind: 'ledger-key', id: done.key.kid },
        facts: keyChangeFacts(present(from, 'the old key'), present(to, 'the new key')),
      });
      return { ...done, replaces: old.kid, products: [] };
    },
  });
}

function requireHandedOver({ ledgerHandedOver }: RotateLedgerDeps): void {
  if (ledgerHandedOver()) return;
  throw new Fault(
    'CONFLICT',
    'no checkpoint signed by both ledger keys stands since the last change; wait for it',
  );
}
