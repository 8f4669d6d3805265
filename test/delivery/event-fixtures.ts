import { createOutbox, type EventDraft } from '../../src/delivery/index.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { testAuthority, type TestStorage } from '../support/storage.ts';

/** The outbox of a test appliance; realms are named by their numbers. */
export const outbox = createOutbox({
  random: systemRandom,
  realmName: (realm) => ({ tenant: `tenant-${String(realm)}`, environment: 'live' }),
});

/** Announces events, each in a unit of its own, in the order given. */
export async function announce(
  storage: TestStorage,
  drafts: readonly Pick<EventDraft, 'type' | 'realm'>[],
): Promise<string[]> {
  const ids: string[] = [];
  for (const [n, draft] of drafts.entries()) {
    const event = { ...draft, data: { n } };
    ids.push(await storage.work.run(testAuthority(draft.realm), (tx) => outbox.emit(tx, event)));
  }
  return ids;
}
