import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EpochMs } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import { HoldCount } from '../machines/sweep-hold.ts';
import type { Part } from './part.ts';

const DUE = statement<{ cutoff: EpochMs } & Part>()((db, p) =>
  db
    .selectFrom('machines')
    .select('id')
    .where('realm_id', '=', p.realm)
    .where('deleted_at', '<=', p.cutoff)
    .where('deleted_at', 'is not', null)
    .where('purged_at', 'is', null)
    .where('deleted_with_license', 'is', null)
    .orderBy('deleted_at')
    .limit(p.limit)
    .offset(p.skip),
);

const DUE_LICENSES = statement<{ cutoff: EpochMs; after: EpochMs; afterId: string; limit: number }>()(
  (db, p) =>
    db
      .selectFrom('machines')
      .select(['id', 'license_id as licenseId', 'deleted_at as deletedAt'])
      .where('realm_id', '=', p.realm)
      .where('deleted_at', '<=', p.cutoff)
      .where('deleted_at', '>=', p.after)
      .where((eb) => eb.or([eb('deleted_at', '>', p.after), eb('id', '>', p.afterId)]))
      .where('deleted_at', 'is not', null)
      .where('purged_at', 'is', null)
      .where('deleted_with_license', 'is', null)
      .orderBy('deleted_at')
      .orderBy('id')
      .limit(p.limit),
);

const UNBLANKED = statement<{ licenseId: string; limit: number }>()((db, p) =>
  db
    .selectFrom('machines')
    .select('id')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('deleted_at', 'is not', null)
    .where('purged_at', 'is', null)
    .limit(p.limit),
);

const OF_LICENSE = statement<{ licenseId: string; limit: number }>()((db, p) =>
  db
    .selectFrom('machines')
    .select('id')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('deleted_at', 'is not', null)
    .limit(p.limit),
);

/** A machine that holds a seat, or was ever given a file, is still spoken of: its files name it. */
const SPOKEN_OF = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('machines as m')
    .select('m.id')
    .where('m.realm_id', '=', p.realm)
    .where('m.id', '=', p.id)
    .where((eb) =>
      eb.or([
        eb('m.seat_held_until', 'is not', null),
        eb.exists(
          eb
            .selectFrom('issued_files as f')
            .select('f.seq')
            .whereRef('f.realm_id', '=', 'm.realm_id')
            .whereRef('f.license_id', '=', 'm.license_id')
            .whereRef('f.fingerprint_hash', '=', 'm.fingerprint_hash'),
        ),
      ]),
    ),
);

const BLANK = statement<{ id: string; nothing: Buffer; now: EpochMs }>()((db, p) =>
  db
    .updateTable('machines')
    .set((eb) => ({
      fingerprint_sealed: p.nothing,
      public_key: null,
      platform: null,
      cores: null,
      personal: null,
      purged_at: p.now,
      updated_at: p.now,
      version: eb('version', '+', 1),
    }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id),
);

/** Whose seat it was is needed as long as it holds one. */
const FORGET_USER = statement<{ id: string }>()((db, p) =>
  db
    .updateTable('machines')
    .set({ user_index: null })
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('seat_held_until', 'is', null),
);

const COMPONENTS = statement<{ id: string }>()((db, p) =>
  db.deleteFrom('machine_components').where('realm_id', '=', p.realm).where('machine_id', '=', p.id),
);

const USAGE = statement<{ id: string }>()((db, p) =>
  db.deleteFrom('machine_usage').where('realm_id', '=', p.realm).where('machine_id', '=', p.id),
);

const REMOVE = statement<{ id: string }>()((db, p) =>
  db.deleteFrom('machines').where('realm_id', '=', p.realm).where('id', '=', p.id),
);

const NOTHING = Buffer.alloc(0);

/** Machines removed by `cutoff` and not purged, the longest removed first; not those that went with their licence. */
export function dueMachines(reader: RealmReader, due: Part & { readonly cutoff: EpochMs }): string[] {
  return reader.all(DUE, due).map(({ id }) => id);
}

/** Machines read at a time to count them. */
const PAGE = 500;

/** Whether more than `most` machines removed by `cutoff` are due, of each licence only those that count towards a hold. */
export async function tooManyMachinesDue(
  reader: RealmReader,
  { cutoff, most }: { readonly cutoff: EpochMs; readonly most: number },
): Promise<boolean> {
  const count = new HoldCount();
  let place = { after: 0, afterId: '' };
  for (;;) {
    const page = reader.all(DUE_LICENSES, { cutoff, ...place, limit: PAGE });
    for (const { licenseId } of page) count.add(licenseId);
    const last = page.at(-1);
    if (count.counted > most) return true;
    if (last === undefined || page.length < PAGE) return false;
    place = { after: present(last.deletedAt, 'a removed machine was removed'), afterId: last.id };
    await nextTurn();
  }
}

/** Machines of a deleted licence: all, or those that still say something. */
export function machinesOfDeleted(
  reader: RealmReader,
  licenseId: string,
  asked: { readonly limit: number; readonly blanked: boolean },
): string[] {
  const { limit, blanked } = asked;
  return reader.all(blanked ? OF_LICENSE : UNBLANKED, { licenseId, limit }).map(({ id }) => id);
}

/** Whether a removed machine holds a seat, or files name it. */
export function isSpokenOf(reader: RealmReader, id: string): boolean {
  return reader.get(SPOKEN_OF, { id }) !== undefined;
}

/** Empties a machine: what is left is its id, its licence, its times and the keyed digest that its files bear. */
export function blankMachine(tx: RealmTx, id: string, now: EpochMs): void {
  tx.run(COMPONENTS, { id });
  tx.run(USAGE, { id });
  tx.run(BLANK, { id, nothing: NOTHING, now });
  tx.run(FORGET_USER, { id });
}

/** Deletes a machine that nothing names any more. */
export function removeMachineRow(tx: RealmTx, id: string): void {
  tx.run(COMPONENTS, { id });
  tx.run(USAGE, { id });
  tx.run(REMOVE, { id });
}
