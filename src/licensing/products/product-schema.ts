import { z } from 'zod';
import { metadataSchema } from '../metadata.ts';
import { codeSchema, nameSchema, TIMESTAMPS, DELETED_AT } from '../schema.ts';

const DESCRIPTION_MAX = 1000;
/** Prefix of licence keys when a product names none. */
export const DEFAULT_KEY_PREFIX = 'LIC';

const description = z.string().max(DESCRIPTION_MAX).nullable();
const keyPrefix = z
  .string()
  .regex(/^[A-Z]{2,10}$/, 'must be 2 to 10 upper-case letters')
  .meta({ description: 'First part of the licence keys of this product' });

/** A key that is indexed costs a row for each licence: a product names the few it is searched by. */
const INDEXED_MAX = 4;

/** A key of metadata that can be named in a query: `metadata.<key>`. */
export const metadataKey = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 letters, digits, underscores and dashes');

const indexedMetadata = z
  .array(metadataKey)
  .max(INDEXED_MAX)
  .refine((names) => new Set(names).size === names.length, 'must have each key once')
  .meta({ description: 'Keys of the metadata of its licences by which they can be listed' });

/** Body of `POST /products`. */
export const productInput = z.strictObject({
  name: nameSchema,
  code: codeSchema,
  description: description.optional(),
  keyPrefix: keyPrefix.optional(),
  metadata: metadataSchema.optional(),
  indexedMetadata: indexedMetadata.optional(),
});

/** What `POST /products` takes. */
export type ProductInput = z.infer<typeof productInput>;

/** Body of `PATCH /products/{id}`: `code` is fixed. */
export const productPatch = productInput.omit({ code: true }).partial();

/** What `PATCH /products/{id}` takes. */
export type ProductPatch = z.infer<typeof productPatch>;

/** Body of `POST /products/{id}/set-key`. */
export const productKey = z.strictObject({
  kid: z.string().regex(/^[A-Za-z0-9_-]{16}$/, 'must be the kid of a licence key'),
  iHaveShippedTheNewKey: z
    .literal(true)
    .meta({ description: 'That applications in use know the new key: by trust bundle, or compiled in' }),
});

/** A product in an answer. */
export const productAnswer = z.strictObject({
  id: z.string(),
  code: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  keyPrefix: z.string(),
  signingKid: z.string().meta({ description: 'kid of the key that signs its files' }),
  metadata: z.record(z.string(), z.unknown()),
  indexedMetadata: z.array(z.string()),
  metadataIndexing: z
    .array(z.string())
    .meta({ description: 'Of these, the keys by which not all licences are indexed yet' }),
  ...TIMESTAMPS,
  ...DELETED_AT,
});
