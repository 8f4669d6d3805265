import { ledgerOrigin } from '../ledger/index.ts';
import { isDevAppliance, requireSetting } from '../storage/settings-store.ts';
import type { Reader } from '../storage/tx.ts';

/** What a dev appliance calls itself in every file, whatever the configuration says. */
export const DEV_ISSUER = 'MINTMARK DEV';

/** Who this appliance is; chosen once, read at start. */
export interface Identity {
  readonly applianceId: string;
  /** 64 random bits in hexadecimal, in every file beside its number. */
  readonly branch: string;
  /** Issuer name in files. */
  readonly issuer: string;
  /** A throw-away appliance, for good. */
  readonly dev: boolean;
  /** Origin line of the ledger's checkpoints. */
  readonly origin: string;
}

/** Reads who this appliance is. */
export function readIdentity(reader: Reader): Identity {
  const applianceId = requireSetting(reader, 'applianceId');
  const dev = isDevAppliance(reader);
  return {
    applianceId,
    branch: requireSetting(reader, 'branch'),
    issuer: dev ? DEV_ISSUER : requireSetting(reader, 'issuer'),
    dev,
    origin: ledgerOrigin(applianceId),
  };
}
