import { z } from 'zod';
import { metadataSchema } from '../metadata.ts';
import { DELETED_AT, DELETED_QUERY, idSchema, nameSchema, TIMESTAMPS } from '../schema.ts';
import { LICENSE_STATUSES } from './license.ts';

const COUNT_MAX = 1_000_000_000;
const DAYS_MAX = 36_500;
const ENTITLEMENTS_MAX = 100;
const KEY_MAX = 1024;
const EMAIL_MAX = 320;
const REASON_MAX = 1000;

const time = z.iso.datetime({ offset: true });
const limit = z.int().min(1).max(COUNT_MAX).nullable();
/** Isolated networks have mail domains without a dot. */
const userEmail = z
  .string()
  .max(EMAIL_MAX)
  .regex(/^[^\s@]+@[^\s@]+$/, 'must be an e-mail address');
/** A key as a person types it; what it must look like is said by its own rules. */
export const typedKey = z.string().min(1).max(KEY_MAX);

const PERSONAL = {
  name: nameSchema.nullable().optional(),
  userEmail: userEmail.nullable().optional(),
  userName: nameSchema.nullable().optional(),
  metadata: metadataSchema.optional(),
};
const OVERRIDES = {
  maxMachinesOverride: limit
    .optional()
    .meta({ description: 'Seats of this licence; null: as the policy says' }),
  maxUsesOverride: limit.optional().meta({ description: 'Uses of this licence; null: as the policy says' }),
};

/** Body of `POST /licenses`. */
export const licenseInput = z.strictObject({
  productId: idSchema,
  policyId: idSchema,
  key: typedKey.optional().meta({ description: 'An existing key to import; needs scope licenses:import' }),
  expiresAt: time.nullable().optional().meta({ description: 'Default: as the policy says; null: perpetual' }),
  entitlementIds: z.array(idSchema).max(ENTITLEMENTS_MAX).optional(),
  ownEntitlements: z
    .array(z.strictObject({ id: idSchema, expiresAt: time.nullable().optional() }))
    .max(ENTITLEMENTS_MAX)
    .optional()
    .meta({
      description: 'The same as entitlementIds, each until a time; null or none: as long as the licence',
    }),
  ...PERSONAL,
  ...OVERRIDES,
});

/** What `POST /licenses` takes. */
export type LicenseInput = z.infer<typeof licenseInput>;

/** Body of `PATCH /licenses/{id}`. */
export const licensePatch = z.strictObject({ ...PERSONAL, ...OVERRIDES });

/** What `PATCH /licenses/{id}` takes. */
export type LicensePatch = z.infer<typeof licensePatch>;

/** Filters of `GET /licenses` with a name of their own; `metadata.<key>` is one for every indexed key. */
export const LICENSE_FILTERS = {
  productId: idSchema.optional(),
  policyId: idSchema.optional(),
  status: z.enum(LICENSE_STATUSES).optional(),
  userEmail: userEmail.optional(),
  expiresBefore: time
    .optional()
    .meta({ description: 'Licences whose expiry is earlier; sorted by expiry when nothing else is said' }),
  ...DELETED_QUERY,
};

const reason = z.string().min(1).max(REASON_MAX);

/** Body of suspend and reinstate. */
export const optionalReason = z.strictObject({ reason: reason.optional() });

/** Body of revoke and ban. */
export const requiredReason = z.strictObject({ reason });

/** Body of renew: at most one of the two; neither: the duration of the policy. */
export const renewInput = z
  .strictObject({
    expiresAt: time.optional(),
    days: z.int().min(1).max(DAYS_MAX).optional(),
  })
  .refine((body) => body.expiresAt === undefined || body.days === undefined, {
    message: 'expiresAt or days, not both',
  });

/** What renew takes. */
export type RenewInput = z.infer<typeof renewInput>;

/** Body of transfer. */
export const transferInput = z.strictObject({
  policyId: idSchema,
  keepExpiry: z
    .boolean()
    .default(true)
    .meta({ description: 'false: the duration of the new policy begins now' }),
});

/** What transfer takes. */
export type TransferInput = z.infer<typeof transferInput>;

/** Body of `PUT /licenses/{id}/entitlements/{entitlementId}`. */
export const entitleInput = z.strictObject({ expiresAt: time.nullable().optional() });

/** Body of restore. */
export const restoreInput = z.strictObject({
  machines: z
    .boolean()
    .default(true)
    .meta({ description: 'false: without the machines it had; they can be activated again' }),
});

/** Body of lookup. */
export const lookupInput = z.strictObject({ key: typedKey });

/** A licence in an answer. */
export const licenseAnswer = z.strictObject({
  id: z.string(),
  productId: z.string(),
  policyId: z.string(),
  name: z.string().nullable(),
  key: z.string().nullable().meta({
    description: 'Masked; in full in the answer to create, null in a replay without the right to see it',
  }),
  weakKey: z.boolean().meta({ description: 'Too easily guessed to encrypt a file' }),
  status: z.enum(LICENSE_STATUSES),
  statusSince: z.iso.datetime(),
  expiresAt: z.iso.datetime().nullable(),
  startsOn: z.enum(['activation', 'validation']).nullable().meta({
    description: 'What its term waits for to begin, and expiresAt with it; null: it runs, or there is none',
  }),
  maxMachinesOverride: z.int().nullable(),
  maxUsesOverride: z.int().nullable(),
  userEmail: z.string().nullable(),
  userName: z.string().nullable(),
  entitlements: z
    .array(z.string())
    .meta({ description: 'Codes that hold now, of the licence or its policy' }),
  ownEntitlements: z
    .array(z.strictObject({ id: z.string(), code: z.string(), expiresAt: z.iso.datetime().nullable() }))
    .meta({ description: 'Those that the licence has itself, and until when; null: as long as the licence' }),
  metadata: z.record(z.string(), z.unknown()),
  machineCount: z.int(),
  usesCount: z.int(),
  lastValidatedAt: z.iso.datetime().nullable(),
  lastCheckedOutAt: z.iso.datetime().nullable(),
  ...TIMESTAMPS,
  ...DELETED_AT,
});

/** The answer of reveal. */
export const revealAnswer = z.strictObject({
  key: z.string(),
  userEmail: z.string().nullable(),
  userName: z.string().nullable(),
});
