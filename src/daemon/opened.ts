import { Schedule } from '../jobs/schedule.ts';
import { append, recordRefusals } from '../ledger/index.ts';
import { newId } from '../lib/ulid.ts';
import type { Authority } from '../storage/entry.ts';
import { settingColumns, writeSetting } from '../storage/settings-store.ts';
import type { Tx } from '../storage/tx.ts';
import { featureDeps, type FeatureDeps } from './features.ts';
import { allJobs } from './jobs.ts';
import { registerMetrics } from './metrics.ts';
import { type Opening, openWith, type Parts, type Surroundings } from './parts.ts';
import { finishRekey } from './rekey.ts';
import type { SealControl } from './seal-routes.ts';
import { type Answering, answering } from './server.ts';
import { demandRecordedRows } from './doctor/accept-row.ts';
import { readBinding } from './machine-binding.ts';
import { bindingText, storedBinding } from './standing.ts';
import { recordModule } from './module-entry.ts';
import { recordSlotUse } from './slot-entries.ts';

/** What an appliance is opened with, by hand or at a start. */
export interface OpenedHow {
  readonly control: SealControl;
  /** Names of the settings that are not at their default. */
  readonly changed: readonly string[];
}

/** An appliance whose keys are open: it comes as one, and goes as one. */
export interface Opened {
  readonly parts: Parts;
  /** How it answers requests. */
  readonly answers: Answering;
  /** Begins what is done by time. */
  start(): void;
  /**
   * Ends what is done by time, writes every buffer, signs the last checkpoint, and wipes the keys. No request may run any
   * more; one that does meets Fault SEALED.
   */
  close(): Promise<void>;
}

/**
 * Opens an appliance with keys that are open, and records that it was.
 * @throws Fault; everything opened is closed again, the keys included
 */
export async function openAppliance(opening: Opening, around: Surroundings, how: OpenedHow): Promise<Opened> {
  const parts = await openWith(opening, around);
  try {
    await finishRekey(parts);
    const deps = featureDeps(parts);
    const measuring = registerMetrics(parts, deps);
    await parts.disk.check();
    demandRecordedRows(parts.work.read);
    await recordSlotUse(parts, starter(parts));
    await recordModule(parts, starter(parts));
    await recordStart(parts, how.changed);
    const { clock, log } = parts;
    const schedule = new Schedule({
      clock,
      onError: (job, error) => {
        log.error('job failed', { job, error });
      },
    });
    return {
      parts,
      answers: answering(parts, deps, how.control),
      start: () => {
        for (const job of allJobs(parts, deps)) schedule.add(job);
        warnAbout(parts);
      },
      close: async () => {
        await schedule.stop();
        measuring[Symbol.dispose]();
        await closeParts(parts, deps);
      },
    };
  } catch (error) {
    await parts.work.stop();
    await parts.custody[Symbol.asyncDispose]();
    throw error;
  }
}

/** The configuration in force is part of the record: who could have widened it, and when. */
async function recordStart(parts: Parts, changed: readonly string[]): Promise<void> {
  if (parts.work.diskFull || parts.states().length > 0) return;
  await parts.work.run(starter(parts), (tx) => {
    const target = { kind: 'appliance', id: parts.identity.applianceId };
    const bound = bindFirst(parts, tx);
    append(tx, {
      action: 'daemon.started',
      target,
      ...bound,
      facts: { changed: changed.join(' ') || 'none' },
    });
  });
}

/** An appliance is bound to the machine that it first serves on. */
function bindFirst(
  { identity, directory }: Parts,
  tx: Tx,
): { readonly after?: ReturnType<typeof settingColumns> } {
  if (identity.dev || storedBinding(tx) !== null) return {};
  writeSetting(tx, 'instance', bindingText(readBinding(identity.applianceId, directory.paths.root)));
  return { after: settingColumns(tx) };
}

/** The start itself, as the ledger names it. */
function starter({ time, random }: Parts): Authority {
  const actor = { kind: 'system', id: 'start', via: 'job' } as const;
  return { actor, requestId: newId('request', time.now(), random), realm: null };
}

function warnAbout({ keyring, log, states }: Parts): void {
  for (const { kid, reason } of keyring.unfound()) log.warn('signing key not found', { kid, reason });
  for (const { state, reason } of states()) log.warn('not ready', { state, reason });
}

/**
 * 1. Buffers (heartbeats, counters, uses of keys, refusals) are written. Stop here: at most a second of counters is lost.
 * 2. The last checkpoint is signed. 3. Reserved numbers are given back, what waits is committed, keys are wiped.
 */
async function closeParts(parts: Parts, deps: FeatureDeps): Promise<void> {
  const { log, work, custody, checkpointer, sequence } = parts;
  const flushes = [
    () => deps.machineUsage.flush(),
    () => deps.licenseUsage.flush(),
    () => deps.validationCounts.flush(),
    () => deps.keyUsage.flush(),
    () => deps.usageLog.flush(),
    () => deps.bulkReads.record({ last: true }),
    () => recordRefusals(parts, { last: true }),
    () => checkpointer.sign(),
    () => sequence.close(),
    () => custody.stopCounting(),
  ];
  for (const flush of flushes) {
    // With a full disk nothing can be flushed; the rest of the stop must come all the same.
    await flush().catch((error: unknown) => {
      log.error('a step of the stop failed', { error });
    });
  }
  await work.stop();
  await custody[Symbol.asyncDispose]();
}
