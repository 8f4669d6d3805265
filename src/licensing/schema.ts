import { z } from 'zod';
import { type EpochMs, isoTime } from '../lib/clock.ts';

/** Members that every resource shows. */
export const TIMESTAMPS = {
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
};

/** `code` of products and policies: unique in the realm, fixed. */
export const codeSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,50}$/, 'must be 1 to 50 letters, digits, underscores and dashes');

/** A name that people read. */
export const nameSchema = z.string().min(1).max(255);

const ID_MAX = 64;
/** An id in a path or body; one that is not ours is simply not found. */
export const idSchema = z.string().min(1).max(ID_MAX);

/** `{id}` of a path. */
export const idParams = z.strictObject({ id: idSchema });

/** `If-Match`-guarded operations: the row versions the caller accepts; null: any. */
export interface Guarded {
  readonly versions: readonly number[] | null;
}

/** A resource as it is shown, with the row version of its entity tag. */
export interface Shown<View> {
  readonly view: View;
  readonly version: number;
}

/** Sort of a list by order of creation, as its cursors name it. */
export const NEWEST_FIRST = 'newest';

/** Shown of what is deleted and can still be restored; absent of what lives. */
export const DELETED_AT = { deletedAt: z.iso.datetime().optional() };

/** `deleted=true` of a list: what is deleted and can still be restored, for those who may restore it. */
export const DELETED_QUERY = {
  deleted: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional()
    .meta({ description: 'true: what is deleted and can still be restored; needs the scope to change it' }),
};

/** When something was deleted, as the API shows it; nothing of what lives. */
export function deletedShown(at: EpochMs | null): { readonly deletedAt?: string } {
  return at === null ? {} : { deletedAt: isoTime(at) };
}

/** A part of a list in order of creation: of the living, or of the deleted. */
export interface NounPage {
  readonly descending: boolean;
  readonly after: number;
  readonly limit: number;
  readonly deleted?: boolean;
}
