import type { EpochMs } from '../../lib/clock.ts';
import type { DecidingColumns } from '../../storage/journal.ts';

/** What a machine runs on, as its owner says. */
export const PLATFORMS = ['windows', 'macos', 'linux', 'docker', 'kubernetes', 'other'] as const;

/** One of `PLATFORMS`. */
export type Platform = (typeof PLATFORMS)[number];

/**
 * Components that tell machines apart. Others (`os`, `cpu`, `platform`, `hostname`…) are the same on many machines: they
 * are stored, and never decide.
 */
export const IDENTIFYING_COMPONENTS: ReadonlySet<string> = new Set([
  'board',
  'disk',
  'mac',
  'machine-id',
  'product-uuid',
  'tpm',
]);

/** A machine as one read gives it. Sealed values stay sealed (`machine-sealing.ts`). Times in ms since the epoch. */
export interface MachineSnapshot {
  /** Order of creation inside the database; the sort key of lists. */
  readonly seq: number;
  readonly id: string;
  readonly licenseId: string;
  /** Keyed digest; equal for equal fingerprints of one realm. */
  readonly fingerprintHash: Buffer;
  readonly fingerprintSealed: Buffer;
  /** Raw Ed25519 key, 32 bytes; null when the machine has none. */
  readonly publicKey: Buffer | null;
  /** 0 or 1. */
  readonly alive: number;
  readonly platform: string | null;
  readonly cores: number | null;
  readonly personal: Buffer | null;
  /** Keyed digest of the user's address; null: no user was named. */
  readonly userIndex: Buffer | null;
  /** Until when a removed machine keeps its seat; null: it holds none beyond its life. */
  readonly seatHeldUntil: EpochMs | null;
  readonly version: number;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
  readonly deletedAt: EpochMs | null;
  readonly lastHeartbeatAt: EpochMs | null;
  readonly lastValidatedAt: EpochMs | null;
  readonly lastCheckedOutAt: EpochMs | null;
}

/** What of a machine names or describes a person; stored as one sealed JSON value. */
export interface MachinePersonal {
  readonly name: string | null;
  readonly hostname: string | null;
  readonly userEmail: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** The columns of a machine that decide something, the same set in every ledger entry about machines. */
export function machineDecides(
  machine: Pick<
    MachineSnapshot,
    'id' | 'licenseId' | 'alive' | 'publicKey' | 'userIndex' | 'createdAt' | 'deletedAt' | 'seatHeldUntil'
  >,
): DecidingColumns {
  return {
    id: machine.id,
    licenseId: machine.licenseId,
    alive: machine.alive === 1,
    publicKey: machine.publicKey?.toString('hex') ?? null,
    userIndex: machine.userIndex?.toString('hex') ?? null,
    createdAt: machine.createdAt,
    deletedAt: machine.deletedAt,
    seatHeldUntil: machine.seatHeldUntil,
  };
}

/** When a machine was last heard of: its newest heartbeat, or its activation. */
export function lastSeenAt(machine: Pick<MachineSnapshot, 'createdAt' | 'lastHeartbeatAt'>): EpochMs {
  return machine.lastHeartbeatAt ?? machine.createdAt;
}
