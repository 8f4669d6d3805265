import { type Asking, dataIn, expectStatus, type LoadResult } from '../load.ts';
import { median } from '../latency.ts';
import type { BenchMachine } from '../machines.ts';
import type { BenchRow } from '../report.ts';
import { loadOurs, type Stage } from '../stage.ts';
import type { GrownFrom } from './generator.ts';

/** Rounds in which small and large take turns: what disturbs the machine disturbs both. */
const ROUNDS = 5;
const BAR = 1.3;

/** One size of an appliance, serving, and what is known of it. */
export interface Grown {
  readonly stage: Pick<Stage, 'appliance'>;
  readonly from: GrownFrom;
  readonly sample: readonly BenchMachine[];
  /** In the names of new machines: those of an earlier measurement are there. */
  readonly mark: string;
}

interface GrowthCase {
  readonly name: string;
  /** Requests of one round, as a share of those of a read. */
  readonly share: number;
  readonly anonymous?: boolean;
  readonly asking: (grown: Grown, turn: () => number) => Asking;
}

const get = (path: (machine: BenchMachine) => string): GrowthCase['asking'] => {
  return ({ sample }, turn) => ({
    request: () => ({ method: 'GET', path: `/api/v1${path(pick(sample, turn()))}` }),
    check: expectStatus(200),
  });
};

const post = (
  status: number,
  made: (machine: BenchMachine, grown: Grown, number: number) => readonly [path: string, body: object],
): GrowthCase['asking'] => {
  return (grown, turn) => ({
    request: () => {
      const number = turn();
      const [path, body] = made(pick(grown.sample, number), grown, number);
      return { method: 'POST', path: `/api/v1${path}`, body: JSON.stringify(body) };
    },
    check: expectStatus(status),
  });
};

/** In no order that the tables have. */
function pick(sample: readonly BenchMachine[], number: number): BenchMachine {
  const machine = sample[(number * 7919) % sample.length];
  if (machine === undefined) throw new Error('there is something to measure with');
  return machine;
}

const validated = post(200, ({ license, fingerprint }) => [
  '/licenses/validate-key',
  { key: license.key, fingerprint },
]);

const CASES: readonly GrowthCase[] = [
  { name: 'show a licence', share: 1, asking: get(({ license }) => `/licenses/${license.id}`) },
  {
    name: 'look a key up',
    share: 1,
    asking: post(200, ({ license }) => ['/licenses/lookup', { key: license.key }]),
  },
  { name: 'list 20 licences', share: 0.25, asking: get(() => '/licenses?limit=20') },
  { name: 'show a machine', share: 1, asking: get(({ id }) => `/machines/${id}`) },
  {
    name: "list a licence's machines",
    share: 0.5,
    asking: get(({ license }) => `/machines?licenseId=${license.id}`),
  },
  {
    name: "read a licence's ledger",
    share: 0.25,
    asking: get(({ license }) => `/audit?subject=${license.id}`),
  },
  {
    name: 'validate-key',
    share: 1,
    anonymous: true,
    asking: (grown, turn) => {
      const { request, check } = validated(grown, turn);
      return { request, check: (i, answer) => demandValid(check, i, answer) };
    },
  },
  { name: 'heartbeat', share: 1, asking: post(200, ({ id }) => [`/machines/${id}/heartbeat`, {}]) },
  { name: 'create a licence', share: 0.1, asking: post(201, (_, { from }) => ['/licenses', from]) },
  {
    name: 'activate a machine',
    share: 0.25,
    asking: post(201, ({ license }, { mark }, number) => [
      `/licenses/${license.id}/machines`,
      { fingerprint: `grown-later-${mark}-${number}` },
    ]),
  },
  { name: 'check a file out', share: 0.25, asking: post(200, ({ id }) => [`/machines/${id}/checkout`, {}]) },
];

function demandValid(check: Asking['check'], ...[i, answer]: Parameters<Asking['check']>): void {
  check(i, answer);
  if (dataIn(200, i, answer)['valid'] !== true) throw new Error(`key ${i} was not judged valid`);
}

/**
 * Reads and writes of an appliance that has grown beside those of one with a thousand licences, turn by turn. The floor
 * of a row is the small one.
 * @param requests of a read in one round
 */
export async function measureGrowth(
  { small, large }: { readonly small: Grown; readonly large: Grown },
  size: { readonly name: string; readonly requests: number },
): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const growthCase of CASES) rows.push(await measureCase(growthCase, { small, large }, size));
  return rows;
}

async function measureCase(
  { name, share, anonymous, asking }: GrowthCase,
  { small, large }: { readonly small: Grown; readonly large: Grown },
  size: { readonly name: string; readonly requests: number },
): Promise<BenchRow> {
  const requests = Math.ceil(size.requests * share);
  const shape = { requests, ...(anonymous === undefined ? {} : { anonymous }) };
  const turns = [counter(), counter()] as const;
  const rounds: { small: LoadResult; large: Awaited<ReturnType<typeof loadOurs>> }[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const one = await loadOurs(small.stage, asking(small, turns[0]), shape);
    const other = await loadOurs(large.stage, asking(large, turns[1]), shape);
    // The first round warms both.
    if (round > 0) rounds.push({ small: one, large: other });
  }
  const times = median(rounds.map((round) => round.small.perSecond / round.large.perSecond));
  const last = rounds.at(-1)?.large;
  return {
    name: `${name}, ${size.name} licences (floor: 1 000)`,
    unit: '/s',
    ours: median(rounds.map((round) => round.large.perSecond)),
    floor: median(rounds.map((round) => round.small.perSecond)),
    ...(last === undefined ? {} : { latency: last.latency, loopDelay: last.loopDelay }),
    bar: `≤ ${BAR} × the time: ${times.toFixed(2)} ×`,
    holds: times <= BAR,
  };
}

function counter(): () => number {
  let number = 0;
  return () => number++;
}
