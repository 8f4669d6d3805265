import { z } from 'zod';
import {
  credentialSecret,
  passphraseSecret,
  recoverySecret,
  sharesSecret,
  type SlotSecret,
} from '../custody/index.ts';
import { Secret } from '../lib/secret.ts';

/** Longer than any secret that somebody types. */
const MOST_CHARACTERS = 1024;
const KEY_BYTES = 32;

const typed = z.string().min(1).max(MOST_CHARACTERS);
const key = z.base64().refine((text) => Buffer.from(text, 'base64').length === KEY_BYTES, {
  error: `must be ${KEY_BYTES} bytes in base64`,
});

/** The secret of a slot in a request. It goes over the operator's socket, and is neither logged nor kept. */
export const SLOT_SECRET = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('passphrase'), passphrase: typed }),
  z.strictObject({ kind: z.literal('credential'), key }),
  z.strictObject({ kind: z.literal('recovery'), code: typed }),
  z.strictObject({ kind: z.literal('shares'), shares: z.array(typed).min(1).max(16) }),
]);

/** As it stands in a request. */
export type SlotSecretText = z.infer<typeof SLOT_SECRET>;

/** The secret that a request carries. */
export function secretOf(given: SlotSecretText): SlotSecret {
  switch (given.kind) {
    case 'passphrase':
      return passphraseSecret(new Secret(given.passphrase));
    case 'credential':
      return credentialSecret(new Secret(Buffer.from(given.key, 'base64')));
    case 'recovery':
      return recoverySecret(new Secret(given.code));
    case 'shares':
      return sharesSecret(given.shares.map((share) => new Secret(share)));
  }
}
