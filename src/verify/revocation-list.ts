import { sha256 } from '@noble/hashes/sha2.js';
import { encodeBase64url } from './base64.ts';
import { demandGiven, demandText, demandTrust } from './call.ts';
import { checkJws, readJws } from './jws.ts';
import { placeOf } from './place.ts';
import { answering, demand, type VerdictCode, demandForm } from './refusal.ts';
import { choiceAt, countAt, objectsAt, stringAt, stringsAt, timeAt } from './shape.ts';
import type { SignatureVerifiers } from './signature.ts';
import { compareToSeen, newestSeen, seenMessage, type SeenMessage, type VerifierState } from './state.ts';
import type { JsonObject } from './strict-json.ts';
import { utf8Bytes } from './text.ts';
import { demandInUse, findSoundKey, type Environment, type Trust } from './trust.ts';

/** How to judge a revocation list. */
export interface RevocationListOptions {
  readonly trust: Trust;
  /** Default `live`. */
  readonly environment?: Environment | undefined;
  /** The list held until now, if any. */
  readonly held?: RevocationList | undefined;
  readonly state?: VerifierState | undefined;
  readonly verifiers?: SignatureVerifiers | undefined;
}

/** What became of a list. */
export interface RevocationListAnswer {
  readonly accepted: boolean;
  /** VALID when accepted. */
  readonly code: VerdictCode;
  readonly message: string;
  /** What to use from now on: the new list, or the one held when the new one was refused. */
  readonly list: RevocationList | undefined;
  /** To be stored by the host. */
  readonly state: VerifierState;
}

/** What a list names: files by `jti`, the others by their ids. */
export type RevocableKind = 'files' | 'licenses' | 'machines' | 'grants';

const TYP = 'mm-crl+jws';
const MAX_CHARACTERS = 16 * 1024 * 1024;
const ENTRY_BYTES = 16;
const ENVIRONMENTS = ['live', 'test'] as const;

/** Options with every default filled in that is asked for here. */
type Given = RevocationListOptions & { readonly environment: Environment };

/** A verified revocation list (docs/formats/revocation-list.md). */
export class RevocationList {
  readonly tenant: string;
  readonly environment: Environment;
  readonly number: number;
  readonly issuedAtMs: number;
  readonly nextUpdateMs: number;
  readonly minEpoch: number;
  /** By number and content, as the state remembers it. */
  readonly seen: SeenMessage;
  readonly #entries: Readonly<Record<RevocableKind, ReadonlySet<string>>>;
  /** Affirmed digests by kid. */
  readonly #keys: ReadonlyMap<string, ReadonlySet<string>>;

  private constructor(payload: JsonObject, payloadBytes: Uint8Array) {
    demandForm(countAt(payload, 'v') === 1, 'the revocation list is of an unknown version');
    this.tenant = stringAt(payload, 'tenant');
    this.environment = choiceAt(payload, 'env', ENVIRONMENTS);
    this.number = countAt(payload, 'number');
    this.seen = seenMessage(this.number, payloadBytes);
    this.issuedAtMs = timeAt(payload, 'issued');
    this.nextUpdateMs = timeAt(payload, 'nextUpdate');
    this.minEpoch = countAt(payload, 'minEpoch');
    this.#entries = {
      files: entriesAt(payload, 'files'),
      licenses: entriesAt(payload, 'licenses'),
      machines: entriesAt(payload, 'machines'),
      grants: entriesAt(payload, 'grants'),
    };
    const keys = objectsAt(payload, 'keys');
    this.#keys = new Map(keys.map((item) => [stringAt(item, 'kid'), entriesAt(item, 'affirmed')]));
  }

  /**
   * Accepts or refuses a list: signed by a trusted `revocation` key, of the same tenant and environment, and not older
   * than the one seen before (LIST_STALE). A second list with the number of the one seen is LIST_FORK.
   * @throws TypeError that names the argument or option, for a mistake in the call
   */
  static accept(text: string, options: RevocationListOptions): RevocationListAnswer {
    demandText(text, 'text');
    demandTrust(options);
    const { environment, state } = placeOf(options);
    const { held } = options;
    demandGiven(held == null || held instanceof RevocationList, 'held', '`list` of the last answer');
    return answering({ accepted: false, list: held, state }, () =>
      RevocationList.#accept(text, { ...options, environment }, state),
    );
  }

  static #accept(text: string, options: Given, state: VerifierState): RevocationListAnswer {
    demandForm(text.length <= MAX_CHARACTERS, 'the revocation list is too large');
    const { trust, environment } = options;
    const { payload, payloadBytes, signatures } = readJws(text.trim(), TYP);
    const [signature, ...more] = signatures;
    demandForm(signature !== undefined && more.length === 0, 'a revocation list has one signature');
    const key = findSoundKey(trust, { kid: signature.kid, purpose: 'revocation', environment });
    checkJws(signature, key, options.verifiers ?? {});
    const list = new RevocationList(payload, payloadBytes);
    demandInUse(list.issuedAtMs >= key.notBeforeMs, key.kid);
    const tenant = options.held?.tenant ?? trust.tenant ?? list.tenant;
    demand(list.tenant === tenant, 'ISSUER_MISMATCH', `the revocation list belongs to tenant ${list.tenant}`);
    const fits = list.environment === environment;
    demand(fits, 'ENVIRONMENT_MISMATCH', `the revocation list is for the ${list.environment} environment`);
    const order = compareToSeen(list.seen, newestSeen(state.list, options.held?.seen));
    demand(order !== 'fork', 'LIST_FORK', `there are two revocation lists number ${list.number.toString()}`);
    demand(order !== 'old', 'LIST_STALE', 'a newer revocation list was accepted before');
    const newestTimeMs = Math.max(state.newestTimeMs, list.issuedAtMs);
    return {
      accepted: true,
      code: 'VALID',
      message: 'accepted',
      list,
      state: { ...state, newestTimeMs, list: list.seen },
    };
  }

  /** Whether the list names this file, licence, machine or grant. */
  names(kind: RevocableKind, id: string): boolean {
    return this.#entries[kind].has(entry(utf8Bytes(`mm-crl/${id}`)));
  }

  /** Whether the list names this signing key. */
  namesKey(kid: string): boolean {
    return this.#keys.has(kid);
  }

  /** Whether the issuer stands by this file (its `enc`) although its key is compromised. */
  affirms(kid: string, enc: string): boolean {
    return this.#keys.get(kid)?.has(entry(utf8Bytes(enc))) ?? false;
  }
}

function entry(bytes: Uint8Array): string {
  return encodeBase64url(sha256(bytes).subarray(0, ENTRY_BYTES));
}

/** Entries stand sorted and once each, so that one set has one text. */
function entriesAt(payload: JsonObject, key: string): ReadonlySet<string> {
  const list = stringsAt(payload, key);
  const sorted = list.every((item, at) => at === 0 || (list[at - 1] ?? '') < item);
  demandForm(sorted, `the entries of ${key} are not sorted`);
  return new Set(list);
}
