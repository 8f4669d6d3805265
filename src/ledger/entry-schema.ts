import { z } from 'zod';

const HEX_OF_32_BYTES = /^[0-9a-f]{64}$/;
const digest = z.string().regex(HEX_OF_32_BYTES);

/** A ledger entry as the API shows it, for the OpenAPI document. */
export const entryAnswer = z.strictObject({
  v: z.literal(1),
  index: z.number().int().meta({ description: 'Place in the ledger of the appliance.' }),
  at: z.iso.datetime(),
  salt: z.string().regex(/^[0-9a-f]{32}$/),
  realm: z.string().meta({ description: '`<tenant id>/<environment>`' }),
  actor: z.strictObject({ kind: z.string(), id: z.string(), via: z.string() }),
  action: z.string().meta({ description: '`<noun>.<verb>`' }),
  target: z.strictObject({ kind: z.string(), id: z.string() }),
  outcome: z.enum(['done', 'refused']),
  requestId: z.string(),
  before: digest.optional().meta({ description: 'Digest of the deciding columns before the change.' }),
  after: digest.optional().meta({ description: 'Digest of the deciding columns after the change.' }),
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
  private: digest.optional().meta({ description: 'Commitment to what is kept sealed beside the entry.' }),
  leafHash: digest.meta({
    description: 'Hash of the leaf: SHA-256 over a zero byte and the RFC 8785 form of all other members.',
  }),
});
