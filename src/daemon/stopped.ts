import type { Config } from '../config/index.ts';
import type { Unsealing } from '../custody/index.ts';
import { newId } from '../lib/ulid.ts';
import { openDataDirectory } from '../storage/data-directory.ts';
import type { Authority } from '../storage/entry.ts';
import { close } from './first-tenant.ts';
import { openParts, type Parts, type Surroundings } from './parts.ts';

/**
 * Does something with an appliance that does not run, in the name of the local operator: opens its parts, signs what was
 * written, and closes them again.
 * @throws Fault DATA_DIRECTORY_IN_USE while it runs; KEY_STORAGE, SLOT_SECRET_WRONG
 */
export async function whileStopped<T>(
  given: { readonly config: Config; readonly unsealing: Unsealing },
  around: Surroundings,
  act: (parts: Parts, authority: Authority) => Promise<T>,
): Promise<T> {
  const directory = await openDataDirectory(given.config.data.directory, { dev: false });
  try {
    const parts = await openParts({ ...given, directory }, around);
    try {
      const actor = { kind: 'operator', id: 'local', via: 'command' } as const;
      const requestId = newId('request', parts.time.now(), around.random);
      return await act(parts, { actor, requestId, realm: null });
    } finally {
      await close(parts);
    }
  } finally {
    directory.close();
  }
}
