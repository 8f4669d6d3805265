import { z } from 'zod';
import { metadataSchema } from '../metadata.ts';
import { codeSchema, nameSchema, TIMESTAMPS } from '../schema.ts';

const DESCRIPTION_MAX = 1000;
/** Prefix of licence keys when a product names none. */
export const DEFAULT_KEY_PREFIX = 'LIC';

const description = z.string().max(DESCRIPTION_MAX).nullable();
const keyPrefix = z
  .string()
  .regex(/^[A-Z]{2,10}$/, '2 to 10 upper-case letters')
  .meta({ description: 'First part of the licence keys of this product' });

/** Body of `POST /products`. */
export const productInput = z.strictObject({
  name: nameSchema,
  code: codeSchema,
  description: description.optional(),
  keyPrefix: keyPrefix.optional(),
  metadata: metadataSchema.optional(),
});

/** What `POST /products` takes. */
export type ProductInput = z.infer<typeof productInput>;

/** Body of `PATCH /products/{id}`: `code` is fixed. */
export const productPatch = productInput.omit({ code: true }).partial();

/** What `PATCH /products/{id}` takes. */
export type ProductPatch = z.infer<typeof productPatch>;

/** A product in an answer. */
export const productAnswer = z.strictObject({
  id: z.string(),
  code: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  keyPrefix: z.string(),
  signingKid: z.string().meta({ description: 'kid of the key that signs its files' }),
  metadata: z.record(z.string(), z.unknown()),
  ...TIMESTAMPS,
});
