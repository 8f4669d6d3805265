import type { Recording } from './record.ts';
import { RecordedDisk } from './recorded-disk.ts';
import type { DiskEvent } from './strace.ts';

/** Something that the disk or somebody outside can notice. */
interface Moment {
  readonly events: readonly DiskEvent[];
  /** Ids that somebody knows from here on. */
  readonly told: readonly string[];
}

/** A recording that is played from its beginning, moment after moment. */
export class Play {
  readonly disk: RecordedDisk;
  /** What somebody has been told so far. */
  readonly told: string[] = [];
  readonly #moments: readonly Moment[];
  #next = 0;

  /** @throws Error when an acknowledged id is not in the recording */
  constructor(recording: Recording) {
    this.disk = new RecordedDisk(recording.before);
    this.#moments = momentsOf(recording);
  }

  /** At how many moments the power could go. */
  get moments(): number {
    return this.#moments.length;
  }

  /** Plays everything up to a moment, with it. @returns what happened there, in words */
  upTo(moment: number): string {
    for (; this.#next <= moment; this.#next++) {
      const { events = [], told = [] } = this.#moments[this.#next] ?? {};
      for (const event of events) this.disk.apply(event);
      this.told.push(...told);
    }
    return nameOf(this.#moments[moment]?.events.at(-1));
  }
}

function momentsOf({ events, acknowledged }: Recording): Moment[] {
  const unknown = new Set(acknowledged.map(({ id }) => id));
  const moments: Moment[] = [];
  let before: DiskEvent[] = [];
  for (const event of events) {
    before.push(event);
    const told = event.kind === 'sent' ? [...unknown].filter((id) => event.text.includes(id)) : [];
    for (const id of told) unknown.delete(id);
    if (event.kind === 'sync-begin' || (event.kind === 'sent' && told.length === 0)) continue;
    moments.push({ events: before, told });
    before = [];
  }
  if (unknown.size > 0)
    throw new Error(`${String(unknown.size)} answers are not in the recording: it is not whole`);
  return moments;
}

function nameOf(event: DiskEvent | undefined): string {
  if (event === undefined) return 'nothing';
  return event.kind === 'sent' ? 'an answer' : `${event.kind} ${event.path.split('/').at(-1) ?? ''}`;
}
