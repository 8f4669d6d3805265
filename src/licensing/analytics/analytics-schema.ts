import { z } from 'zod';
import { VALIDATION_CODES } from '../validation/decide.ts';

const count = z.int().min(0);

/** Answer of `GET /analytics`. */
export const analyticsAnswer = z.strictObject({
  asOf: z.iso.datetime(),
  licenses: z.strictObject({
    total: count,
    byStatus: z.strictObject({
      active: count,
      suspended: count,
      expired: count.meta({ description: 'Their time has come, whether or not that is written yet' }),
      revoked: count,
      banned: count,
    }),
  }),
  machines: z.strictObject({ total: count, alive: count, dead: count }),
  activations: z
    .array(z.strictObject({ date: z.iso.date(), count }))
    .meta({ description: 'The last 30 days (UTC), today last; machines removed since included' }),
  validations: z
    .strictObject({ total: count, byCode: z.record(z.enum(VALIDATION_CODES), count) })
    .meta({ description: 'Of the last 30 days' }),
  files: z.strictObject({ outstanding: count.meta({ description: 'Issued and not expired' }) }),
  seats: z.array(z.strictObject({ productId: z.string(), productCode: z.string(), used: count })).meta({
    description:
      'Of products that have been activated, most used first, at most 1000; seats held by files included',
  }),
});

/** What `GET /analytics` answers. */
export type AnalyticsView = z.infer<typeof analyticsAnswer>;
