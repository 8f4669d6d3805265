import { join } from 'node:path';
import { startDaemon } from '../support/daemon.ts';
import { auditDatabase } from './audit-database.ts';
import {
  type Catalogue,
  createCatalogue,
  idsIn,
  type Journal,
  JournalingClient,
  newJournal,
} from './journaling-client.ts';
import { seeded } from './seeded.ts';

/** How long and how hard to test. */
export interface CrashPlan {
  readonly directory: string;
  readonly kills: number;
  /** Concurrent clients. */
  readonly clients: number;
  /** Decides when each kill comes; printed, so that a failing run can be repeated as far as scheduling allows. */
  readonly seed: number;
}

/** What a campaign found. */
export interface CrashReport {
  readonly kills: number;
  readonly acknowledged: number;
  readonly lost: readonly string[];
  readonly twice: readonly string[];
  /** What the audit of the database found wrong. */
  readonly problems: readonly string[];
  /** Answers that the database keeps for repeated requests: one for each that was acknowledged. */
  readonly keptAnswers: number;
  readonly slowestStartMs: number;
}

/** Longest time between a start and its kill. */
const LIFE_MS = 400;

/**
 * Starts a real daemon, loads it with clients, kills it with SIGKILL, starts it again, and so on; then holds what the
 * clients were told against what the database has. A client sends each request with an idempotency key and repeats an
 * unanswered one after the restart, as a real client does: nothing may happen twice.
 */
export async function crashCampaign(plan: CrashPlan): Promise<CrashReport> {
  const journal = newJournal();
  const random = seeded(plan.seed);
  const clients = Array.from({ length: plan.clients }, (_, i) => new JournalingClient(i, journal));
  let catalogue: Catalogue | null = null;
  let slowestStartMs = 0;
  for (let kill = 0; kill <= plan.kills; kill++) {
    const daemon = await startDaemon(join(plan.directory, 'appliance'));
    if (kill > 0) slowestStartMs = Math.max(slowestStartMs, daemon.startMs);
    catalogue ??= await createCatalogue(daemon, 'crash');
    const place = { url: daemon.url, key: daemon.live.secretKey, ...catalogue };
    if (kill === plan.kills) {
      for (const client of clients) await client.finish(place);
      await daemon.stop();
      break;
    }
    const work = clients.map((client) => client.workUntilCut(place));
    await new Promise((resolve) => setTimeout(resolve, 20 + random() * LIFE_MS));
    await daemon.kill();
    await Promise.all(work);
  }
  return judge(plan, journal, slowestStartMs);
}

/** Every acknowledged id is there, and no request left two of anything. */
function judge(plan: CrashPlan, journal: Journal, slowestStartMs: number): CrashReport {
  const found = auditDatabase(join(plan.directory, 'appliance', 'data', 'mintmark.db'));
  const acknowledged = idsIn(journal);
  const known = new Set([...found.licenses, ...found.machines, ...found.files]);
  const lost = acknowledged.filter((id) => !known.has(id));
  // Each client has at most one request open, and that one was repeated: what is there is what was acknowledged.
  const told = new Set(acknowledged);
  const twice = [...known].filter((id) => !told.has(id));
  const { problems, keptAnswers } = found;
  return {
    kills: plan.kills,
    acknowledged: acknowledged.length,
    lost,
    twice,
    problems,
    keptAnswers,
    slowestStartMs,
  };
}
