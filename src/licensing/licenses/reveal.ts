import type { Permit } from '../../access/index.ts';
import type { Sealer } from '../../custody/sealer.ts';
import { append } from '../../ledger/append.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { notFound, type Outcome, settle } from '../refusal.ts';
import { openLicenseKey, openPersonal } from './license-sealing.ts';
import { findLicense } from './license-store.ts';
import { licenseDecides } from './license-view.ts';

/** What was sealed, in clear. */
export interface RevealedLicense {
  readonly key: string;
  readonly userEmail: string | null;
  readonly userName: string | null;
}

/**
 * Shows a licence's key and person in clear. The ledger says who looked before anybody sees it.
 * @throws Fault NOT_FOUND; SEALED, KEY_STORAGE
 */
export async function revealLicense(
  deps: { readonly work: UnitOfWork; readonly sealer: Sealer },
  permit: Permit,
  id: string,
): Promise<RevealedLicense> {
  const realm = realmOf(permit);
  return settle(`licence ${id}`, () =>
    deps.work.run(permit, (tx): Outcome<RevealedLicense> => {
      const license = findLicense(tx.in(realm), id);
      if (license === undefined) return { refused: notFound('licence', id) };
      const { userEmail, userName } = openPersonal(deps.sealer, realm, license);
      const key = openLicenseKey(deps, realm, license);
      const decides = licenseDecides(license);
      const target = { kind: 'license', id };
      append(tx, { action: 'license.revealed', target, before: decides, after: decides });
      return { done: { key, userEmail, userName } };
    }),
  );
}
