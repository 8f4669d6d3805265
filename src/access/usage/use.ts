import type { EpochMs } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Principal } from '../principal.ts';

/** One answered request, as the HTTP server tells of it. */
export interface UsedRequest {
  /** Null: nobody could be identified. */
  readonly who: Principal | null;
  /** `METHOD /pattern` */
  readonly action: string;
  readonly status: number;
  readonly address: string;
  /** The first id in the path. */
  readonly subject: string | undefined;
}

/** Equal requests of one second. */
export interface UseRow {
  readonly realm: RealmId;
  /** Kind and id, e.g. `api-key:key_01…`. */
  readonly principal: string;
  /** When the first of them was answered. */
  readonly at: EpochMs;
  readonly route: string;
  readonly status: number;
  readonly address: string;
  readonly subject: string | undefined;
  count: number;
}

/** Requests of which only the number is kept, by the hour. */
export interface UseTotal {
  readonly realm: RealmId;
  /** Hours since the epoch. */
  readonly hour: number;
  readonly principal: string;
  readonly route: string;
  readonly status: number;
  count: number;
}

/** What those are counted under who have proven nothing. */
export const NOBODY = 'anonymous:-';

/** Whose name a request is kept under; undefined: it is only counted. */
export function namedCaller(who: Principal | null): string | undefined {
  return who === null || who.kind === 'anonymous' ? undefined : `${who.actor.kind}:${who.actor.id}`;
}
