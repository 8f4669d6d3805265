import { z } from 'zod';
import { API_KEY_SCOPES } from '../scopes.ts';
import { parseCidr } from '../cidr.ts';
import { TIERS } from './api-key.ts';

const CIDRS = 64;
const NAME_CHARACTERS = 255;
/** A key for more products than these is a key for all. */
const PRODUCTS = 25;
/** Beyond a billion a day nobody counts. */
const ISSUE_LIMIT_MAX = 1_000_000_000;
/** A week: a secret that is never replaced is not rotated. */
const OVERLAP_HOURS_MAX = 168;

const time = z.iso.datetime({ offset: true }).meta({ description: 'ISO 8601 with zone.' });
const cidr = z
  .string()
  .max(64)
  .refine((text) => parseCidr(text) !== undefined, 'must be an address or a range such as 10.20.0.0/16');

const limit = z.int().min(0).max(ISSUE_LIMIT_MAX).nullable().optional();
const products = z
  .array(z.string().regex(/^prod_[0-9A-HJKMNP-TV-Z]{26}$/))
  .max(PRODUCTS)
  .refine((ids) => new Set(ids).size === ids.length, 'must name each product once')
  .optional()
  .meta({ description: 'Ids of the products it may see and touch; none: all.' });

/** Body of `POST /api-keys`. */
export const apiKeyInput = z
  .strictObject({
    name: z.string().min(1).max(NAME_CHARACTERS).meta({ description: 'What it is for.' }),
    kind: z.enum(['sk', 'pk']).default('sk').meta({ description: 'Secret, or publishable.' }),
    scopes: z.array(z.enum(API_KEY_SCOPES)).max(API_KEY_SCOPES.length).default([]).meta({
      description: 'What a secret key may do; a publishable key has fixed abilities and none of these.',
    }),
    allowedCidrs: z
      .array(cidr)
      .max(CIDRS)
      .optional()
      .meta({ description: 'Addresses it may come from; none: any.' }),
    expiresAt: time.nullable().optional(),
    tier: z.enum(TIERS).optional(),
    issueLimitPerDay: limit.meta({
      description: 'Licences, files and imports a day; null (local operator only): no limit.',
    }),
    issueLimitTotal: limit.meta({ description: 'Licences, files and imports in all; null: no limit.' }),
    allowedProducts: products,
    cascade: z.boolean().default(false).meta({ description: 'Whether it ends with the key that makes it.' }),
  })
  .refine(({ kind, scopes }) => kind === 'sk' || scopes.length === 0, {
    path: ['scopes'],
    message: 'must be left out: a publishable key has fixed abilities',
  })
  .refine(({ kind, scopes }) => kind === 'pk' || scopes.length > 0, {
    path: ['scopes'],
    message: 'must name at least one: a secret key without scopes may do nothing',
  });

/** Body of `PATCH /api-keys/{id}`; what is left out stays. */
export const apiKeyPatch = z.strictObject({
  name: z.string().min(1).max(NAME_CHARACTERS).optional(),
  scopes: z.array(z.enum(API_KEY_SCOPES)).max(API_KEY_SCOPES.length).optional(),
  allowedCidrs: z.array(cidr).max(CIDRS).optional(),
  expiresAt: time.nullable().optional(),
  tier: z.enum(TIERS).optional().meta({ description: 'Raised by the local operator only.' }),
  issueLimitPerDay: limit.meta({ description: 'Raised by the local operator only; null: no limit.' }),
  issueLimitTotal: limit.meta({ description: 'Raised by the local operator only; null: no limit.' }),
  allowedProducts: products,
  cascade: z.boolean().optional(),
});

/** Body of `POST /api-keys/{id}/rotate`. */
export const rotateInput = z.strictObject({
  overlapHours: z.int().min(0).max(OVERLAP_HOURS_MAX).optional().meta({
    description: 'How long the old secret goes on; 24 when left out.',
  }),
  exposed: z.boolean().default(false).meta({ description: 'The old secret got out: it dies at once.' }),
});

/** A key as it is answered. */
export const apiKeyAnswer = z.strictObject({
  id: z.string(),
  kind: z.enum(['sk', 'pk']),
  environment: z.enum(['live', 'test']),
  name: z.string(),
  masked: z.string(),
  scopes: z.array(z.string()),
  allowedCidrs: z.array(z.string()),
  tier: z.enum(TIERS),
  issueLimitPerDay: z.int().nullable(),
  issueLimitTotal: z.int().nullable(),
  allowedProducts: z.array(z.string()),
  createdBy: z.string(),
  cascade: z.boolean(),
  expiresAt: z.iso.datetime().nullable(),
  revokedAt: z.iso.datetime().nullable(),
  rotatedAt: z.iso.datetime(),
  previousValidUntil: z.iso.datetime().nullable(),
  lastUsedAt: z.iso.datetime().nullable(),
  lastUsedFrom: z.string().nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});

/** A key with its text: shown once, and null in the answer to a repeated request. */
export const shownApiKeyAnswer = apiKeyAnswer.extend({
  key: z.string().nullable(),
  secretShown: z.boolean().optional(),
});

/** `{id}` of a path. */
export const apiKeyParams = z.strictObject({ id: z.string().regex(/^key_[0-9A-HJKMNP-TV-Z]{26}$/) });
