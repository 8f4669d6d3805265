import type { Config } from '../config/index.ts';
import {
  type Anchor,
  type AnchorFinding,
  anchorFile,
  checkAnchor,
  ledgerPublicKeys,
  ledgerVerifierKey,
} from '../ledger/index.ts';
import type { Log } from '../http/log.ts';
import type { EpochMs } from '../lib/clock.ts';
import type { HeldState } from '../states.ts';
import type { DataPaths } from '../storage/data-paths.ts';
import { readSetting } from '../storage/settings-store.ts';
import type { Reader } from '../storage/tx.ts';
import type { Identity } from './identity.ts';
import { differingParts, type MachineBinding, readBinding } from './machine-binding.ts';

/** An anchor with its place, and how it stands to our ledger. */
export interface AnchorSeen {
  readonly path: string;
  readonly finding: AnchorFinding;
}

/** What a restored database was made from, until somebody has accepted it. */
export interface Restored {
  /** When the backup was made, ISO 8601. */
  readonly madeAt: string;
  /** Entries of the ledger that it held. */
  readonly entries: number;
}

/** Where what is standing is looked for. */
export interface StandingGiven {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly reader: Reader;
  readonly identity: Identity;
  readonly now: EpochMs;
}

/** Every anchor that is configured, the one beside the database first. */
export function anchorPaths({ config, paths }: Pick<StandingGiven, 'config' | 'paths'>): string[] {
  return [paths.anchor, ...config.ledger.anchors];
}

/**
 * Writes to the anchor beside the database, and to every further one as far as it can be reached: a stick that was pulled out
 * stops nothing.
 */
export function anchorsOf(given: Pick<StandingGiven, 'config' | 'paths'>, log: Log): Anchor {
  const [own = '', ...others] = anchorPaths(given);
  const first = anchorFile(own);
  return {
    read: () => first.read(),
    write: async (note) => {
      await first.write(note);
      await Promise.all(
        others.map(async (path) => {
          await anchorFile(path)
            .write(note)
            .catch((error: unknown) => {
              log.warn('an anchor cannot be written', { path, error });
            });
        }),
      );
    },
  };
}

/** Compares every anchor that can be read with the ledger. One that cannot be read says nothing of it. */
export async function readAnchors(given: Omit<StandingGiven, 'now'>): Promise<AnchorSeen[]> {
  const { reader, identity } = given;
  const keys = ledgerPublicKeys(reader).map((spki) => ledgerVerifierKey(identity.origin, spki));
  const seen: AnchorSeen[] = [];
  for (const path of anchorPaths(given)) {
    const note = await anchorFile(path)
      .read()
      .catch((error: unknown) => ({ reason: String(error) }));
    const unreadable = typeof note === 'object';
    const finding = unreadable
      ? ({ state: 'unreadable', ...note } as const)
      : checkAnchor(reader, note, keys);
    seen.push({ path, finding });
  }
  return seen;
}

/** The states that hold until an operator ends them: looked for at each start. */
export async function standingStates(given: StandingGiven): Promise<HeldState[]> {
  return [...(await rolledBack(given)), ...cloneSuspect(given)];
}

async function rolledBack(given: StandingGiven): Promise<HeldState[]> {
  const leftBy = 'putting the newest database back, or (stopped) `mintmark restore accept --reason …`';
  const state = 'rolled-back' as const;
  const restored = readRestored(given.reader);
  const found = (await readAnchors(given)).flatMap(({ path, finding }) =>
    finding.state === 'rolled-back' ? [`${path}: ${finding.reason}`] : [],
  );
  const reasons = [
    ...(restored === null ? [] : [`restored from a backup of ${restored.madeAt}, and not accepted yet`]),
    ...found,
  ];
  return reasons.length === 0 ? [] : [{ state, reason: reasons.join('; '), since: given.now, leftBy }];
}

/** A throw-away appliance may run anywhere. */
function cloneSuspect({ reader, identity, paths, now }: StandingGiven): HeldState[] {
  const was = storedBinding(reader);
  if (was === null || identity.dev) return [];
  const differing = differingParts(was, readBinding(identity.applianceId, paths.root));
  if (differing.length === 0) return [];
  const reason = `this is not the machine it ran on last (${differing.join(', ')} differ): a copy may be running elsewhere`;
  return [
    { state: 'clone-suspect', reason, since: now, leftBy: '(stopped) `mintmark instance accept --reason …`' },
  ];
}

/** What the appliance was bound to last; null: nothing yet. */
export function storedBinding(reader: Reader): MachineBinding | null {
  const stored = readSetting(reader, 'instance') ?? '';
  return stored === '' ? null : (JSON.parse(stored) as MachineBinding); // written by bindingText
}

/** The restore that nobody has accepted yet; null: there is none. */
export function readRestored(reader: Reader): Restored | null {
  const stored = readSetting(reader, 'restored') ?? '';
  return stored === '' ? null : (JSON.parse(stored) as Restored); // written by restoredText
}

/** A binding as its setting. */
export const bindingText = (binding: MachineBinding): string => JSON.stringify(binding);

/** A restore as its setting; null: accepted. */
export const restoredText = (restored: Restored | null): string =>
  restored === null ? '' : JSON.stringify(restored);
