import type { Permit } from '../../access/index.ts';
import type { Indexer } from '../../custody/sealer.ts';
import { Fault } from '../../faults.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { whereLicenseKeyLeads } from '../licenses/license-directory-store.ts';

/** What finding a licence by its key needs. */
export interface FindByKeyDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
  readonly indexer: Indexer;
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
  const found = whereLicenseKeyLeads(deps.work.read, deps.indexer, asked.key);
  const here = found.find((license) => license.realm === realm);
  if (here !== undefined) return here.licenseId;
  await deps.unknownKey(asked.address, asked.key);
  throw new Fault('NOT_FOUND', 'there is no licence with this key');
}
