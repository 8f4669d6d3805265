import { present } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import type { Environment } from '../file-meta.ts';
import { tenantNamed } from '../publish-documents.ts';
import type { ListText } from './publish-list-texts.ts';
import type { RevocationLists } from './publish-lists.ts';

/** What giving out lists needs. */
export interface ListDocumentDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
  readonly revocationLists: Pick<RevocationLists, 'current' | 'text'>;
  /** The realm of a living tenant, by its code. */
  readonly realmByCode: (code: string, environment: Environment) => RealmId | undefined;
}

/** A list by its number, and the way to its text: who has the number already needs no text. */
export interface ListDocument {
  readonly number: number;
  /** Reads the text with its number, which may be a newer one by now. */
  readonly read: () => ListText;
}

/**
 * The revocation list of a tenant's environment, made anew if it is due.
 * @param asked `code` null: the only tenant there is
 * @throws Fault NOT_FOUND; of why the first list cannot be made
 */
export async function revocationListOf(
  deps: ListDocumentDeps,
  asked: { readonly code: string | null; readonly env: Environment },
): Promise<ListDocument> {
  const { code } = tenantNamed(deps, asked.code);
  const realm = present(deps.realmByCode(code, asked.env), 'a living tenant has both environments');
  const { number } = await deps.revocationLists.current(realm);
  return { number, read: () => deps.revocationLists.text(realm) };
}
