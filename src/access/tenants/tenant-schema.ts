import { z } from 'zod';
import { TIERS } from '../api-keys/api-key.ts';

const LIMIT_MAX = 1_000_000_000;
const CONTACT_CHARACTERS = 1000;

const name = z.string().min(1).max(255);
const limit = z.int().min(0).max(LIMIT_MAX).nullable();
const contact = z.string().min(1).max(CONTACT_CHARACTERS).nullable().meta({ description: 'Whom to tell.' });

/** Body of `POST /tenants`. */
export const tenantInput = z.strictObject({
  code: z.string().regex(/^[A-Za-z0-9_-]{1,50}$/, 'must be 1 to 50 letters, digits, underscores and dashes'),
  name,
  tier: z.enum(TIERS).default('standard'),
  maxLicenses: limit.default(null),
  maxMachines: limit.default(null),
  contact: contact.default(null),
});

/** Body of `PATCH /tenants/{id}`; the code is fixed. */
export const tenantPatch = z.strictObject({
  name: name.optional(),
  status: z.enum(['active', 'suspended']).optional(),
  tier: z.enum(TIERS).optional(),
  maxLicenses: limit.optional(),
  maxMachines: limit.optional(),
  contact: contact.optional(),
});

/** A tenant as it is answered. */
export const tenantAnswer = z.strictObject({
  id: z.string(),
  code: z.string(),
  name: z.string(),
  status: z.enum(['active', 'suspended', 'erased']),
  tier: z.enum(TIERS),
  maxLicenses: z.int().nullable(),
  maxMachines: z.int().nullable(),
  contact: z.string().nullable(),
  roots: z.array(z.string()),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});

/** `{id}` of a path. */
export const tenantParams = z.strictObject({ id: z.string().regex(/^ten_[0-9A-HJKMNP-TV-Z]{26}$/) });
