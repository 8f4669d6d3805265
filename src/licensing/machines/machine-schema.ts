import { z } from 'zod';
import { typedKey } from '../licenses/license-schema.ts';
import { metadataSchema } from '../metadata.ts';
import { idSchema, TIMESTAMPS } from '../schema.ts';
import { PLATFORMS } from './machine.ts';

const FINGERPRINT_MIN = 8;
const FINGERPRINT_MAX = 256;
const COMPONENTS_MAX = 16;
const COMPONENT_NAME = /^[a-z0-9][a-z0-9_.-]{0,63}$/;
const TEXT_MAX = 256;
const CORES_MAX = 1_000_000;
const EMAIL_MAX = 320;

/** A fingerprint: whatever names one machine and no other. */
export const fingerprintSchema = z
  .string()
  .min(FINGERPRINT_MIN)
  .max(FINGERPRINT_MAX)
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), 'must have no control characters')
  .meta({ description: 'Names this machine and no other; stored sealed, looked up by a keyed digest' });

/** Named parts of a machine: `board`, `disk`, `mac`, `machine-id`, `os`… */
export const componentsSchema = z
  .record(z.string().regex(COMPONENT_NAME), z.string().min(1).max(TEXT_MAX))
  .refine((value) => Object.keys(value).length <= COMPONENTS_MAX, `at most ${COMPONENTS_MAX} components`)
  .meta({ description: 'Parts of the machine by name; stored only as keyed digests' });

/** Address of who uses a machine. Isolated networks have mail domains without a dot. */
export const userEmailSchema = z
  .string()
  .max(EMAIL_MAX)
  .regex(/^[^\s@]+@[^\s@]+$/, 'must be an e-mail address')
  .meta({ description: 'Who uses the machine; required where the policy counts seats per user' });

const text = z.string().min(1).max(TEXT_MAX).nullable();
const describing = {
  name: text.optional(),
  platform: z.enum(PLATFORMS).nullable().optional(),
  hostname: text.optional(),
  cores: z.int().min(1).max(CORES_MAX).nullable().optional(),
  userEmail: userEmailSchema.nullable().optional(),
  metadata: metadataSchema.optional(),
};

const machineKey = {
  publicKey: z.string().max(TEXT_MAX).optional().meta({
    description: 'Ed25519 key of the machine, base64url of 32 bytes; needs `proof`',
  }),
  proof: z.string().max(TEXT_MAX).optional().meta({
    description: 'Signature by that key over its key and the digest of the fingerprint, base64url',
  }),
};

/** Body of `POST /licenses/{id}/machines`. */
export const machineInput = z.strictObject({
  fingerprint: fingerprintSchema,
  components: componentsSchema.optional(),
  ...machineKey,
  ...describing,
});

/** What activating takes. */
export type MachineInput = z.infer<typeof machineInput>;

/** Body of `POST /machines`: with a publishable key, the licence key is in the body. */
export const machineInputByKey = machineInput.extend({ key: typedKey.optional() });

/** Body of `PATCH /machines/{id}`: members that are absent stay. */
export const machinePatch = z.strictObject(describing);

/** What `PATCH /machines/{id}` takes. */
export type MachinePatch = z.infer<typeof machinePatch>;

/** Body of `POST /machines/{id}/rekey`; null takes the key away. */
export const rekeyInput = z.strictObject({
  publicKey: machineKey.publicKey.unwrap().nullable(),
  proof: machineKey.proof,
});

/** Filters of `GET /machines`. */
export const machineFilters = {
  licenseId: idSchema.optional(),
  fingerprint: fingerprintSchema.optional(),
};

const time = z.iso.datetime().nullable();

/** A machine in an answer. */
export const machineAnswer = z.strictObject({
  id: z.string(),
  licenseId: z.string(),
  fingerprint: z.string(),
  status: z.enum(['alive', 'dead']),
  publicKey: z.string().nullable(),
  name: z.string().nullable(),
  platform: z.enum(PLATFORMS).nullable(),
  hostname: z.string().nullable(),
  cores: z.int().nullable(),
  userEmail: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()),
  lastHeartbeatAt: time,
  lastValidatedAt: time,
  lastCheckedOutAt: time,
  ...TIMESTAMPS,
});

/** Body of `POST /machines/{id}/heartbeat`; it may be left out. */
export const heartbeatInput = z.strictObject({ components: componentsSchema.optional() });

/** Answer of `POST /machines/{id}/heartbeat`. */
export const heartbeatAnswer = machineAnswer.extend({
  heartbeatDueAt: time.meta({ description: 'When the next one is due; null: the policy asks for none' }),
});

/** Answer of `DELETE /machines/{id}`. */
export const freesAtAnswer = z.strictObject({
  freesAt: z.iso.datetime().meta({ description: 'When another machine can have the seat' }),
});

/** Answer of `GET /machines/{id}/challenge`. */
export const challengeAnswer = z.strictObject({ nonce: z.string(), expiresAt: z.iso.datetime() });
