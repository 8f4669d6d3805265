import { z } from 'zod';
import { EVENT_TYPES, EVENT_WILDCARDS } from './catalogue.ts';

/** Longest name that is looked up in the catalogue. */
const NAME_CHARACTERS = 64;

/**
 * The filter on the type of an event, as the OpenAPI document shows it. What it takes is looked at by the operation,
 * whose refusal has room for the list.
 */
export const eventFilter = z
  .string()
  .min(1)
  .max(NAME_CHARACTERS)
  .meta({
    description: 'An event of the catalogue, or a wildcard such as `license.*`.',
    enum: [...EVENT_TYPES, ...EVENT_WILDCARDS],
  });

/** An event as the API shows it: the body that its receivers get, and its place in commit order. */
export const eventAnswer = z.strictObject({
  position: z.number().int().meta({ description: 'Place in commit order; `after` of the next request.' }),
  id: z.string(),
  type: z.enum(EVENT_TYPES),
  timestamp: z.iso.datetime(),
  realm: z.strictObject({ tenant: z.string(), environment: z.enum(['live', 'test']) }),
  requestId: z.string(),
  data: z.record(z.string(), z.unknown()),
});
