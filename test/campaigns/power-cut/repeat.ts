import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { serveAppliance } from '../../support/appliance-process.ts';
import { dataOf, send } from '../../support/daemon.ts';
import { auditDatabase } from '../audit-database.ts';
import { seeded } from '../seeded.ts';
import { Play } from './play.ts';
import type { Acknowledged, Recording } from './record.ts';

/** A cut, after which every client asks again for everything it ever asked for. */
export interface RepeatPlan {
  readonly recording: Recording;
  /** How much of the recording was played when the power went. */
  readonly share: number;
  readonly seed: number;
  readonly directory: string;
}

/** What the clients and the database said. */
export interface Repeated {
  /** Requests that had been answered when the power went. */
  readonly told: number;
  /** Of those, the ones whose answer is another one now. */
  readonly changed: readonly string[];
  /** Rows that nobody was told of. */
  readonly twice: readonly string[];
  readonly problems: readonly string[];
}

/** Cuts the power, starts a real daemon on what is left, and repeats every request of the recording with its key. */
export async function repeatAfterCut(plan: RepeatPlan): Promise<Repeated> {
  const { recording, share, seed } = plan;
  const play = new Play(recording);
  play.upTo(Math.floor(share * play.moments));
  const data = join(plan.directory, `repeated-${String(share)}`);
  for (const [path, bytes] of play.disk.cut('torn', seeded(seed))) {
    const at = join(data, relative(recording.appliance.data, path));
    mkdirSync(dirname(at), { recursive: true, mode: 0o700 });
    writeFileSync(at, bytes, { mode: 0o600 });
  }
  const answers = await askAgain(recording, data);
  const found = auditDatabase(join(data, 'mintmark.db'));
  const given = new Set(answers.values());
  const had = recording.acknowledged.filter(({ id }) => play.told.includes(id));
  return {
    told: had.length,
    changed: had.filter(({ key, id }) => answers.get(key) !== id).map(({ key }) => key),
    twice: [...found.licenses, ...found.machines, ...found.files].filter((id) => !given.has(id)),
    problems: found.problems,
  };
}

/** @returns the id that each key was answered with */
async function askAgain({ appliance, acknowledged }: Recording, data: string): Promise<Map<string, string>> {
  const daemon = await serveAppliance({ data, credential: appliance.credential });
  const answers = new Map<string, string>();
  // A licence that was not acknowledged may have another id now, and its machine goes to that one.
  const now = new Map<string, string>();
  for (const { path, body, key, id } of acknowledged) {
    const again = await ask(
      { url: daemon.url, key: appliance.secretKey },
      { path: moved(path, now), body, key },
    );
    answers.set(key, again);
    now.set(id, again);
  }
  await daemon.stop();
  return answers;
}

async function ask(
  target: { readonly url: string; readonly key: string },
  { path, body, key }: Pick<Acknowledged, 'path' | 'body' | 'key'>,
): Promise<string> {
  const data = await dataOf(
    send(target, { method: 'POST', path, body, headers: { 'idempotency-key': key } }),
  );
  return String(data['id'] ?? data['fileId']);
}

function moved(path: string, now: ReadonlyMap<string, string>): string {
  const [old = ''] = /lic_\w+/.exec(path) ?? [];
  return path.replace(old, now.get(old) ?? old);
}
