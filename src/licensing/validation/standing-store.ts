import type { EpochMs } from '../../lib/clock.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader } from '../../storage/tx.ts';

/** An entitlement that a licence holds, by itself or through its policy. */
export interface HeldEntitlementRow {
  readonly id: string;
  readonly code: string;
  readonly name: string;
  /** Sealed. */
  readonly metadata: Buffer | null;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
  /** null: as long as the licence. */
  readonly expiresAt: EpochMs | null;
}

const COLUMNS = [
  'e.id as id',
  'e.code as code',
  'e.name as name',
  'e.metadata as metadata',
  'e.created_at as createdAt',
  'e.updated_at as updatedAt',
] as const;

const HELD = statement<{ licenseId: string; policyId: string }>()((db, p) =>
  db
    .selectFrom('license_entitlements as le')
    .innerJoin('entitlements as e', (join) =>
      join.onRef('e.realm_id', '=', 'le.realm_id').onRef('e.id', '=', 'le.entitlement_id'),
    )
    .select([...COLUMNS, 'le.expires_at as expiresAt'])
    .where('le.realm_id', '=', p.realm)
    .where('le.license_id', '=', p.licenseId)
    .where('e.deleted_at', 'is', null)
    .unionAll(
      db
        .selectFrom('policy_entitlements as pe')
        .innerJoin('entitlements as e', (join) =>
          join.onRef('e.realm_id', '=', 'pe.realm_id').onRef('e.id', '=', 'pe.entitlement_id'),
        )
        // Of a living entitlement this is null: what a policy gives has no end of its own.
        .select([...COLUMNS, 'e.deleted_at as expiresAt'])
        .where('pe.realm_id', '=', p.realm)
        .where('pe.policy_id', '=', p.policyId)
        .where('e.deleted_at', 'is', null),
    ),
);

/** What a licence holds by itself and through its policy; an entitlement held both ways stands here twice. */
export function heldEntitlements(
  reader: RealmReader,
  of: { readonly licenseId: string; readonly policyId: string },
): HeldEntitlementRow[] {
  return reader.all(HELD, { licenseId: of.licenseId, policyId: of.policyId });
}
