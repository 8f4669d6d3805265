import type { z } from 'zod';
import { type Keyring, NO_COPY, type SigningKey } from '../../custody/index.ts';
import { type EpochMs, isoTime } from '../../lib/clock.ts';
import type { keyAnswer } from './key-schema.ts';

/** What showing a key needs. */
export interface KeyViewDeps {
  /** Code of a tenant by its id; null when it is erased. */
  readonly tenantCode: (tenantId: string) => string | null;
  readonly keyring: Keyring;
}

/** A signing key as the API shows it. */
export function keyView({ tenantCode, keyring }: KeyViewDeps, key: SigningKey): z.infer<typeof keyAnswer> {
  const { kid, purpose, tenantId, environment, algorithm, state, custodian } = key;
  return {
    ...{ kid, purpose, tenantId, tenant: tenantId === null ? null : tenantCode(tenantId) },
    ...{ environment, algorithm, state, custodian },
    copy: keyring.lacksCopy(key) ? NO_COPY : (key.copy ?? 'in backups'),
    notBefore: isoTime(key.notBefore),
    notAfter: timeOrNull(key.notAfter),
    activatesAt: timeOrNull(key.activatesAt),
    compromisedSince: timeOrNull(key.compromisedSince),
    publicKey: key.publicKey.toString('base64'),
    jwk: { ...key.jwk },
  };
}

/** A time as the API shows it. */
export const timeOrNull = (at: EpochMs | null): string | null => (at === null ? null : isoTime(at));
