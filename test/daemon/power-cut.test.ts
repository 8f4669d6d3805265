import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { powerCutCampaign, type PowerCutReport } from '../campaigns/power-cut/campaign.ts';
import { type Recording, record } from '../campaigns/power-cut/record.ts';
import { repeatAfterCut } from '../campaigns/power-cut/repeat.ts';
import { scratchDirectory } from '../campaigns/power-cut/scratch.ts';
import { noStrace } from '../campaigns/power-cut/strace.ts';
import { temporaryDirectory } from '../support/daemon.ts';

const missing = noStrace();
if (missing !== undefined) console.warn(`power cuts are not tested here: ${missing}`);

/** `npm run test:powercut` sets more. */
const STATES = Number(process.env['CAMPAIGN_STATES'] ?? '2000');
const ROUNDS = Number(process.env['CAMPAIGN_ROUNDS'] ?? '2');
const SEED = Number(process.env['CAMPAIGN_SEED'] ?? Date.now() % 1_000_000);
const CLIENTS = 4;

const directory = temporaryDirectory();
const scratch = scratchDirectory();

afterAll(() => {
  directory[Symbol.dispose]();
  scratch[Symbol.dispose]();
});

function recordIn(name: string, env: Record<string, string> = {}): Promise<Recording> {
  return record({ directory: join(directory.path, name), clients: CLIENTS, rounds: ROUNDS, env });
}

describe.skipIf(missing !== undefined)('an appliance whose power is cut', () => {
  let recording: Recording;
  beforeAll(async () => {
    recording = await recordIn('sound');
  });

  it(`opens and has all that it acknowledged, once, in ${String(STATES)} states of its disk`, async () => {
    const started = performance.now();
    const report = await powerCutCampaign({ recording, states: STATES, seed: SEED, scratch: scratch.path });
    console.info(
      `seed ${String(SEED)}: ${summary(report)}, ${((performance.now() - started) / 1000).toFixed(1)} s`,
    );
    expect(report).toMatchObject({ states: STATES, broken: [], misread: [] });
    expect(report.told).toBeGreaterThan(STATES / 2);
  });

  it('gives each repeated request the answer it had, and makes nothing a second time', async () => {
    for (const share of [0.35, 0.6, 0.95]) {
      const repeated = await repeatAfterCut({ recording, share, seed: SEED, directory: scratch.path });
      expect(repeated).toMatchObject({ changed: [], twice: [], problems: [] });
      expect(repeated.told).toBeGreaterThan(0);
    }
  });
});

/** Far fewer states than of a sound appliance show what a weaker one loses. */
const WEAK_STATES = 120;

describe.skipIf(missing !== undefined)('the campaign of power cuts', () => {
  it.each([
    ['NORMAL', 'loses what it acknowledged', (report: PowerCutReport) => report.losing],
    ['OFF', 'is damaged', (report: PowerCutReport) => report.damaged],
  ])('finds out an appliance with synchronous=%s: it %s', async (level, _, count) => {
    const weaker = join(import.meta.dirname, '..', 'campaigns', 'power-cut', 'weaker-sync.ts');
    const env = { NODE_OPTIONS: `--import=${weaker}`, TEST_SYNCHRONOUS: level };
    const recording = await recordIn(level, env);
    const report = await powerCutCampaign({
      recording,
      states: WEAK_STATES,
      seed: SEED,
      scratch: scratch.path,
    });
    console.info(`synchronous=${level}: ${summary(report)}`);
    expect(report.misread).toEqual([]);
    expect(count(report)).toBeGreaterThan(WEAK_STATES / 10);
  });
});

function summary({ states, different, moments, told, losing, damaged }: PowerCutReport): string {
  return [
    `${String(states)} states (${String(different)} different) of ${String(moments)} moments`,
    `${String(told)} with something acknowledged`,
    `${String(losing)} lost some of it`,
    `${String(damaged)} damaged`,
  ].join(', ');
}
