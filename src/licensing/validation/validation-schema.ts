import { z } from 'zod';
import { typedKey } from '../licenses/license-schema.ts';
import { componentsSchema, fingerprintSchema } from '../machines/machine-schema.ts';
import { VALIDATION_CODES } from './decide.ts';

const ENTITLEMENTS_MAX = 100;
const CODE_MAX = 100;
const NONCE = /^[A-Za-z0-9_-]{16,64}$/;

const asked = {
  fingerprint: fingerprintSchema.optional(),
  components: componentsSchema.optional(),
  entitlements: z
    .array(z.string().min(1).max(CODE_MAX))
    .max(ENTITLEMENTS_MAX)
    .optional()
    .meta({ description: 'Codes that the caller needs' }),
  nonce: z.string().regex(NONCE).optional().meta({
    description:
      'Asks for a signed answer (RFC 9421); the request then needs the header Content-Digest: sha-256=:…: (RFC 9530)',
  }),
};

/** Body of `POST /licenses/{id}/validate`. */
export const validationInput = z.strictObject(asked);

/** What validating takes. */
export type ValidationInput = z.infer<typeof validationInput>;

/** Body of `POST /licenses/validate-key`. */
export const keyValidationInput = z.strictObject({
  key: typedKey,
  ...asked,
  environment: z
    .enum(['live', 'test'])
    .optional()
    .meta({ description: 'Where to look when no credential says so; default live' }),
});

/** What validating by key takes. */
export type KeyValidationInput = z.infer<typeof keyValidationInput>;

const time = z.iso.datetime().nullable();

/** Answer of both. */
export const validationAnswer = z.strictObject({
  valid: z.boolean(),
  code: z.enum(VALIDATION_CODES),
  detail: z.string(),
  findings: z.array(z.enum(VALIDATION_CODES)),
  license: z
    .strictObject({
      id: z.string(),
      status: z.enum(['active', 'suspended', 'expired', 'revoked', 'banned']),
      expiresAt: time,
      productCode: z.string(),
      entitlements: z.array(z.string()),
      name: z.string().nullable().optional(),
      metadata: z.record(z.string(), z.unknown()).optional(),
      usesCount: z.int().optional(),
      machineCount: z.int().optional(),
    })
    .nullable(),
  machine: z
    .strictObject({
      id: z.string(),
      status: z.enum(['alive', 'dead']),
      name: z.string().nullable().optional(),
      hostname: z.string().nullable().optional(),
      metadata: z.record(z.string(), z.unknown()).optional(),
    })
    .nullable(),
  entitlements: z.array(z.string()),
  enforcement: z.enum(['BLOCK', 'DEGRADE', 'LOG_ONLY']),
  nonce: z.string().nullable().meta({ description: 'The nonce of the request; the answer is then signed' }),
  clockSuspect: z
    .boolean()
    .meta({ description: 'True: the clock of the appliance is in doubt, and `checkedAt` with it' }),
  checkedAt: z.iso.datetime(),
});
