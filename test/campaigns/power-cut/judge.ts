import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { loadConfig } from '../../../src/config/index.ts';
import { openParts } from '../../../src/daemon/parts.ts';
import { Fault } from '../../../src/faults.ts';
import { silentLog } from '../../../src/http/log.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import { openDataDirectory } from '../../../src/storage/data-directory.ts';
import { type AuditedDatabase, auditDatabase } from '../audit-database.ts';

/** A state of a data directory. */
export interface State {
  /** Where it is put; what is there is removed. */
  readonly root: string;
  readonly credential: string;
  /** By path relative to `root`. */
  readonly files: ReadonlyMap<string, Buffer>;
}

/** What a state holds, and what is wrong with it. */
export interface Verdict {
  /** Every id of what clients make. */
  readonly known: ReadonlySet<string>;
  readonly problems: readonly string[];
}

/** Puts a state on disk, opens it as a daemon does, and looks at all of it. */
export async function judge(state: State): Promise<Verdict> {
  putDown(state.root, state.files);
  try {
    const states = await openAsDaemon(state);
    const found = auditDatabase(join(state.root, 'mintmark.db'));
    const known = new Set([...found.licenses, ...found.machines, ...found.files]);
    return { known, problems: [...states, ...found.problems, ...twice(found, known.size)] };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { known: new Set(), problems: [`${error.name}: ${error.message} ${causeOf(error)}`] };
  }
}

function putDown(root: string, files: ReadonlyMap<string, Buffer>): void {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true, mode: 0o700 });
  for (const [name, bytes] of files) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, bytes, { mode: 0o600 });
  }
}

/** @returns the states that would keep the appliance from its work; none, if all is well */
async function openAsDaemon({ root, credential }: State): Promise<string[]> {
  const { config } = loadConfig({ file: '/dev/null', environment: {}, flags: { 'data.directory': root } });
  const directory = await openDataDirectory(root, { dev: false });
  try {
    const failures: string[] = [];
    const around = {
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      onFatal: (error: Error) => failures.push(error.message),
    };
    const unsealing = { with: 'credential', path: credential } as const;
    const parts = await openParts({ config, directory, unsealing }, around);
    const states = parts.states().map(({ state, reason }) => `${state}: ${reason}`);
    await parts.work.stop();
    await parts.custody[Symbol.asyncDispose]();
    return [...states, ...failures];
  } finally {
    directory.close();
  }
}

/** Every request had a key of its own, and its answer is kept in the unit that made the row. */
function twice({ keptAnswers }: AuditedDatabase, made: number): string[] {
  return made === keptAnswers ? [] : [`${String(made)} rows were made for ${String(keptAnswers)} keys`];
}

function causeOf(error: Error): string {
  const code = error instanceof Fault ? error.code : '';
  return error.cause instanceof Error ? `${code} (${error.cause.message})` : code;
}
