import type { Outbox } from '../../delivery/outbox.ts';
import { type EpochMs, isoTime } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { type ApiKey, apiKeyView } from './api-key.ts';
import { findKey, pageOfKeys } from './api-key-store.ts';
import type { KeyEnvironment } from './api-key-text.ts';
import { eventData } from './create-api-key.ts';
import { noteTold, standingOf } from './key-notice-store.ts';
import {
  type KeyAgeRules,
  type KeyNotice,
  type KeyStanding,
  noticesDue,
  NOTHING_YET,
} from './key-notices.ts';

/** Name of the job. */
export const ANNOUNCE_KEYS_JOB = 'api-key-notices';

/** Keys read at a time. */
const PAGE = 200;

/** What announcing needs. */
export interface AnnounceKeysDeps {
  readonly work: Pick<UnitOfWork, 'keep' | 'read'>;
  readonly outbox: Outbox;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
  readonly environmentOf: (realm: RealmId) => KeyEnvironment;
  readonly rules: KeyAgeRules;
}

/**
 * Tells of keys that should be rotated, that will end, and that have nearly issued what they may. Each once: what was told is
 * stored in the unit that stores the event.
 * @param realm given by a job's walk over all realms
 */
export async function announceKeys(deps: AnnounceKeysDeps, realm: RealmId): Promise<void> {
  let before = Number.MAX_SAFE_INTEGER;
  for (;;) {
    const page = pageOfKeys(deps.work.read.in(realm), { before, limit: PAGE });
    const due = page.filter(({ key }) => isDue(deps, realm, key));
    if (due.length > 0) {
      await deps.work.keep(ANNOUNCE_KEYS_JOB, (tx) => {
        for (const { key } of due) tell(deps, tx, { realm, id: key.id });
      });
    }
    const last = page.at(-1);
    if (page.length < PAGE || last === undefined) return;
    before = last.seq;
  }
}

function isDue(deps: AnnounceKeysDeps, realm: RealmId, key: ApiKey): boolean {
  if (key.revokedAt !== null) return false;
  const standing = standingOf(deps.work.read.in(realm), key.id) ?? NOTHING_YET;
  const { notices, after } = noticesDue(key, standing, { ...deps.rules, now: deps.time.now() });
  return notices.length > 0 || !isSame(standing, after);
}

/** Decided anew: the key may have changed since it was found. */
function tell(
  deps: AnnounceKeysDeps,
  tx: Tx,
  { realm, id }: { readonly realm: RealmId; readonly id: string },
): void {
  const rows = tx.in(realm);
  const key = findKey(rows, id);
  if (key === undefined || key.revokedAt !== null) return;
  const standing = standingOf(rows, id) ?? NOTHING_YET;
  const { notices, after } = noticesDue(key, standing, { ...deps.rules, now: tx.now });
  const data = eventData(apiKeyView(key, deps.environmentOf(realm)));
  for (const notice of notices) {
    const { type, ...more } = shown(notice);
    deps.outbox.emit(tx, { type, realm, data: { ...data, ...more } });
  }
  noteTold(rows, id, after);
}

function shown(notice: KeyNotice) {
  return notice.type === 'key.expiring_soon' ? { ...notice, endsAt: isoTime(notice.endsAt) } : notice;
}

function isSame(a: KeyStanding, b: KeyStanding): boolean {
  return a.announcedDays === b.announcedDays && a.alertedTotal === b.alertedTotal;
}
