import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Footprint, watchFootprint } from '../campaigns/footprint.ts';
import { soakCampaign, type SoakPlan } from '../campaigns/soak.ts';
import { temporaryDirectory } from '../support/daemon.ts';

const MINUTE = 60_000;
/** `npm run test:soak` sets 30; without it some seconds. */
const MINUTES = Number(process.env['SOAK_MINUTES'] ?? '0');
const KILLS = 3;
const SHORT = { killingMs: 5_000, livingMs: 8_000, lifeMs: 1_500, warmMs: 2_000 };
/** Four of ten minutes it lives on; warm after a quarter of that. */
const LONG = {
  killingMs: 0.6 * MINUTES * MINUTE,
  livingMs: 0.4 * MINUTES * MINUTE,
  lifeMs: 20_000,
  warmMs: 0.1 * MINUTES * MINUTE,
};
const CLIENTS = 16;
/** Below this time of warming up memory still fills its caches: there is no growth to judge. */
const JUDGED_FROM_MS = MINUTE;
const MOST_GROWTH = 1.1;
const MOST_MIB = 400;
/** The log is copied back at 4 MiB and cut at 16; a batch that is under way comes on top. */
const MOST_LOG_MIB = 32;
/** Files of a moment: an anchor that is being written, a random number that is being drawn. */
const SPARE_FILES = 2;
/** A client leaves a connection that it no longer uses open for some seconds. */
const MOST_SOCKETS = 4 * CLIENTS;

describe('an appliance under a mixed load that is killed again and again', () => {
  it('loses no acknowledged change, and needs in the end what it needed when it was warm', async () => {
    using directory = temporaryDirectory();
    const seed = Number(process.env['CAMPAIGN_SEED'] ?? Date.now() % 1_000_000);
    const times = MINUTES > 0 ? LONG : SHORT;
    const plan: SoakPlan = { directory: directory.path, ...times, leastKills: KILLS, clients: CLIENTS, seed };
    const report = await soakCampaign(plan);
    const { warm, end, most, acknowledged, reads, kills } = report;
    console.info(
      `seed ${String(seed)}: ${String(kills)} kills, ${String(acknowledged)} acknowledged, ${String(reads)} reads, ` +
        `slowest start ${report.slowestStartMs.toFixed(0)} ms; warm ${words(warm)}; at the end ${words(end)}; most ${words(most)}`,
    );
    expect(report).toMatchObject({ lost: [], twice: [], problems: [], unsigned: 0 });
    // A soak in which nothing happened would have shown nothing.
    expect(kills).toBeGreaterThanOrEqual(KILLS);
    expect(acknowledged).toBeGreaterThan(CLIENTS);
    expect(reads).toBeGreaterThan(acknowledged);
    expect(most.residentMiB).toBeLessThan(MOST_MIB);
    expect(most.logMiB).toBeLessThan(MOST_LOG_MIB);
    expect(end.files).toBeLessThanOrEqual(warm.files + SPARE_FILES);
    expect(most.sockets).toBeLessThan(MOST_SOCKETS);
    const growth = plan.warmMs < JUDGED_FROM_MS ? 1 : end.residentMiB / warm.residentMiB;
    expect(growth).toBeLessThanOrEqual(MOST_GROWTH);
  });

  it('would be seen to grow', async () => {
    using directory = temporaryDirectory();
    const leak = 'const kept = []; setInterval(() => kept.push(Buffer.alloc(2 ** 20, 1)), 20)';
    const child = spawn(process.execPath, ['-e', leak]);
    const watch = watchFootprint(child.pid ?? 0, join(directory.path, 'none.db'));
    await sleep(3_000);
    await watch.stop();
    child.kill('SIGKILL');
    const warm = watch.typical({ from: 500, to: 1_000 });
    const end = watch.typical({ from: 2_500, to: 3_000 });
    expect(end.residentMiB / warm.residentMiB).toBeGreaterThan(MOST_GROWTH);
  });
});

function words({ residentMiB, files, sockets, logMiB }: Footprint): string {
  return `${residentMiB.toFixed(0)} MiB, ${String(files)} files, ${String(sockets)} sockets, log ${logMiB.toFixed(1)} MiB`;
}
