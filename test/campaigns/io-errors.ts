import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import {
  EndedBeforeServing,
  type InitialisedAppliance,
  initAppliance,
  type RunUnder,
  type ServedAppliance,
  serveAppliance,
} from '../support/appliance-process.ts';
import { send } from '../support/daemon.ts';
import { stockUp } from '../support/stock.ts';
import { auditDatabase } from './audit-database.ts';
import { noStrace, recorded } from './power-cut/strace.ts';

/** Why I/O errors cannot be had here; undefined: they can. */
export function noIoErrors(): string | undefined {
  const { error } = spawnSync('fiu-run', ['-h']);
  return error === undefined ? noStrace() : 'fiu-utils is not installed';
}

/** A call that fails with an I/O error, once. */
export type IoError =
  /** The n-th call of the process to a file of the database; strace answers in place of the kernel. */
  | { readonly by: 'strace'; readonly call: string; readonly nth: number }
  /** The first call after a number of answers, to whatever file; libfiu answers in place of the C library. */
  | { readonly by: 'fiu'; readonly call: string; readonly after: number };

/** What one run with one error showed. */
export interface IoErrorRun {
  readonly error: IoError;
  /** The error was met: the call was made and failed. */
  readonly met: boolean;
  readonly exitCode: number | null;
  /** Something was answered with a status that is neither a success nor a missing connection. */
  readonly refused: readonly string[];
  readonly acknowledged: number;
  /** After a restart on a sound disk: what was acknowledged and is not there, and everything else that is wrong. */
  readonly lost: readonly string[];
  readonly problems: readonly string[];
}

/** An appliance that is copied for each run. */
export interface Template {
  readonly directory: string;
  readonly appliance: InitialisedAppliance;
  readonly productId: string;
  readonly policyId: string;
}

/** Calls with which SQLite makes a commit durable. */
export const CALLS = ['pwrite64', 'fsync', 'ftruncate'] as const;

/** The same, as libfiu names them. */
export const POINTS = ['posix/io/rw/pwrite', 'posix/io/sync/fsync'] as const;

const REQUESTS = 6;
/** A control pipe whose reader is gone would be waited for without end. */
const CONTROL_MS = 10_000;
/** The last number that strace counts to; a run makes far fewer calls. */
const NEVER = 65_535;

/** Makes the appliance that every run begins with. */
export async function template(directory: string): Promise<Template> {
  mkdirSync(directory, { recursive: true });
  const appliance = await initAppliance(directory);
  const daemon = await serveAppliance(appliance);
  const { productId, policyId } = await stockUp({ url: daemon.url, key: appliance.secretKey }, 'io');
  await daemon.stop();
  return { directory, appliance, productId, policyId };
}

/** How often each call is made to the files of the database in a run without an error. */
export async function countCalls(given: Template): Promise<ReadonlyMap<string, number>> {
  await runWith(given, { by: 'strace', call: 'pwrite64', nth: NEVER });
  const made = [...readFileSync(traceOf(given), 'latin1').matchAll(/^\d+ +(\w+)\(/gm)].map(
    ([, call]) => call,
  );
  return new Map(CALLS.map((call) => [call, made.filter((each) => each === call).length]));
}

/**
 * Starts an appliance, lets clients write, stops it in order, with one error on the way; then starts it on a sound disk
 * and looks at what is left.
 */
export async function runWith(given: Template, error: IoError): Promise<IoErrorRun> {
  const data = join(given.directory, 'run-data');
  rmSync(data, { recursive: true, force: true });
  mkdirSync(data, { mode: 0o700 });
  cpSync(given.appliance.data, data, { recursive: true });
  const appliance = { ...given.appliance, data };
  const told: Told = { acknowledged: [], refused: [], met: false };
  const { exitCode, pid } = await liveWith({ given, error, told, appliance });
  if (error.by === 'strace') told.met = await wasInjected(given, pid);
  const again = await serveAppliance(appliance);
  await again.stop();
  const found = auditDatabase(join(data, 'mintmark.db'));
  return {
    error,
    met: told.met,
    exitCode,
    refused: told.refused,
    acknowledged: told.acknowledged.length,
    lost: told.acknowledged.filter((id) => !found.licenses.includes(id)),
    problems: found.problems,
  };
}

interface Told {
  readonly acknowledged: string[];
  readonly refused: string[];
  met: boolean;
}

interface Life {
  readonly given: Template;
  readonly error: IoError;
  readonly appliance: InitialisedAppliance;
  readonly told: Told;
}

interface End {
  readonly exitCode: number | null;
  readonly pid: number;
}

async function liveWith(life: Life): Promise<End> {
  try {
    const { given, error, appliance } = life;
    const daemon = await serveAppliance(appliance, [], underError(given, error, appliance.data));
    const pid = daemon.child.pid ?? 0;
    return { exitCode: (await workWith(life, daemon)) ? await daemon.stop() : await daemon.exited, pid };
  } catch (ended) {
    if (!(ended instanceof EndedBeforeServing)) throw ended;
    return ended;
  }
}

/** @returns false when the daemon died before everything was answered */
async function workWith({ given, error, told }: Life, daemon: ServedAppliance): Promise<boolean> {
  const { productId, policyId, appliance } = given;
  const target = { url: daemon.url, key: appliance.secretKey };
  for (let request = 0; request < REQUESTS; request++) {
    if (error.by === 'fiu' && error.after === request) told.met = failNext(given, daemon, error.call);
    const asked = { method: 'POST', path: '/licenses', body: { productId, policyId } };
    const answer = await send(target, asked).catch((cut: unknown) => {
      if (cut instanceof TypeError) return undefined; // `fetch` lost the connection
      throw cut;
    });
    if (answer === undefined) return false;
    if (answer.status === 201) told.acknowledged.push((answer.body['data'] as { id: string }).id);
    else told.refused.push(`${String(answer.status)} ${JSON.stringify(answer.body)}`);
  }
  return true;
}

/** The next call fails, whichever thread makes it. */
function failNext(given: Template, daemon: ServedAppliance, call: string): boolean {
  const command = `enable name=${call},failinfo=${String(constants.errno.EIO)},onetime`;
  const pid = String(daemon.child.pid ?? 0);
  const flags = ['-f', controlOf(given), '-c', command, pid];
  return spawnSync('fiu-ctrl', flags, { timeout: CONTROL_MS }).status === 0;
}

async function wasInjected(given: Template, pid: number): Promise<boolean> {
  await recorded(traceOf(given), pid);
  return readFileSync(traceOf(given), 'latin1').includes('(INJECTED)');
}

const traceOf = ({ directory }: Template): string => join(directory, 'io-trace');
const controlOf = ({ directory }: Template): string => join(directory, 'fiu');

function underError(given: Template, error: IoError, data: string): RunUnder {
  if (error.by === 'fiu') return { program: ['fiu-run', '-x', '-f', controlOf(given)] };
  const { call, nth } = error;
  const traced = `trace=${CALLS.join(',')}`;
  const database = join(data, 'mintmark.db');
  rmSync(traceOf(given), { force: true });
  const paths = [database, `${database}-wal`].flatMap((path) => ['-P', path]);
  const inject = ['-e', traced, '-e', `inject=${call}:error=EIO:when=${String(nth)}`];
  return { program: ['strace', '-D', '-f', ...paths, '-s', '0', '-o', traceOf(given), ...inject, '--'] };
}
