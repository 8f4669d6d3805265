import { z } from 'zod';
import { LICENSE_STATUSES } from '../licenses/license.ts';
import { VALIDATION_CODES } from './decide.ts';
import { validationInput } from './validation-schema.ts';

const time = z.iso.datetime().nullable();

/** Body of `POST /licenses/{id}/explain`. */
export const explanationInput = validationInput.omit({ nonce: true });

/** What explaining takes. */
export type ExplanationInput = z.infer<typeof explanationInput>;

const OUTCOMES = ['passed', 'remark', 'blocking', 'not_applicable'] as const;

/** Answer of explain. */
export const explanationAnswer = z.strictObject({
  valid: z.boolean(),
  code: z
    .enum(VALIDATION_CODES)
    .meta({ description: 'What a validation would answer, and the rule that decides it' }),
  rules: z
    .array(
      z.strictObject({
        code: z.enum(VALIDATION_CODES).exclude(['NOT_FOUND', 'VALID']),
        outcome: z.enum(OUTCOMES),
        detail: z.string(),
        remedy: z.string().nullable(),
      }),
    )
    .meta({ description: 'Every rule, in the order of precedence' }),
  license: z.strictObject({
    id: z.string(),
    status: z.enum(LICENSE_STATUSES),
    statusSince: z.iso.datetime(),
    expiresAt: time,
    graceUntil: time,
    productCode: z.string(),
    policyId: z.string(),
  }),
  limits: z.strictObject({
    maxMachines: z.int().nullable(),
    seats: z.int(),
    maxUses: z.int().nullable(),
    uses: z.int(),
  }),
  entitlements: z.array(z.strictObject({ code: z.string(), name: z.string(), expiresAt: time })),
  machine: z
    .strictObject({
      id: z.string(),
      components: z.array(z.strictObject({ name: z.string(), matches: z.boolean() })),
    })
    .nullable(),
  enforcement: z.enum(['BLOCK', 'DEGRADE', 'LOG_ONLY']),
  checkedAt: z.iso.datetime(),
});
