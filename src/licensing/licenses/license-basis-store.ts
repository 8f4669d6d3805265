import { statement } from '../../storage/statement.ts';
import type { RealmReader } from '../../storage/tx.ts';

/** What a licence is issued under: a living policy and its living product, with their versions. */
export interface IssueBasis {
  readonly policyId: string;
  readonly policyVersion: number;
  readonly productId: string;
  readonly productVersion: number;
  readonly keyPrefix: string;
  /** Keys by which its licences are indexed: a JSON list. */
  readonly indexedMetadata: string;
}

const BASIS = statement<{ policyId: string }>()((db, p) =>
  db
    .selectFrom('policies as pol')
    .innerJoin('products as prod', (join) =>
      join.onRef('prod.realm_id', '=', 'pol.realm_id').onRef('prod.id', '=', 'pol.product_id'),
    )
    .select([
      'pol.id as policyId',
      'pol.version as policyVersion',
      'prod.id as productId',
      'prod.version as productVersion',
      'prod.key_prefix as keyPrefix',
      'prod.indexed_metadata as indexedMetadata',
    ])
    .where('pol.realm_id', '=', p.realm)
    .where('pol.id', '=', p.policyId)
    .where('pol.deleted_at', 'is', null)
    .where('prod.deleted_at', 'is', null),
);

/** The basis for licences under a policy; undefined when it does not live. */
export function findIssueBasis(reader: RealmReader, policyId: string): IssueBasis | undefined {
  return reader.get(BASIS, { policyId });
}

/** Whether what was prepared still rests on what is there. */
export function basisHolds(reader: RealmReader, relied: IssueBasis): boolean {
  const now = findIssueBasis(reader, relied.policyId);
  return now?.policyVersion === relied.policyVersion && now.productVersion === relied.productVersion;
}
