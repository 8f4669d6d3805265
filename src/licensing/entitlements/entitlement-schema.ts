import { z } from 'zod';
import { metadataSchema } from '../metadata.ts';
import { nameSchema, TIMESTAMPS, DELETED_AT } from '../schema.ts';

/** Code of an entitlement, as files and answers name it. */
export const entitlementCode = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_.:-]{0,99}$/,
    'must be 1 to 100 lower-case letters, digits, and . _ : - after the first',
  )
  .meta({ description: 'Lower case, unique in the realm, fixed' });

/** Body of `POST /entitlements`. */
export const entitlementInput = z.strictObject({
  code: entitlementCode,
  name: nameSchema.optional().meta({ description: 'Default: the code' }),
  metadata: metadataSchema.optional(),
});

/** What `POST /entitlements` takes. */
export type EntitlementInput = z.infer<typeof entitlementInput>;

/** Body of `PATCH /entitlements/{id}`: `code` is fixed. */
export const entitlementPatch = entitlementInput.omit({ code: true });

/** What `PATCH /entitlements/{id}` takes. */
export type EntitlementPatch = z.infer<typeof entitlementPatch>;

/** An entitlement in an answer. */
export const entitlementAnswer = z.strictObject({
  id: z.string(),
  code: z.string(),
  name: z.string(),
  metadata: z.record(z.string(), z.unknown()),
  ...TIMESTAMPS,
  ...DELETED_AT,
});
