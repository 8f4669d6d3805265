import { createHash } from 'node:crypto';
import { join, relative } from 'node:path';
import { seeded } from '../seeded.ts';
import { judge, type State, type Verdict } from './judge.ts';
import type { Recording } from './record.ts';
import { Play } from './play.ts';
import { type Fate, FATES } from './recorded-disk.ts';

/** How many power cuts, and where their states are put. */
export interface PowerCutPlan {
  readonly recording: Recording;
  readonly states: number;
  /** Decides what each cut leaves; the same recording and seed give the same states. */
  readonly seed: number;
  /** Where states are put, one after the other: a directory in memory is faster and as good. */
  readonly scratch: string;
}

/** One state with something wrong in it. */
export interface Broken {
  readonly state: number;
  readonly fate: Fate;
  /** After which event of the recording the power went. */
  readonly after: string;
  /** Ids that somebody had been told, and that are gone. */
  readonly lost: readonly string[];
  readonly problems: readonly string[];
}

/** What a campaign found. */
export interface PowerCutReport {
  readonly states: number;
  /** States that were not what the cut before with the same fate had left: an earlier fsync had settled everything. */
  readonly different: number;
  /** Moments of the recording at which the power could go. */
  readonly moments: number;
  /** States in which somebody had been told of something. */
  readonly told: number;
  /** States in which something is gone that somebody was told of, and states in which something else is wrong. */
  readonly losing: number;
  readonly damaged: number;
  /** The first of them. */
  readonly broken: readonly Broken[];
  /** Files that the recording, read to its end, says to be other than they were: none, or it is misread. */
  readonly misread: readonly string[];
}

/** More broken states than anybody reads. */
const SHOWN = 10;

/**
 * Plays a recording on a disk that has promised no more than POSIX does, cuts the power at every moment in turn, and
 * judges what is left. State n is cut n/states of the way through, with the n-th fate and randomness of its own.
 */
export async function powerCutCampaign(plan: PowerCutPlan): Promise<PowerCutReport> {
  const { recording, states, scratch } = plan;
  const { credential, data } = recording.appliance;
  const play = new Play(recording);
  const bench = new Bench();
  const broken: Broken[] = [];
  let told = 0;
  for (let state = 0; state < states; state++) {
    const after = play.upTo(Math.floor((state * play.moments) / states));
    const fate = FATES[state % FATES.length] ?? 'lost';
    const files = below(data, play.disk.cut(fate, seeded(plan.seed * 1_000_003 + state)));
    const { known, problems } = await bench.judge(fate, { root: join(scratch, 'state'), credential, files });
    const lost = play.told.filter((id) => !known.has(id));
    if (play.told.length > 0) told++;
    if (lost.length + problems.length > 0) broken.push({ state, fate, after, lost, problems });
  }
  play.upTo(play.moments - 1);
  return {
    states,
    different: bench.different,
    moments: play.moments,
    told,
    losing: broken.filter(({ lost }) => lost.length > 0).length,
    damaged: broken.filter(({ problems }) => problems.length > 0).length,
    broken: broken.slice(0, SHOWN),
    misread: differing(play.disk.live(), recording.after),
  };
}

/** Judges states, and the same state once: most cuts leave what the one before left. */
class Bench {
  readonly #last = new Map<Fate, { readonly digest: string; readonly verdict: Verdict }>();
  different = 0;

  async judge(fate: Fate, state: State): Promise<Verdict> {
    const digest = digestOf(state.files);
    const last = this.#last.get(fate);
    if (last?.digest === digest) return last.verdict;
    const verdict = await judge(state);
    this.#last.set(fate, { digest, verdict });
    this.different++;
    return verdict;
  }
}

function digestOf(files: ReadonlyMap<string, Buffer>): string {
  const hash = createHash('sha256');
  for (const [path, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`${path}\0${String(bytes.length)}\0`).update(bytes);
  return hash.digest('hex');
}

function below(directory: string, files: ReadonlyMap<string, Buffer>): Map<string, Buffer> {
  return new Map([...files].map(([path, bytes]) => [relative(directory, path), bytes]));
}

/** SQLite maps its index of the log into memory: what is in that file is never seen by whoever watches calls. */
const MAPPED = /-shm$/;

function differing(played: ReadonlyMap<string, Buffer>, real: ReadonlyMap<string, Buffer>): string[] {
  const paths = new Set([...played.keys(), ...real.keys()]);
  return [...paths].filter((path) => {
    const [one, other] = [played.get(path), real.get(path)];
    if (MAPPED.test(path) && one !== undefined && other !== undefined) return false;
    return one === undefined || other === undefined || !one.equals(other);
  });
}
