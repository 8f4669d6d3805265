import { z } from 'zod';
import { licenseAnswer, licenseInput } from '../licenses/license-schema.ts';

/** Licences of one request: more would hold the event loop, and the answer, for too long. */
export const BATCH_LIMIT = 1000;

/** Body of `POST /licenses/batch`: the same licence many times, or a list of licences. */
export const batchInput = z
  .strictObject({
    template: licenseInput
      .omit({ key: true })
      .optional()
      .meta({ description: 'What all licences are created from; with count' }),
    count: z.int().min(1).max(BATCH_LIMIT).optional(),
    items: z
      .array(licenseInput)
      .min(1)
      .max(BATCH_LIMIT)
      .optional()
      .meta({ description: 'One licence each; instead of template and count' }),
    events: z
      .enum(['batch', 'each'])
      .default('batch')
      .meta({ description: 'batch: license.batch_created with the ids; each: license.created for each' }),
  })
  .refine(({ template, count }) => (template === undefined) === (count === undefined), {
    message: 'template and count go together',
  })
  .refine(({ template, items }) => (template === undefined) !== (items === undefined), {
    message: 'template with count, or items: one of them',
  });

/** What `POST /licenses/batch` takes. */
export type BatchInput = z.infer<typeof batchInput>;

/** The answer: everything that was created, in the order of the request, each key in full. */
export const batchAnswer = z.strictObject({
  id: z.string().meta({ description: 'Names the batch in its events and ledger entries' }),
  count: z.int(),
  licenses: z.array(licenseAnswer),
});

/** What is kept for a repeated request. */
export const storedBatch = z.object({ data: z.object({ id: z.string(), licenseIds: z.array(z.string()) }) });
