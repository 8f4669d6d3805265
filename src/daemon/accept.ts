import { Fault } from '../faults.ts';
import { isoTime } from '../lib/clock.ts';
import type { Authority } from '../storage/entry.ts';
import { beginBranch, type NewBranch } from './branch.ts';
import { readBinding } from './machine-binding.ts';
import type { Parts } from './parts.ts';
import { type AnchorSeen, bindingText, readAnchors, readRestored, restoredText } from './standing.ts';

/** What an operator should know before he takes a database as it is. */
export interface LossReport {
  /** The backup it was restored from; null: the database was put back in another way. */
  readonly backup: { readonly madeAt: string; readonly ageHours: number } | null;
  /** Entries of our ledger. */
  readonly entries: number;
  /** Entries that an anchor has seen and our ledger does not hold; null: no anchor tells. */
  readonly entriesLost: number | null;
  /** What is unknown lies between this time and now. */
  readonly since: string;
  readonly anchors: readonly { readonly path: string; readonly says: string }[];
}

const HOUR = 3_600_000;

/** What was lost, as far as backup and anchors tell. */
export async function readLoss(parts: Parts): Promise<LossReport> {
  const { work, identity, config, directory, clock, ledger, checkpointer } = parts;
  const restored = readRestored(work.read);
  const seen = await readAnchors({ config, paths: directory.paths, reader: work.read, identity });
  const ahead = seen.flatMap(({ finding }) =>
    finding.state === 'rolled-back' ? [finding.anchorSize - finding.ledgerSize] : [],
  );
  const lost = Math.max(0, ...ahead);
  const signedAt = isoTime(checkpointer.status().signedAt ?? clock.wall());
  return {
    backup: restored && {
      madeAt: restored.madeAt,
      ageHours: Math.round((clock.wall() - Date.parse(restored.madeAt)) / HOUR),
    },
    entries: ledger.head().size,
    entriesLost: ahead.length === 0 ? null : lost,
    since: restored?.madeAt ?? signedAt,
    anchors: seen.map((one) => ({ path: one.path, says: saysOf(one) })),
  };
}

function saysOf({ finding }: AnchorSeen): string {
  switch (finding.state) {
    case 'contained':
      return `our ledger contains its ${String(finding.size)} entries`;
    case 'absent':
      return 'it is not there';
    default:
      return finding.reason;
  }
}

/** Who accepts, and why. */
export interface Acceptance {
  readonly authority: Authority;
  readonly reason: string;
}

/**
 * Takes the database as it is and begins a new branch; ends `rolled-back`.
 * @throws Fault CONFLICT when it is not rolled back
 */
export function acceptRestore(parts: Parts, { authority, reason }: Acceptance): Promise<string> {
  const settings = { restored: restoredText(null) };
  return accept(parts, 'rolled-back', { authority, why: { action: 'restore.accepted', reason, settings } });
}

/**
 * Takes this machine for the one that goes on, and begins a new branch; ends `clone-suspect`. A copy that goes on elsewhere has
 * to be wiped.
 * @param moved the machine it ran on before is gone, or wiped
 * @throws Fault CONFLICT when it is not suspected
 */
export function acceptInstance(
  parts: Parts,
  { authority, reason, moved }: Acceptance & { readonly moved: boolean },
): Promise<string> {
  const { identity, directory } = parts;
  const settings = { instance: bindingText(readBinding(identity.applianceId, directory.paths.root)) };
  const why = { action: 'instance.accepted', reason, settings, facts: { moved } } as const;
  return accept(parts, 'clone-suspect', { authority, why });
}

/**
 * 1. The unit. Stop here: the branch is new, and the anchors still say what they said; accept again, which begins another.
 * 2. The head is signed and written to every anchor: they follow this ledger from here on.
 */
async function accept(
  parts: Parts,
  state: 'rolled-back' | 'clone-suspect',
  { authority, why }: { readonly authority: Authority; readonly why: NewBranch },
): Promise<string> {
  const { standing, checkpointer } = parts;
  if (!standing.some((held) => held.state === state)) {
    throw new Fault('CONFLICT', `the appliance is not ${state}; there is nothing to accept`);
  }
  const branch = await beginBranch(parts, authority, why);
  const others = standing.filter((held) => held.state !== state);
  standing.splice(0, standing.length, ...others);
  await checkpointer.sign();
  return branch;
}
