import { z } from 'zod';
import { TIERS } from '../api-keys/api-key.ts';

const LIMIT_MAX = 1_000_000_000;
const CONTACT_CHARACTERS = 1000;

const name = z.string().min(1).max(255);
const limit = z.int().min(0).max(LIMIT_MAX).nullable();
const maxLicenses = limit.meta({ description: 'Living licences in each environment.' });
const maxMachines = limit.meta({ description: 'Living machines in each environment.' });
const maxFilesPerDay = limit.meta({ description: 'Files issued in each environment on a day (UTC).' });
const maxRecords = limit.meta({
  description:
    'Records kept of each environment: licences, machines, files, events, entries of the ledger, products, policies, entitlements and API keys.',
});
const contact = z.string().min(1).max(CONTACT_CHARACTERS).nullable().meta({ description: 'Whom to tell.' });

/** Body of `POST /tenants`. */
export const tenantInput = z.strictObject({
  code: z.string().regex(/^[A-Za-z0-9_-]{1,50}$/, 'must be 1 to 50 letters, digits, underscores and dashes'),
  name,
  tier: z.enum(TIERS).default('standard'),
  maxLicenses: maxLicenses.default(null),
  maxMachines: maxMachines.default(null),
  maxFilesPerDay: maxFilesPerDay.default(null),
  maxRecords: maxRecords.default(null),
  contact: contact.default(null),
});

/** Body of `PATCH /tenants/{id}`; the code is fixed. */
export const tenantPatch = z.strictObject({
  name: name.optional(),
  status: z.enum(['active', 'suspended']).optional(),
  tier: z.enum(TIERS).optional(),
  maxLicenses: maxLicenses.optional(),
  maxMachines: maxMachines.optional(),
  maxFilesPerDay: maxFilesPerDay.optional(),
  maxRecords: maxRecords.optional(),
  contact: contact.optional(),
});

const usage = z.strictObject({ licenses: z.int(), machines: z.int(), records: z.int() });

/** A tenant as it is answered. */
export const tenantAnswer = z.strictObject({
  id: z.string(),
  code: z.string(),
  name: z.string(),
  status: z.enum(['active', 'suspended', 'erased']),
  tier: z.enum(TIERS),
  maxLicenses: z.int().nullable(),
  maxMachines: z.int().nullable(),
  maxFilesPerDay: z.int().nullable(),
  maxRecords: z.int().nullable(),
  usage: z.strictObject({ live: usage, test: usage }).meta({ description: 'What it has now.' }),
  contact: z.string().nullable(),
  roots: z.array(z.string()),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});

/** `{id}` of a path. */
export const tenantParams = z.strictObject({ id: z.string().regex(/^ten_[0-9A-HJKMNP-TV-Z]{26}$/) });
