import { STATES } from '../states.ts';
import type { FeatureDeps } from './features.ts';
import { LoopDelay } from './loop-delay.ts';
import type { Parts } from './parts.ts';

/**
 * Registers what is read when somebody looks (GET /metrics); no labels that name a tenant.
 * @returns what measures by itself, to be disposed of with the parts
 */
export function registerMetrics(parts: Parts, deps: Pick<FeatureDeps, 'usageLog'>): Disposable {
  const { metrics, work, checkpointer, time, directory, openedAt, clock } = parts;
  metrics.gauge('mintmark_state', 'Whether a limiting state holds.', () => {
    const held = new Set<string>(parts.states().map(({ state }) => state));
    return Object.keys(STATES).map((state) => ({ labels: { state }, value: held.has(state) ? 1 : 0 }));
  });
  metrics.gauge('mintmark_sealed', 'Whether the keys are closed: 1, or 0.', () => [{ value: 0 }]);
  metrics.gauge('mintmark_custodian_up', 'Whether keys can be signed with: 1, or 0.', () =>
    parts.custody.health().map(({ custodian, health }) => {
      return { labels: { custodian }, value: health.state === 'unavailable' ? 0 : 1 };
    }),
  );
  metrics.gauge('mintmark_signer_agents_started', 'Processes that speak to tokens, since the start.', () => [
    { value: agents(parts).started },
  ]);
  metrics.gauge('mintmark_signatures_waiting', 'Calls that wait for their turn at a token.', () => [
    { value: agents(parts).waiting },
  ]);
  metrics.gauge('mintmark_writes_waiting', 'Units of work that wait for their commit.', () => [
    { value: work.waiting },
  ]);
  metrics.gauge('mintmark_usage_log_dropped', 'Requests that the usage log could not even count.', () => [
    { value: deps.usageLog.dropped },
  ]);
  metrics.gauge('mintmark_wal_pages', 'Pages committed and not yet in the database file.', () => [
    { value: directory.database.pendingFrames() },
  ]);
  metrics.gauge('mintmark_ledger_entries', 'Entries of the ledger.', () => [
    { value: checkpointer.status().size },
  ]);
  metrics.gauge(
    'mintmark_ledger_unsigned_seconds',
    'Age of the oldest entry that no checkpoint covers.',
    () => [{ value: (checkpointer.status().unsignedForMs ?? 0) / 1000 }],
  );
  metrics.gauge('mintmark_clock_offset_seconds', 'Wall clock minus trusted time.', () => {
    const { wall, trusted } = time.check();
    return [{ value: (wall - trusted) / 1000 }];
  });
  metrics.gauge(
    'mintmark_log_lines_dropped',
    'Log lines that were given up because nobody read them, since the start.',
    () => [{ value: parts.logLinesDropped?.() ?? 0 }],
  );
  const loopDelay = new LoopDelay();
  metrics.gauge(
    'mintmark_event_loop_delay_quantile_seconds',
    'How late timers came since this was last read; quantile 1 is the longest.',
    () => loopDelay.take(),
  );
  metrics.gauge('mintmark_resident_memory_bytes', 'Memory of this process.', () => [
    { value: process.memoryUsage.rss() },
  ]);
  metrics.gauge(
    'mintmark_heap_used_bytes',
    'JavaScript objects, those that are garbage already included.',
    () => [{ value: process.memoryUsage().heapUsed }],
  );
  metrics.gauge('mintmark_uptime_seconds', 'Time since the appliance was opened.', () => [
    { value: (clock.monotonic() - openedAt) / 1000 },
  ]);
  return loopDelay;
}

function agents({ custody }: Parts): { readonly started: number; readonly waiting: number } {
  const told = custody.health().map(({ health }) => health.agents);
  return told.find((one) => one !== undefined) ?? { started: 0, waiting: 0 };
}
