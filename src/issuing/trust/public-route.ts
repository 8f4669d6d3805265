import { z } from 'zod';
import type { Demand } from '../../access/index.ts';

const CODE_MAX = 50;

/** Whom documents are for that everybody verifies with. */
export const anybody: Demand = { scope: null, also: ['anonymous', 'publishable-key', 'license'] };

/** The tenant in a path. */
export const byCode = z.strictObject({ code: z.string().min(1).max(CODE_MAX) });

/** The environment in a query. */
export const environment = z.strictObject({ env: z.enum(['live', 'test']).default('live') });

/** Whether who asks has the document with this entity tag already (RFC 9110, section 13.1.2). */
export function isKnown(call: { header(name: string): string | undefined }, etag: string): boolean {
  const known = call.header('if-none-match')?.split(',') ?? [];
  return known.some((given) => given.trim().replace(/^W\//, '') === etag);
}
