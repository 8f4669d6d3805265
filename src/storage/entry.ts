import type { JsonValue } from '../lib/strict-json.ts';
import type { RealmId } from './realm-scope.ts';

/** Who acted, as the ledger names them: random ids only. `via` says how the proof came (`api-key`, `socket`, `job`…). */
export interface Actor {
  readonly kind: 'operator' | 'api-key' | 'license' | 'consumer' | 'oauth-client' | 'anonymous' | 'system';
  readonly id: string;
  readonly via: string;
}

/**
 * In whose name a unit of work runs. A permit is one, a named job is the other; nothing else may be.
 * `realm` null means the appliance itself.
 */
export interface Authority {
  readonly actor: Actor;
  readonly requestId: string;
  readonly realm: RealmId | null;
}

/** The columns of a row that decide something (states, limits, times, random ids); nothing personal. */
export type DecidingColumns = Readonly<Record<string, string | number | boolean | null>>;

/** One state change, or one refusal worth keeping, as an operation describes it to the log. */
export interface EntryDraft {
  /** The realm it concerns; null for the appliance. */
  readonly realm: RealmId | null;
  /** `<noun>.<verb>`, e.g. `license.suspended`. */
  readonly action: string;
  readonly target: { readonly kind: string; readonly id: string };
  readonly outcome: 'done' | 'refused';
  readonly before?: DecidingColumns;
  readonly after?: DecidingColumns;
  /** What an auditor needs in clear beside the row: a count, the digest of issued bytes. Never anything personal. */
  readonly facts?: DecidingColumns;
  /** Further ids under which the entry is found, beside its target and the licence it names. */
  readonly about?: readonly string[];
  /** Whatever names or describes a person: kept sealed beside the leaf, which carries only a hiding commitment. */
  readonly private?: Readonly<Record<string, JsonValue>>;
}
