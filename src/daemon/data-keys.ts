import type { Permit } from '../access/index.ts';
import { append } from '../ledger/index.ts';
import { type RealmId, SYSTEM_REALM } from '../storage/realm-scope.ts';
import { listRealms } from '../storage/realms.ts';
import type { Parts } from './parts.ts';

/** Which keys: those that seal values, or those that make keyed digests. */
export type RestKeyKind = 'data' | 'index';

/** A realm's data keys as an operator sees them. */
export interface DataKeyView {
  /** null: the appliance's own. */
  readonly tenant: string | null;
  readonly environment: string | null;
  readonly version: number;
  /** `warn` and worse: it is rotated by itself. */
  readonly state: string;
  readonly uses: number;
  /** Re-encryption under way; null: everything is under `version`. */
  readonly resealing: {
    readonly older: readonly number[];
    readonly columnsDone: number;
    readonly columns: number;
    readonly resealed: number;
    readonly unreadable: number;
  } | null;
}

/**
 * A new data or index key for a realm, in one unit. Data: values are sealed under it at once, and the job of resealing
 * follows. Index: digests are made under it at once, and look-ups try every version.
 * @throws Fault SEALED, DISK_FULL
 */
export function rotateRestKey(
  { work, custody }: Pick<Parts, 'work' | 'custody'>,
  permit: Permit,
  { kind, realm }: { readonly kind: RestKeyKind; readonly realm: RealmId },
): Promise<{ readonly version: number }> {
  const { actor, requestId } = permit;
  return work.run({ actor, requestId, realm: null }, (tx) => {
    const rotated = kind === 'data' ? custody.rotateDataKey(tx, realm) : custody.rotateIndexKey(tx, realm);
    const target = { kind: `${kind}_key`, id: String(rotated.version) };
    const owner = realm === SYSTEM_REALM ? null : realm;
    append(tx, { realm: owner, action: `${kind}_key.rotated`, target, after: { version: rotated.version } });
    return rotated;
  });
}

/** The data keys of every realm. */
export function listDataKeys({ work, custody, resealing }: Parts): DataKeyView[] {
  const names = new Map(listRealms(work.read).map((one) => [one.realm, one]));
  const progress = new Map(resealing.progress().map((one) => [one.realm, one]));
  return custody.dataKeyStatus().map(({ realm, version, state, reserved }) => {
    const name = realm === SYSTEM_REALM ? undefined : names.get(realm);
    const walk = progress.get(realm);
    return {
      tenant: name?.tenantCode ?? null,
      environment: name?.environment ?? null,
      ...{ version, state, uses: reserved },
      resealing:
        walk === undefined
          ? null
          : {
              older: walk.older,
              columnsDone: walk.columns.done,
              columns: walk.columns.of,
              resealed: walk.resealed,
              unreadable: walk.unreadable,
            },
    };
  });
}
