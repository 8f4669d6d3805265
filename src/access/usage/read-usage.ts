import type { Indexer, Sealer } from '../../custody/sealer.ts';
import { addressPrefix } from '../../ledger/index.ts';
import { type EpochMs, HOUR, isoTime } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import type { Permit } from '../permit.ts';
import {
  openAddress,
  type StoredUse,
  subjectCandidates,
  systemRealm,
  totalsBefore,
  type UsagePlace,
  usesAbout,
  usesBefore,
  usesOf,
} from './usage-store.ts';

/** What reading the log needs. */
export interface ReadUsageDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
  readonly sealer: Pick<Sealer, 'open'>;
  readonly indexer: Pick<Indexer, 'candidates'>;
}

/** Where to look: in the caller's realm, or in what belongs to none. */
export type UsagePart = 'realm' | 'system';

/** What is looked for; what is absent does not matter. */
export interface UsageAsked {
  readonly part: UsagePart;
  /** Kind and id of the caller. */
  readonly principal?: string | undefined;
  /** An id that requests were about. */
  readonly subject?: string | undefined;
  readonly route?: string | undefined;
  readonly status?: number | undefined;
  readonly since?: EpochMs | undefined;
  readonly until?: EpochMs | undefined;
  readonly before: number;
  readonly limit: number;
}

/** Equal requests of one second, as they are shown. */
export interface UseView {
  readonly at: string;
  readonly principal: string;
  readonly route: string;
  readonly status: number;
  readonly count: number;
  /** The network alone (/24, /64) for whoever may not see personal data. */
  readonly address: string;
}

/** What was found, and where to go on: null when there is no more. */
export interface FoundUsage {
  readonly uses: readonly UseView[];
  readonly next: number | null;
}

/** Rows that are read at a time, and how often for one answer: a filter that fits nothing must not stop everybody. */
const CHUNK = 500;
const CHUNKS = 10;
/** Rows that could not be written at once come later than their time says. */
const DISORDER_MS = HOUR;

/**
 * Who asked for what in the caller's realm, newest first. At most 5000 rows are looked at: when fewer than `limit` of them
 * fit and there are more, the answer says where to go on.
 */
export function readUsage(deps: ReadUsageDeps, permit: Permit, asked: UsageAsked): FoundUsage {
  const realm = realmOf(permit, asked.part);
  const show = shownIn(deps, permit, realm);
  const found: StoredUse[] = [];
  const from = sourceOf(deps, realm, asked);
  let before = asked.before;
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    const rows = from({ before, limit: CHUNK });
    for (const row of rows) {
      if (asked.since !== undefined && row.at < asked.since - DISORDER_MS)
        return { uses: found.map(show), next: null };
      if (found.length === asked.limit) return { uses: found.map(show), next: before };
      before = row.seq;
      if (fits(row, asked)) found.push(row);
    }
    if (rows.length < CHUNK) return { uses: found.map(show), next: null };
  }
  return { uses: found.map(show), next: before };
}

/** The narrowest way to the rows. */
function sourceOf(
  { work, indexer }: ReadUsageDeps,
  realm: RealmId,
  { principal, subject }: UsageAsked,
): (place: UsagePlace) => StoredUse[] {
  const reader: RealmReader = work.read.in(realm);
  if (subject !== undefined) {
    const digests = subjectCandidates(indexer, realm, subject);
    return (place) => usesAbout(reader, digests, place);
  }
  if (principal !== undefined) return (place) => usesOf(reader, principal, place);
  return (place) => usesBefore(reader, place);
}

function fits(row: StoredUse, { principal, route, status, since, until }: UsageAsked): boolean {
  if (since !== undefined && row.at < since) return false;
  if (principal !== undefined && row.principal !== principal) return false;
  if (route !== undefined && row.route !== route) return false;
  if (status !== undefined && row.status !== status) return false;
  return until === undefined || row.at < until;
}

function shownIn(deps: ReadUsageDeps, permit: Permit, realm: RealmId): (row: StoredUse) => UseView {
  const whole = mayReveal(permit);
  return ({ at, principal, route, status, count, address: sealed }) => {
    const address = openAddress(deps.sealer, { realm, principal }, sealed);
    const told = whole ? address : addressPrefix(address);
    return { at: isoTime(at), principal, route, status, count, address: told };
  };
}

function realmOf(permit: Permit, part: UsagePart): RealmId {
  if (part === 'system') return systemRealm();
  return present(permit.realm, 'a permit for the usage of a realm names its realm');
}

/** An address leads to a person. */
function mayReveal({ principal }: Permit): boolean {
  if (principal.kind === 'operator') return true;
  return principal.kind === 'secret-key' && principal.scopes.has('licenses:reveal');
}

/** Requests of which only the number was kept. */
export interface TotalView {
  readonly hour: string;
  readonly principal: string;
  readonly route: string;
  readonly status: number;
  readonly count: number;
}

/** The hours of a day hold this many different numbers at most in one answer; the busiest realms have a few hundred. */
const TOTALS_SHOWN = 1000;

/** Numbers of the 24 hours before `until`, newest first. */
export function readTotals(
  deps: Pick<ReadUsageDeps, 'work'>,
  permit: Permit,
  asked: { readonly part: UsagePart; readonly until: EpochMs },
): readonly TotalView[] {
  const beforeHour = Math.floor(asked.until / HOUR) + 1;
  const reader = deps.work.read.in(realmOf(permit, asked.part));
  return totalsBefore(reader, { beforeHour, afterHour: beforeHour - 24, limit: TOTALS_SHOWN }).map(
    ({ hour, ...total }) => ({ hour: isoTime(hour * HOUR), ...total }),
  );
}
