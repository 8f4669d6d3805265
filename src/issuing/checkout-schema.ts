import { z } from 'zod';
import { componentsSchema, fingerprintSchema, userEmailSchema } from '../licensing/index.ts';
import { BOUNDS } from './checkout-terms.ts';

const TTL_MAX_SECONDS = 3650 * 86_400;

const options = {
  ttlSeconds: z.int().min(1).max(TTL_MAX_SECONDS).optional().meta({
    description: 'How long the file is good: 3600 up to the policy’s offlineMaxDays; default 14 days or that',
  }),
  include: z
    .array(z.enum(['entitlements', 'license']))
    .max(2)
    .optional()
    .meta({ description: 'Resources to include; both always are, where they apply' }),
  format: z.enum(['file', 'jwt']).optional().meta({
    description: '`jwt`: a compact token (a JWT) instead of a file; it is never encrypted, and shows no key',
  }),
  encrypt: z.boolean().optional().meta({
    description: 'Default true; false needs the scope licenses:checkout-plain. Not with `jwt`',
  }),
};

/** Body of `POST /machines/{id}/checkout`. */
export const machineCheckoutInput = z.strictObject(options);

/** What checking out takes, whatever for. */
export type CheckoutInput = z.infer<typeof machineCheckoutInput>;

/** Body of `POST /licenses/{id}/checkout`: with a fingerprint it gives a machine file. */
export const licenseCheckoutInput = z.strictObject({
  ...options,
  fingerprint: fingerprintSchema.optional(),
  components: componentsSchema.optional(),
  userEmail: userEmailSchema.optional(),
});

/** Body of `POST /licenses/{id}/signed-key`. */
export const signedKeyInput = z.strictObject({ ttlSeconds: options.ttlSeconds });

const issued = {
  algorithm: z.string(),
  kid: z.string(),
  issuedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  fileId: z.string(),
  licenseId: z.string(),
  bound: z.enum(BOUNDS).meta({ description: 'What decided expiresAt' }),
};

/** Answer of both checkouts. */
export const checkoutAnswer = z.strictObject({
  certificate: z.string().meta({ description: 'The file, or the token, as it is to be stored' }),
  ...issued,
  machineId: z.string().nullable(),
  binding: z
    .strictObject({
      mode: z.enum(['exact']),
      fingerprint: z.string().meta({ description: 'The one the machine was activated with' }),
    })
    .nullable()
    .meta({ description: 'What the file opens with; null for a licence file' }),
});

/** Answer of the signed key. */
export const signedKeyAnswer = z.strictObject({
  signedKey: z.string().meta({ description: 'key/<data>.<signature>: one line' }),
  ...issued,
});

/** A file in a list. */
export const fileAnswer = z.strictObject({
  id: z.string(),
  kind: z.enum(['license', 'machine', 'token', 'signed-key']),
  licenseId: z.string(),
  machineId: z.string().nullable(),
  kid: z.string(),
  branch: z.string(),
  seq: z.int(),
  digest: z
    .string()
    .meta({ description: 'SHA-256 of `enc`, or of the signed text of a token or key; hexadecimal' }),
  issuedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
