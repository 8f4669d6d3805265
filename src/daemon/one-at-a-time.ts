import { Fault } from '../faults.ts';
import type { Parts } from './parts.ts';

/** What is being done to the keys or the copies of an appliance, by its data directory. */
const underWay = new WeakMap<Parts['directory'], string>();

/**
 * Work that must not run beside itself or its like: a backup made while slots are exchanged would hold a mixture that nothing
 * opens.
 * @param what in a sentence: `another backup is being made`
 * @throws Fault CONFLICT saying what is under way
 */
export async function oneAtATime<T>(
  { directory }: Pick<Parts, 'directory'>,
  what: string,
  body: () => Promise<T>,
): Promise<T> {
  const running = underWay.get(directory);
  if (running !== undefined) throw new Fault('CONFLICT', `${running}; wait until that is done`);
  underWay.set(directory, what);
  try {
    return await body();
  } finally {
    underWay.delete(directory);
  }
}
