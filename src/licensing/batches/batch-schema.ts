import { z } from 'zod';
import { licenseAnswer, licenseInput } from '../licenses/license-schema.ts';

/** Licences of one request: more would hold the event loop, and the answer, for too long. */
export const BATCH_LIMIT = 1000;
const DRY_RUN_MAX = 1_000_000_000;

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
    allowWeakKeys: z.boolean().optional().meta({
      description:
        'false: refuse imported keys that are too easily guessed; they are graded and kept otherwise',
    }),
    dryRun: z.boolean().optional().meta({
      description: 'true: answer 200 with everything that stands in the way, create nothing',
    }),
    dryRunAfter: z.int().min(0).max(DRY_RUN_MAX).optional().meta({
      description: 'With dryRun: count against limits as if so many licences had been created before',
    }),
  })
  .refine(({ template, count }) => (template === undefined) === (count === undefined), {
    message: 'template and count go together',
  })
  .refine(({ template, items }) => (template === undefined) !== (items === undefined), {
    message: 'template with count, or items: one of them',
  })
  .refine(({ dryRun, dryRunAfter }) => dryRunAfter === undefined || dryRun === true, {
    message: 'dryRunAfter goes with dryRun',
  });

/** What `POST /licenses/batch` takes. */
export type BatchInput = z.infer<typeof batchInput>;

/** The answer: everything that was created, in the order of the request, each key in full. */
export const batchAnswer = z.strictObject({
  id: z.string().meta({ description: 'Names the batch in its events and ledger entries' }),
  count: z.int(),
  licenses: z.array(licenseAnswer),
});

/** The answer to a dry run: what would be, without ids, since nothing was created. */
export const batchCheckAnswer = z.strictObject({
  dryRun: z.literal(true),
  count: z.int().meta({ description: 'Licences the request asks for' }),
  good: z.int().meta({ description: 'Those of them that nothing of their own stands in the way of' }),
  errors: z
    .array(z.strictObject({ path: z.string(), code: z.string(), message: z.string() }))
    .meta({ description: 'Everything in the way; `items.<index>.<field>`, or empty for the whole' }),
});

/** What is kept for a repeated request. */
export const storedBatch = z.object({ data: z.object({ id: z.string(), licenseIds: z.array(z.string()) }) });

/** What is kept for a repeated dry run: its answer. */
export const storedCheck = z.object({ data: batchCheckAnswer });
