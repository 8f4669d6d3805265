import { z } from 'zod';
import { MANAGED_PURPOSES } from './key-plans.ts';

const STATES = ['pending', 'active', 'retiring', 'retired', 'compromised'] as const;
const time = z.iso.datetime();

/** A signing key in an answer: everything but the private half. */
export const keyAnswer = z.strictObject({
  kid: z.string(),
  purpose: z.string(),
  tenantId: z.string().nullable(),
  tenant: z
    .string()
    .nullable()
    .meta({ description: 'Code of the tenant; null: the key is the appliance’s own' }),
  environment: z.enum(['live', 'test']).nullable(),
  algorithm: z.enum(['EdDSA', 'ES256']),
  state: z.enum(STATES),
  custodian: z.string(),
  copy: z
    .string()
    .meta({ description: 'Where else it is: URI of the second token, `in backups`, or `none`' }),
  notBefore: time.meta({ description: 'From when on it signs' }),
  notAfter: time.nullable().meta({ description: 'What it signed later is refused; null: no end' }),
  activatesAt: time.nullable().meta({ description: 'When a pending key takes over by itself' }),
  compromisedSince: time.nullable(),
  publicKey: z.string().meta({ description: 'SubjectPublicKeyInfo, DER in base64' }),
  jwk: z.record(z.string(), z.string()),
});

const product = z.strictObject({ id: z.string(), code: z.string(), deletedAt: time.nullable() });
const bundleSeq = z
  .number()
  .int()
  .nullable()
  .meta({ description: 'Number of the trust bundle that says so; null: no bundle speaks of this key' });

/** A key that changed its state. */
export const changedAnswer = z.strictObject({ key: keyAnswer, bundleSeq });

/** A key that got a successor. */
export const rotatedAnswer = z.strictObject({
  key: keyAnswer.meta({ description: 'The successor' }),
  bundleSeq,
  replaces: z.string().meta({ description: 'kid of the key before it' }),
  products: z
    .array(product)
    .meta({ description: 'Products whose files are signed by the key before it until they are moved' }),
});

/** A compromised key and what took its place. */
export const compromisedAnswer = z.strictObject({
  key: keyAnswer,
  bundleSeq,
  successor: keyAnswer.nullable(),
  productsMoved: z.number().int(),
});

/** What proving each key has shown. */
export const proofAnswer = z.strictObject({
  kid: z.string(),
  purpose: z.string(),
  tenant: z.string().nullable(),
  environment: z.enum(['live', 'test']).nullable(),
  state: z.enum(STATES),
  custodian: z.string(),
  outcome: z.enum(['proven', 'failed', 'not-kept']),
  reason: z.string().nullable(),
});

/** A part of the report of whom a key concerns. */
export const affectedAnswer = z.strictObject({
  licenseId: z.string(),
  productId: z.string(),
  name: z.string().nullable(),
  userName: z.string().nullable(),
  userEmail: z.string().nullable(),
  files: z.number().int(),
  filesLiving: z.number().int(),
  filesSince: z.number().int(),
  lastIssuedAt: time,
  machineIds: z.array(z.string()),
});

/** Which key. */
export const keyParams = z.strictObject({
  kid: z.string().regex(/^[A-Za-z0-9_-]{16}$/, 'must be the kid of a signing key'),
});

/** Body of the route that makes a key. */
export const keyInput = z.strictObject({ purpose: z.enum(MANAGED_PURPOSES) });

const confirm = z
  .string()
  .max(200)
  .optional()
  .meta({ description: 'The sentence of the consequence, to the letter; a refusal says it' });

/** Body of a rotation. */
export const rotateInput = z.strictObject({
  now: z
    .boolean()
    .default(false)
    .meta({ description: 'Do not wait until the new key was published for long enough' }),
  confirm,
});

/** Body of an activation. */
export const activateInput = z.strictObject({ confirm });

/** Body that declares a key compromised. */
export const compromiseInput = z.strictObject({
  since: time.meta({ description: 'Since when it may have been in other hands' }),
});
