import type { LicenseKeys, Permit } from '../../access/index.ts';
import { Fault } from '../../faults.ts';
import { realmOf } from '../caller.ts';

/** What finding a licence by its key needs. */
export interface FindByKeyDeps {
  readonly licenseKeys: Pick<LicenseKeys, 'find'>;
  /** Charges the address with an unknown key, more if it is easily guessed. @throws Fault RATE_LIMITED after too many */
  readonly unknownKey: (address: string, typed: string) => void | Promise<void>;
}

/**
 * The licence that a key names in the caller's realm.
 * @throws Fault NOT_FOUND, RATE_LIMITED
 */
export async function licenseByKey(
  deps: FindByKeyDeps,
  permit: Permit,
  asked: { readonly key: string; readonly address: string },
): Promise<string> {
  const realm = realmOf(permit);
  const here = deps.licenseKeys.find(asked.key).places.find((license) => license.realm === realm);
  if (here !== undefined) return here.licenseId;
  await deps.unknownKey(asked.address, asked.key);
  throw new Fault('NOT_FOUND', 'there is no licence with this key');
}
