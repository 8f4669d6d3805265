import { z } from 'zod';
import { metadataSchema } from '../metadata.ts';
import { codeSchema, idSchema, nameSchema, TIMESTAMPS, DELETED_AT } from '../schema.ts';
import { POLICY_FIELDS, POLICY_TEMPLATES, policyOverridesSchema } from './policy-settings.ts';

const consent = z.boolean().meta({
  description: 'Says that maxMachines: null is meant. Needed in the request that sets it, stored nowhere.',
});

const OWN = {
  name: nameSchema.optional().meta({ description: 'Default: the code' }),
  allowUnlimitedActivations: consent.optional(),
  metadata: metadataSchema.optional(),
  ...policyOverridesSchema.shape,
};

/** Body of `POST /policies`: settings that are left out take the default of the template, or everybody's. */
export const policyInput = z.strictObject({
  productId: idSchema,
  template: z.enum(POLICY_TEMPLATES).nullable().optional(),
  code: codeSchema
    .optional()
    .meta({ description: 'Unique in the realm, fixed. Default: made from template and id' }),
  ...OWN,
});

/** What `POST /policies` takes. */
export type PolicyInput = z.infer<typeof policyInput>;

/** Body of `PATCH /policies/{id}`: product, template and code are fixed. */
export const policyPatch = z.strictObject(OWN);

/** What `PATCH /policies/{id}` takes. */
export type PolicyPatch = z.infer<typeof policyPatch>;

/** A policy in an answer: every setting, resolved. */
export const policyAnswer = z.strictObject({
  id: z.string(),
  productId: z.string(),
  name: z.string(),
  code: z.string(),
  template: z.enum(POLICY_TEMPLATES).nullable(),
  ...POLICY_FIELDS,
  entitlements: z.array(z.string()).meta({ description: 'Codes that every licence of the policy has' }),
  metadata: z.record(z.string(), z.unknown()),
  ...TIMESTAMPS,
  ...DELETED_AT,
});
