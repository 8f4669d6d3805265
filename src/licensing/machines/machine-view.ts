import type { Sealer } from '../../custody/sealer.ts';
import { isoTime } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import { maskedOrNull, maskEmail } from '../masking.ts';
import type { Metadata } from '../metadata.ts';
import { openFingerprint, openMachinePersonal } from './machine-sealing.ts';
import type { MachineUsage } from './machine-usage.ts';
import { type MachineSnapshot, type Platform, PLATFORMS } from './machine.ts';

/** A machine as the API shows it. */
export interface MachineView {
  readonly id: string;
  readonly licenseId: string;
  readonly fingerprint: string;
  readonly status: 'alive' | 'dead';
  readonly publicKey: string | null;
  readonly name: string | null;
  readonly platform: Platform | null;
  readonly hostname: string | null;
  readonly cores: number | null;
  /** Masked, unless the caller may reveal. */
  readonly userEmail: string | null;
  readonly metadata: Metadata;
  readonly lastHeartbeatAt: string | null;
  readonly lastValidatedAt: string | null;
  readonly lastCheckedOutAt: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** What showing machines needs. */
export interface MachineViewDeps {
  readonly sealer: Sealer;
  readonly machineUsage: Pick<MachineUsage, 'pending'>;
}

/** A machine with its sealed values opened, and with what is not yet on disk. @throws Fault SEALED, KEY_STORAGE */
export function machineView(
  deps: MachineViewDeps,
  machine: MachineSnapshot,
  shown: { readonly realm: RealmId; readonly reveal: boolean },
): MachineView {
  const { realm, reveal } = shown;
  const pending = deps.machineUsage.pending(realm, machine.id);
  const { name, hostname, userEmail, metadata } = openMachinePersonal(deps.sealer, realm, machine);
  return {
    id: machine.id,
    licenseId: machine.licenseId,
    fingerprint: openFingerprint(deps.sealer, realm, machine),
    status: machine.alive === 1 ? 'alive' : 'dead',
    publicKey: machine.publicKey?.toString('base64url') ?? null,
    platform: PLATFORMS.find((platform) => platform === machine.platform) ?? null,
    cores: machine.cores,
    ...{ name, hostname, metadata },
    userEmail: reveal ? userEmail : maskedOrNull(userEmail, maskEmail),
    lastHeartbeatAt: timeOrNull(pending?.heartbeat?.at ?? machine.lastHeartbeatAt),
    lastValidatedAt: timeOrNull(pending?.validatedAt ?? machine.lastValidatedAt),
    lastCheckedOutAt: timeOrNull(machine.lastCheckedOutAt),
    createdAt: isoTime(machine.createdAt),
    updatedAt: isoTime(machine.updatedAt),
  };
}

const timeOrNull = (at: number | null): string | null => (at === null ? null : isoTime(at));
