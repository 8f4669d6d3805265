import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a daemon needs of its machine. */
export interface Footprint {
  /** Resident memory. */
  readonly residentMiB: number;
  /** Open descriptors of files, pipes and the like. */
  readonly files: number;
  /** Open sockets: connections, and the doors. */
  readonly sockets: number;
  /** Write-ahead log. */
  readonly logMiB: number;
}

/** Footprints of a daemon's life. */
export interface Footprints {
  /** Looks no more. */
  stop(): Promise<void>;
  /** The middle of what there was in a time of its life, milliseconds since the first look. */
  typical(between: { readonly from: number; readonly to: number }): Footprint;
  /** The most of each that there was. */
  most(): Footprint;
}

const LOOK_EVERY_MS = 200;
const MIB = 1024 * 1024;

interface Look extends Footprint {
  readonly at: number;
}

/** Looks at a daemon again and again until told to stop. @param database its file; its log lies beside it */
export function watchFootprint(pid: number, database: string): Footprints {
  const looks: Look[] = [];
  const started = performance.now();
  const ending = new AbortController();
  const watching = (async () => {
    while (!ending.signal.aborted) {
      looks.push({ at: performance.now() - started, ...footprintOf(pid, database) });
      await sleep(LOOK_EVERY_MS);
    }
  })();
  return {
    stop: () => {
      ending.abort();
      return watching;
    },
    typical: ({ from, to }) => {
      const within = looks.filter(({ at }) => at >= from && at <= to);
      return each((pick) => middle(within.map(pick)));
    },
    most: () => each((pick) => Math.max(0, ...looks.map(pick))),
  };
}

/** The larger one of each figure. */
export function mostOf(one: Footprint, other: Footprint): Footprint {
  return each((pick) => Math.max(pick(one), pick(other)));
}

function each(figure: (pick: (look: Footprint) => number) => number): Footprint {
  return {
    residentMiB: figure(({ residentMiB }) => residentMiB),
    files: figure(({ files }) => files),
    sockets: figure(({ sockets }) => sockets),
    logMiB: figure(({ logMiB }) => logMiB),
  };
}

function middle(figures: readonly number[]): number {
  const found = figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)];
  if (found === undefined) throw new Error('nobody looked in this time');
  return found;
}

function footprintOf(pid: number, database: string): Footprint {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  const log = statSync(`${database}-wal`, { throwIfNoEntry: false });
  return {
    residentMiB: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024,
    ...openDescriptors(pid),
    logMiB: (log?.size ?? 0) / MIB,
  };
}

function openDescriptors(pid: number): Pick<Footprint, 'files' | 'sockets'> {
  const directory = `/proc/${String(pid)}/fd`;
  const targets = readdirSync(directory).flatMap((name) => targetOf(`${directory}/${name}`));
  const sockets = targets.filter((target) => target.startsWith('socket:')).length;
  return { files: targets.length - sockets, sockets };
}

/** Where a descriptor leads; nowhere, when it was closed since the directory was read. */
function targetOf(path: string): string[] {
  try {
    return [readlinkSync(path)];
  } catch {
    return [];
  }
}
