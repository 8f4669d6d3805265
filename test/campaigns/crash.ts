import { join } from 'node:path';
import { type RunningDaemon, dataOf, send, startDaemon } from '../support/daemon.ts';
import { auditDatabase } from './audit-database.ts';
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

/** Everything that a client was told is done, by kind. */
interface Journal {
  readonly licenses: Map<string, string>;
  readonly machines: Map<string, string>;
  readonly files: Set<string>;
}

/** Longest time between a start and its kill. */
const LIFE_MS = 400;

/**
 * Starts a real daemon, loads it with clients, kills it with SIGKILL, starts it again, and so on; then holds what the
 * clients were told against what the database has. A client sends each request with an idempotency key and repeats an
 * unanswered one after the restart, as a real client does: nothing may happen twice.
 */
export async function crashCampaign(plan: CrashPlan): Promise<CrashReport> {
  const journal: Journal = { licenses: new Map(), machines: new Map(), files: new Set() };
  const random = seeded(plan.seed);
  const clients = Array.from({ length: plan.clients }, (_, i) => new CrashClient(i, journal));
  let catalogue: Catalogue | null = null;
  let slowestStartMs = 0;
  for (let kill = 0; kill <= plan.kills; kill++) {
    const daemon = await startDaemon(join(plan.directory, 'appliance'));
    if (kill > 0) slowestStartMs = Math.max(slowestStartMs, daemon.startMs);
    catalogue ??= await createCatalogue(daemon);
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

interface Catalogue {
  readonly productId: string;
  readonly policyId: string;
}

async function createCatalogue(daemon: RunningDaemon): Promise<Catalogue> {
  const target = { url: daemon.url, key: daemon.live.secretKey };
  const product = await dataOf(
    send(target, { method: 'POST', path: '/products', body: { name: 'Crash', code: 'crash' } }),
  );
  const body = {
    productId: product['id'],
    name: 'Crash',
    template: 'desktop_app',
    maxMachines: 2,
    requireFingerprint: false,
  };
  const policy = await dataOf(send(target, { method: 'POST', path: '/policies', body }));
  return { productId: String(product['id']), policyId: String(policy['id']) };
}

interface Place extends Catalogue {
  readonly url: string;
  readonly key: string;
}

interface Step {
  readonly key: string;
  readonly path: string;
  readonly body: object;
  readonly done: (data: Record<string, unknown>) => void;
}

/** One client: creates a licence, activates a machine, checks its file out, and begins again. */
class CrashClient {
  readonly #number: number;
  readonly #journal: Journal;
  #round = 0;
  #license = '';
  #stage: 'license' | 'machine' | 'file' = 'license';
  /** The request that was sent and not answered; repeated first after the restart. */
  #open: Step | null = null;

  constructor(number: number, journal: Journal) {
    this.#number = number;
    this.#journal = journal;
  }

  /** Works until the connection breaks. */
  async workUntilCut(place: Place): Promise<void> {
    for (;;) {
      const step = this.#open ?? this.#next(place);
      this.#open = step;
      if (!(await this.#take(place, step))) return;
      this.#open = null;
    }
  }

  /** Repeats the request that the last kill left unanswered. */
  async finish(place: Place): Promise<void> {
    if (this.#open !== null && !(await this.#take(place, this.#open))) {
      throw new Error('the daemon did not answer although nobody killed it');
    }
    this.#open = null;
  }

  /** @returns false when the daemon died before it answered */
  async #take(place: Place, step: Step): Promise<boolean> {
    try {
      const headers = { 'idempotency-key': step.key };
      step.done(await dataOf(send(place, { method: 'POST', path: step.path, body: step.body, headers })));
      return true;
    } catch (error) {
      if (error instanceof TypeError) return false;
      throw error;
    }
  }

  #next(place: Place): Step {
    const key = `crash-${String(this.#number)}-${String(this.#round)}-${this.#stage}`;
    if (this.#stage === 'license') return this.#createLicense(place, key);
    return this.#stage === 'machine' ? this.#activate(key) : this.#checkOut(key);
  }

  #createLicense({ productId, policyId }: Place, key: string): Step {
    const done = (data: Record<string, unknown>): void => {
      this.#license = String(data['id']);
      this.#journal.licenses.set(key, this.#license);
      this.#stage = 'machine';
    };
    return { key, path: '/licenses', body: { productId, policyId, name: key }, done };
  }

  #activate(key: string): Step {
    const done = (data: Record<string, unknown>): void => {
      this.#journal.machines.set(key, String(data['id']));
      this.#stage = 'file';
    };
    return {
      key,
      path: `/licenses/${this.#license}/machines`,
      body: { fingerprint: `machine-${key}` },
      done,
    };
  }

  #checkOut(key: string): Step {
    const done = (data: Record<string, unknown>): void => {
      this.#journal.files.add(String(data['fileId']));
      this.#stage = 'license';
      this.#round += 1;
    };
    return { key, path: `/licenses/${this.#license}/checkout`, body: {}, done };
  }
}

/** Every acknowledged id is there, and no request left two of anything. */
function judge(plan: CrashPlan, journal: Journal, slowestStartMs: number): CrashReport {
  const found = auditDatabase(join(plan.directory, 'appliance', 'data', 'mintmark.db'));
  const acknowledged = [...journal.licenses.values(), ...journal.machines.values(), ...journal.files];
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
