import type { SigningKey } from '../../custody/index.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { changeKeys, type KeyCaller, type KeyDeps } from './change-keys.ts';
import { type ChangedKey, changedKey } from './changed-keys.ts';
import { activated, type NamedKey, requireConsequence, requireKey } from './key-plans.ts';

/** Which key is to sign. */
export interface ActivateKey extends NamedKey {
  /** The consequence, typed: needed before the key was published for long enough. */
  readonly confirm?: string | undefined;
}

/**
 * Has a pending key take its place; the one before it retires.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, CONFLICT, CONFIRMATION_REQUIRED before the key's `notBefore`; as `changeKeys`
 */
export async function activateKey(
  deps: KeyDeps,
  caller: KeyCaller,
  request: ActivateKey,
): Promise<ChangedKey> {
  const { tenantId } = requireKey(deps.keyring.list(), request, ['pending']);
  return changeKeys(deps, caller, {
    tenantId,
    plan: (keys, at) => {
      const key = requireKey(keys, request, ['pending']);
      if (isEarly(key, at)) requireConsequence(request.confirm);
      return activated(keys, key, at);
    },
    commit: (_, changed) => changedKey(changed, request.kid),
  });
}

function isEarly({ notBefore }: SigningKey, at: EpochMs): boolean {
  return at < notBefore;
}
