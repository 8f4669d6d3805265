import type { EpochMs } from '../lib/clock.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import { append } from './append.ts';
import type { TreeHead } from './merkle.ts';
import type { Refusals } from './refusals.ts';

/** What recording refusals needs. */
export interface RecordRefusalsDeps {
  readonly refusals: Refusals;
  readonly work: Pick<UnitOfWork<TreeHead>, 'run'>;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
}

/**
 * Writes the refusals collected since the last time, each in the name of who was refused. Once a minute, and with `last`
 * at stop, when totals do not wait for their hour.
 * @throws Fault DISK_FULL, OVERLOADED; what was collected is gone then
 */
export async function recordRefusals(
  { refusals, work, time }: RecordRefusalsDeps,
  options: { readonly last?: boolean } = {},
): Promise<void> {
  const entries = refusals.flush(time.now(), options);
  const written = entries.map(({ authority, happening }) =>
    work.run(authority, (tx) => {
      append(tx, happening);
    }),
  );
  await Promise.all(written);
}
