import type { Sealer } from '../../custody/sealer.ts';
import { type EpochMs, isoTime } from '../../lib/clock.ts';
import { openPersonal } from '../licenses/license-sealing.ts';
import { type LicenseStatus, statusAt } from '../licenses/license.ts';
import { openMachinePersonal } from '../machines/machine-sealing.ts';
import type { Metadata } from '../metadata.ts';
import type { PolicySettings } from '../policies/policy-settings.ts';
import { codesAt, type Decision, type ValidationCode } from './decide.ts';
import type { Standing } from './standing.ts';

/** A licence in the answer to a validation; the optional members only for the publisher's secret keys. */
export interface ValidatedLicense {
  readonly id: string;
  readonly status: LicenseStatus;
  readonly expiresAt: string | null;
  readonly productCode: string;
  readonly entitlements: readonly string[];
  readonly name?: string | null;
  readonly metadata?: Metadata;
  readonly usesCount?: number;
  readonly machineCount?: number;
}

/** The machine in the answer to a validation. */
export interface ValidatedMachine {
  readonly id: string;
  readonly status: 'alive' | 'dead';
  readonly name?: string | null;
  readonly hostname?: string | null;
  readonly metadata?: Metadata;
}

/** The answer to a validation. */
export interface ValidationView {
  readonly valid: boolean;
  readonly code: ValidationCode;
  readonly detail: string;
  readonly findings: readonly ValidationCode[];
  readonly license: ValidatedLicense | null;
  readonly machine: ValidatedMachine | null;
  readonly entitlements: readonly string[];
  readonly enforcement: PolicySettings['enforcement'];
  readonly checkedAt: string;
}

/** What each outcome means, in words. */
const DETAILS: Readonly<Record<ValidationCode, string>> = {
  NOT_FOUND: 'there is no such licence',
  BANNED: 'the licence is banned',
  REVOKED: 'the licence is revoked',
  SUSPENDED: 'the licence is suspended',
  EXPIRED: 'the licence has expired',
  FINGERPRINT_REQUIRED: 'the policy needs the fingerprint of the machine',
  FINGERPRINT_NOT_FOUND: 'this machine is not activated under the licence',
  HEARTBEAT_REQUIRED: 'the machine has not sent its heartbeat in time',
  MACHINE_LIMIT_EXCEEDED: 'more machines are active than the licence has seats',
  ENTITLEMENTS_MISSING: 'the licence lacks an entitlement that was asked for',
  USES_EXCEEDED: 'the uses of the licence are exhausted',
  VALID: 'the licence is valid',
};

/** What the answer shows beside the decision. */
export interface ValidationShown {
  /** null: no such licence. */
  readonly standing: Standing | null;
  readonly decision: Decision;
  /** Whether the caller has the publisher's secret key: nobody else sees names or metadata. */
  readonly full: boolean;
  /** Trusted time. */
  readonly now: EpochMs;
}

/** Lays out the answer to a validation. @throws Fault SEALED, KEY_STORAGE when sealed members are to be shown */
export function validationView(deps: { readonly sealer: Sealer }, shown: ValidationShown): ValidationView {
  const { standing, decision, now } = shown;
  const entitlements = standing === null ? [] : codesAt(standing.entitlements, now);
  return {
    valid: decision.valid,
    code: decision.code,
    detail: DETAILS[decision.code],
    findings: decision.findings,
    license: standing === null ? null : licenseOf(deps, shown, { standing, entitlements }),
    machine: standing === null ? null : machineOf(deps, shown, standing),
    entitlements,
    enforcement: standing?.policy.enforcement ?? 'BLOCK',
    checkedAt: isoTime(now),
  };
}

function licenseOf(
  { sealer }: { readonly sealer: Sealer },
  { full, now }: ValidationShown,
  { standing, entitlements }: { readonly standing: Standing; readonly entitlements: readonly string[] },
): ValidatedLicense {
  const { license, realm, facts } = standing;
  const bare = {
    id: license.id,
    status: statusAt(license, now),
    expiresAt: license.expiresAt === null ? null : isoTime(license.expiresAt),
    productCode: license.productCode,
    entitlements,
  };
  if (!full) return bare;
  const { name, metadata } = openPersonal(sealer, realm, license);
  return { ...bare, name, metadata, usesCount: facts.uses, machineCount: license.seats };
}

function machineOf(
  { sealer }: { readonly sealer: Sealer },
  { full }: ValidationShown,
  { machine, realm, facts }: Standing,
): ValidatedMachine | null {
  // A machine whose components differ is not the one that is licensed.
  if (machine === null || facts.machine?.componentsMatch !== true) return null;
  const bare = { id: machine.id, status: machine.alive === 1 ? 'alive' : 'dead' } as const;
  if (!full) return bare;
  const { name, hostname, metadata } = openMachinePersonal(sealer, realm, machine);
  return { ...bare, name, hostname, metadata };
}
