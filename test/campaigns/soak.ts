import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { auditDatabase } from './audit-database.ts';
import { createCatalogue, idsIn, newJournal, type Place } from './journaling-client.ts';
import { type Footprint, type Footprints, mostOf, watchFootprint } from './footprint.ts';
import { seeded } from './seeded.ts';
import { SoakClient } from './soak-client.ts';

/** How long to load an appliance, and how. */
export interface SoakPlan {
  readonly directory: string;
  /** Time in which it is killed again and again, so often at least. */
  readonly killingMs: number;
  readonly leastKills: number;
  /** Time after that in which it lives: what it needs at the end of it is held against what it needed when warm. */
  readonly livingMs: number;
  /** Longest time between a start and its kill. */
  readonly lifeMs: number;
  /** When a life counts as warm: caches are full, code is compiled. */
  readonly warmMs: number;
  readonly clients: number;
  /** Decides when each kill comes and who asks what. */
  readonly seed: number;
}

/** What a soak found. */
export interface SoakReport {
  readonly kills: number;
  readonly acknowledged: number;
  readonly reads: number;
  /** Ids that a client was told of and the database does not have. */
  readonly lost: readonly string[];
  /** Ids that the database has and no client was told of: a request that was done twice. */
  readonly twice: readonly string[];
  /** What the audit of the database found wrong, its ledger included. */
  readonly problems: readonly string[];
  /** Entries of the ledger that the last checkpoint, signed at the stop, does not cover. */
  readonly unsigned: number;
  readonly slowestStartMs: number;
  /** What the last life needed when it was warm, and at its end. */
  readonly warm: Footprint;
  readonly end: Footprint;
  /** Most there ever was, of all lives. */
  readonly most: Footprint;
}

/** More kept answers than a soak leaves. */
const ROOM = { MINTMARK_LIMITS_KEPT_ANSWERS: '10000000', MINTMARK_LIMITS_KEPT_ANSWERS_MIB: '100000' };
/** Every life is long enough for some requests to be answered. */
const SHORTEST_LIFE_MS = 50;
/** Share of the last life that its end is judged by. */
const END_SHARE = 0.2;

/**
 * Loads a real daemon with a mixed load: at first it is killed with SIGKILL at times nobody knows and started again, then
 * it lives on under the same load. In the end what the clients were told is held against what the database has.
 */
export async function soakCampaign(plan: SoakPlan): Promise<SoakReport> {
  const soak = new Soak(plan);
  const until = performance.now() + plan.killingMs;
  while (performance.now() < until || soak.kills < plan.leastKills) await soak.liveUntilKilled();
  const last = await soak.liveOn();
  return { ...soak.judge(), ...last };
}

class Soak {
  readonly #plan: SoakPlan;
  readonly #journal = newJournal();
  readonly #random: () => number;
  readonly #clients: readonly SoakClient[];
  #place: Place | null = null;
  kills = 0;
  #slowestStartMs = 0;
  #most: Footprint = { residentMiB: 0, files: 0, sockets: 0, logMiB: 0 };

  constructor(plan: SoakPlan) {
    this.#plan = plan;
    this.#random = seeded(plan.seed);
    this.#clients = Array.from(
      { length: plan.clients },
      (_, number) => new SoakClient(number, this.#journal, seeded(plan.seed + number)),
    );
  }

  async liveUntilKilled(): Promise<void> {
    const { daemon, place, watch } = await this.#start();
    const work = this.#clients.map((client) => client.workUntilCut(place));
    await sleep(SHORTEST_LIFE_MS + this.#random() * this.#plan.lifeMs);
    await this.#note(watch);
    await daemon.kill();
    this.kills++;
    await Promise.all(work);
  }

  /** The last life: nobody kills it, and it stops in order. */
  async liveOn(): Promise<{ warm: Footprint; end: Footprint }> {
    const { livingMs, warmMs } = this.#plan;
    const { daemon, place, watch } = await this.#start();
    const ending = new AbortController();
    const work = this.#clients.map((client) => client.workUntil(place, ending.signal));
    await sleep(livingMs);
    ending.abort();
    await Promise.all(work);
    for (const client of this.#clients) await client.finish(place);
    const seen = await this.#note(watch);
    if ((await daemon.stop()) !== 0) throw new Error(`the daemon did not stop in order: ${daemon.stderr()}`);
    const span = END_SHARE * livingMs;
    return {
      warm: seen.typical({ from: warmMs, to: warmMs + span }),
      end: seen.typical({ from: livingMs - span, to: livingMs }),
    };
  }

  async #start(): Promise<{ daemon: RunningDaemon; place: Place; watch: Footprints }> {
    const daemon = await startDaemon(this.#directory, { env: ROOM });
    if (this.#place !== null) this.#slowestStartMs = Math.max(this.#slowestStartMs, daemon.startMs);
    const { productId, policyId } = this.#place ?? (await createCatalogue(daemon, 'soak'));
    this.#place = { url: daemon.url, key: daemon.live.secretKey, productId, policyId };
    const watch = watchFootprint(daemon.child.pid ?? 0, this.#database);
    return { daemon, place: this.#place, watch };
  }

  async #note(watch: Footprints): Promise<Footprints> {
    await watch.stop();
    this.#most = mostOf(this.#most, watch.most());
    return watch;
  }

  get #directory(): string {
    return join(this.#plan.directory, 'appliance');
  }

  get #database(): string {
    return join(this.#directory, 'data', 'mintmark.db');
  }

  judge(): Omit<SoakReport, 'warm' | 'end'> {
    const found = auditDatabase(this.#database);
    const acknowledged = idsIn(this.#journal);
    const known = new Set([...found.licenses, ...found.machines, ...found.files]);
    const told = new Set(acknowledged);
    return {
      kills: this.kills,
      acknowledged: acknowledged.length,
      reads: this.#clients.reduce((sum, { reads }) => sum + reads, 0),
      lost: acknowledged.filter((id) => !known.has(id)),
      twice: [...known].filter((id) => !told.has(id)),
      problems: found.problems,
      unsigned: found.entries - found.signed,
      slowestStartMs: this.#slowestStartMs,
      most: this.#most,
    };
  }
}
