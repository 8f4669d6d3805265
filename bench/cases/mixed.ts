import { setTimeout as sleep } from 'node:timers/promises';
import { residentMiB } from '../appliance.ts';
import { type Asking, dataIn, expectStatus, type LoadResult } from '../load.ts';
import { type BenchMachine, issueMachines } from '../machines.ts';
import type { BenchRow } from '../report.ts';
import { floorLicense, loadFloor, loadOurs, rateRow, type Stage } from '../stage.ts';
import { MIX, type Kind, shuffledMix } from './mix.ts';

const MACHINES = 2000;
/** Share of the rate of a closed loop at which a paced one asks. */
const PACE = 0.5;
const SAMPLE_MS = 200;
const BAR_LOADED_MIB = 400;

/** What a mixed load is told of, kind by kind. */
type Ask = Readonly<Record<Kind, (i: number) => ReturnType<Asking['request']>>>;

/**
 * The load of a site: 80 % validations, 15 % heartbeats, 4 % activations and deactivations, 1 % checkouts. Once as fast as
 * it goes, once at half that rate, when latency says what a client feels.
 */
export async function mixedCase(stage: Stage): Promise<BenchRow[]> {
  const requests = 4 * stage.sizes.requests;
  const machines = await issueMachines(stage, Math.min(MACHINES, requests), {
    name: 'Mixed',
    maxMachines: 1000,
  });
  const mixed = new MixedLoad(machines);
  await loadOurs(stage, mixed.asking(), { requests: Math.ceil(requests / 8) });
  const memory = watchMemory(stage.appliance.pid);
  const ours = await loadOurs(stage, mixed.asking(), { requests });
  const floor = await loadFloor(stage, await floorMix(stage), { requests });
  const paced = await loadOurs(stage, mixed.asking(), { requests, duePerSecond: ours.perSecond * PACE });
  const loadedMiB = await memory.stop();
  await mixed.demandCounted(stage);
  const name = MIX.map(({ kind, share }) => `${share} % ${kind}`).join(', ');
  const half = `the same at ${Math.round(paced.perSecond)}/s`;
  return [
    rateRow(`mixed load, 64 connections: ${name}`, {}, { ours, floor }),
    ...kindRows(half, paced).map((row) => ({ ...row, loopDelay: paced.loopDelay })),
    {
      name: 'memory, most under mixed load',
      unit: 'MiB',
      ours: loadedMiB,
      floor: null,
      bar: `≤ ${BAR_LOADED_MIB} MiB`,
      holds: loadedMiB <= BAR_LOADED_MIB,
    },
  ];
}

function kindRows(name: string, { byKind }: LoadResult): BenchRow[] {
  return Object.entries(byKind).map(([kind, latency]) => ({
    name: `${name}: ${kind}`,
    unit: 'ms (p50)',
    ours: latency.p50Ms,
    floor: null,
    latency,
    bar: '',
    holds: null,
  }));
}

/** Requests by kind over machines that are there; knows how many there must be in the end. */
export class MixedLoad {
  readonly #machines: readonly BenchMachine[];
  readonly #mix = shuffledMix();
  /** Machines that a deactivation may take: activated by this load, and answered. */
  readonly #extra: string[] = [];
  #activated = 0;
  #deactivated = 0;

  constructor(machines: readonly BenchMachine[]) {
    this.#machines = machines;
  }

  asking(): Asking {
    const kinds: string[] = [];
    const turn = this.#activated;
    const request = (i: number): ReturnType<Asking['request']> => {
      const asked = this.#ask[this.#mix(i)](i + turn);
      kinds[i] = asked.kind ?? '';
      return asked;
    };
    const check: Asking['check'] = (i, answer) => {
      if (kinds[i] === 'validate') {
        const { code } = dataIn(200, i, answer);
        if (code !== 'VALID') throw new Error(`key ${i} was judged ${String(code)}`);
      } else if (kinds[i] === 'activate') {
        this.#extra.push(String(dataIn(201, i, answer)['id']));
      } else expectStatus(200)(i, answer);
    };
    return { request, check };
  }

  /** The appliance has as many machines as were activated and not deactivated. */
  async demandCounted({ appliance }: Stage): Promise<void> {
    let counted = 0;
    const asking: Asking = {
      request: (i) => ({ method: 'GET', path: `/api/v1/licenses/${this.#machines[i]?.license.id ?? ''}` }),
      check: (i, answer) => {
        counted += Number(dataIn(200, i, answer)['machineCount']);
      },
    };
    await loadOurs({ appliance }, asking, { requests: this.#machines.length });
    const expected = this.#machines.length + this.#activated - this.#deactivated;
    if (counted !== expected) throw new Error(`${counted} machines are there, not ${expected}`);
  }

  #machine(i: number): BenchMachine {
    const machine = this.#machines[(i * 7919) % this.#machines.length];
    if (machine === undefined) throw new Error('a mixed load needs machines');
    return machine;
  }

  readonly #ask: Ask = {
    validate: (i) => {
      const { license, fingerprint } = this.#machine(i);
      const body = JSON.stringify({ key: license.key, fingerprint });
      return { method: 'POST', path: '/api/v1/licenses/validate-key', body, kind: 'validate' };
    },
    heartbeat: (i) => ({
      method: 'POST',
      path: `/api/v1/machines/${this.#machine(i).id}/heartbeat`,
      body: '{}',
      kind: 'heartbeat',
    }),
    'activate or deactivate': (i) => {
      const id = this.#activated > this.#deactivated ? this.#extra.shift() : undefined;
      return id === undefined ? this.#activate(i) : this.#deactivate(id);
    },
    checkout: (i) => ({
      method: 'POST',
      path: `/api/v1/machines/${this.#machine(i).id}/checkout`,
      body: '{}',
      kind: 'checkout',
    }),
  };

  #activate(i: number): ReturnType<Asking['request']> {
    const path = `/api/v1/licenses/${this.#machine(i).license.id}/machines`;
    const body = JSON.stringify({ fingerprint: `bench-extra-${++this.#activated}`, platform: 'linux' });
    return { method: 'POST', path, body, kind: 'activate' };
  }

  #deactivate(id: string): ReturnType<Asking['request']> {
    this.#deactivated++;
    return { method: 'DELETE', path: `/api/v1/machines/${id}`, kind: 'deactivate' };
  }
}

async function floorMix(stage: Stage): Promise<Asking> {
  const license = await floorLicense(stage);
  const mix = shuffledMix();
  const machines: string[] = [];
  const bodies: Readonly<Record<Kind, (i: number) => readonly [path: string, body: object]>> = {
    validate: () => ['/validate', { key: license.key }],
    heartbeat: () => ['/heartbeat', { id: license.id }],
    'activate or deactivate': (i) => {
      const id = machines.shift();
      const fresh = { license: license.id, fingerprint: `bench-extra-${i}` };
      return id === undefined ? ['/machine', fresh] : ['/deactivate', { license: license.id, id }];
    },
    checkout: () => ['/checkout', { license: license.id }],
  };
  const paths: string[] = [];
  return {
    request: (i) => {
      const [path, body] = bodies[mix(i)](i);
      paths[i] = path;
      return { method: 'POST', path, body: JSON.stringify(body) };
    },
    check: (i, answer) => {
      const { id } = dataIn(200, i, answer);
      if (paths[i] === '/machine') machines.push(String(id));
    },
  };
}

/** Looks at the memory of a process until it is told to stop; then says the most there was, MiB. */
export function watchMemory(pid: number): { stop(): Promise<number> } {
  let [most, over] = [0, false];
  const watching = (async () => {
    while (!over) {
      most = Math.max(most, residentMiB(pid));
      await sleep(SAMPLE_MS);
    }
  })();
  return {
    stop: async () => {
      over = true;
      await watching;
      return most;
    },
  };
}
