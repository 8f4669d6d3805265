import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { RealmName } from '../../access/index.ts';
import { type Keyring, type SigningKey, tenantScope } from '../../custody/keyring.ts';
import { Fault } from '../../faults.ts';
import { append } from '../../ledger/append.ts';
import { type Clock, DAY, type EpochMs, HOUR, SECOND } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import { type Outcome, settle, STALE } from '../../licensing/index.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { layOutRevocationList } from '../revocation-list.ts';
import { ListTexts, type ListText } from './publish-list-texts.ts';
import { type Gathered, gatherEntries, MAX_ENTRIES } from './publish-entries.ts';
import {
  countRevocations,
  findListHead,
  leastEpoch,
  type ListHead,
  listDecides,
  storeList,
  type StoredList,
} from './revocation-list-store.ts';

/** What making lists needs. */
export interface RevocationListDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
  readonly keyring: Pick<Keyring, 'activeKey' | 'ofTenant' | 'sign'>;
  readonly time: { now(): EpochMs };
  readonly clock: Pick<Clock, 'monotonic'>;
  /** null: its tenant is erased. */
  readonly realmName: (realm: RealmId) => RealmName | null;
  /** @throws the fault of a state of the appliance in which nothing is issued */
  readonly admit: (activity: 'issue') => void;
  /** Told why a list could not be made while an older one is given out. */
  readonly onListFailure: (error: unknown) => void;
  /** Changed by tests. */
  readonly listLimits?: { readonly paceMs: number; readonly maxEntries: number };
}

/** The name under which lists are made. */
export const REVOCATION_JOB = 'revocation-list';

/** A list asked for this long after it was made is made anew: files that demand a list measure its age. */
export const RENEW_MS = HOUR;
/** When whoever holds a list should look for the next one. */
const NEXT_UPDATE_MS = DAY;
/** Numbers are seconds: at most one list in each of them. */
const PACE_MS = SECOND;
/** After a list that took long: making lists is at most a fifth of what the process does. */
const PAUSE_PER_MAKING = 4;
const MAX_PAUSE_MS = 10 * SECOND;

/** What is remembered of the last making of a realm's list. */
interface Making {
  readonly endedAt: number;
  readonly tookMs: number;
}

/**
 * The revocation lists of all realms: made from the rows that decide, when somebody asks and something has changed since
 * the last one or that is an hour old. One at a time per realm; whoever asks meanwhile gets that one.
 */
export class RevocationLists {
  readonly #deps: RevocationListDeps;
  readonly #texts = new ListTexts();
  readonly #underway = new Map<RealmId, Promise<void>>();
  readonly #last = new Map<RealmId, Making>();

  constructor(deps: RevocationListDeps) {
    this.#deps = deps;
  }

  /** Number of the newest list; 0 before the first: what files name as their epoch. */
  epoch(realm: RealmId): number {
    return findListHead(this.#deps.work.read.in(realm))?.number ?? 0;
  }

  /**
   * The head of the list that holds now, made first if it is due. One that cannot be made is no reason to withhold the last
   * one, whose age everybody can see.
   * @throws Fault of why the first list cannot be made
   */
  async current(realm: RealmId): Promise<ListHead> {
    const { work, onListFailure } = this.#deps;
    const reader = work.read.in(realm);
    if (this.#isDue(realm, true)) {
      try {
        await this.#make(realm);
      } catch (error) {
        if (findListHead(reader) === undefined) throw error;
        onListFailure(error);
      }
    }
    return present(findListHead(reader), 'a list that was made is stored');
  }

  /** Number and bytes of the newest list. */
  text(realm: RealmId): ListText {
    return this.#texts.of(this.#deps.work.read.in(realm), realm);
  }

  /** Makes the list of a realm if what it says has changed, so that files know of it. Nobody asked: its age is no reason. */
  async follow(realm: RealmId): Promise<void> {
    if (this.#isDue(realm, false)) await this.#make(realm);
  }

  #isDue(realm: RealmId, byAge: boolean): boolean {
    const head = findListHead(this.#deps.work.read.in(realm));
    const basis = this.#basis(realm);
    // Nothing was ever revoked, and nobody asks.
    if (head === undefined) return byAge || basis !== NOTHING;
    return head.basis !== basis || (byAge && this.#deps.time.now() - head.issuedAt >= RENEW_MS);
  }

  /** What the list of a realm is made of, told apart from what it was made of before: both parts only grow. */
  #basis(realm: RealmId): string {
    const changes = countRevocations(this.#deps.work.read.in(realm));
    return basisOf(changes, this.#compromised(realm).length);
  }

  #compromised(realm: RealmId): SigningKey[] {
    const { tenantId } = this.#nameOf(realm);
    return this.#deps.keyring
      .ofTenant(tenantId)
      .filter((key) => key.purpose === 'license' && key.realm === realm && key.state === 'compromised');
  }

  #make(realm: RealmId): Promise<void> {
    const running = this.#underway.get(realm);
    if (running !== undefined) return running;
    const making = this.#paced(realm).finally(() => this.#underway.delete(realm));
    this.#underway.set(realm, making);
    return making;
  }

  async #paced(realm: RealmId): Promise<void> {
    const { admit, clock, listLimits } = this.#deps;
    admit('issue');
    const last = this.#last.get(realm);
    const pause = Math.max(listLimits?.paceMs ?? PACE_MS, (last?.tookMs ?? 0) * PAUSE_PER_MAKING);
    const left = last === undefined ? 0 : last.endedAt + Math.min(pause, MAX_PAUSE_MS) - clock.monotonic();
    if (left > 0) await wait(left);
    const begun = clock.monotonic();
    try {
      await settle('the revocation list', () => this.#attempt(realm));
    } finally {
      const endedAt = clock.monotonic();
      this.#last.set(realm, { endedAt, tookMs: endedAt - begun });
    }
  }

  /**
   * 1. The basis is read before the rows: what changes while they are read makes the list due again. 2. Signed, outside
   * any unit. Stop here: a list that nobody has seen is gone. 3. Stored with its number; only then is it given out, so that
   * no number is ever given to two lists, whatever crashes.
   */
  async #attempt(realm: RealmId): Promise<Outcome<void>> {
    const { work, keyring, time, listLimits } = this.#deps;
    const reader = work.read.in(realm);
    const head = findListHead(reader);
    const basis = this.#basis(realm);
    const now = time.now();
    const maxEntries = listLimits?.maxEntries ?? MAX_ENTRIES;
    const gathered = await gatherEntries({ reader, compromised: this.#compromised(realm), now, maxEntries });
    const name = this.#nameOf(realm);
    const key = keyring.activeKey('revocation', tenantScope(name.tenantId));
    const number = numberAfter(head?.number ?? 0, now);
    const minEpoch = Math.max(head?.minEpoch ?? 0, leastEpoch(reader, now) ?? head?.number ?? 0);
    const terms = { number, issuedAt: now, nextUpdateAt: now + NEXT_UPDATE_MS, minEpoch };
    const { tenantCode, environment } = name;
    const prepared = layOutRevocationList({ ...gathered, ...terms, tenantCode, environment }, key);
    const jws = prepared.finish(await keyring.sign(key.kid, prepared.signingInput));
    const list = { number, minEpoch, issuedAt: now, basis, jws };
    const authority = {
      actor: { kind: 'system', id: REVOCATION_JOB, via: 'job' },
      requestId: REVOCATION_JOB,
    } as const;
    return work.run({ ...authority, realm: null }, (tx) =>
      // Its tenant was erased meanwhile: no row of it may come after those that were deleted.
      this.#deps.realmName(realm) === null
        ? { refused: unknownRealm() }
        : store(tx, { realm, name, list, gathered, was: head?.number ?? 0 }),
    );
  }

  #nameOf(realm: RealmId): RealmName {
    const name = this.#deps.realmName(realm);
    if (name === null) throw unknownRealm();
    return name;
  }
}

const unknownRealm = (): Fault => new Fault('NOT_FOUND', 'there is no such environment of a tenant');

const basisOf = (revocations: number, compromised: number): string =>
  `${String(revocations)} ${String(compromised)}`;

const NOTHING = basisOf(0, 0);

/**
 * The number of the next list: the time, in seconds. An appliance that was restored from a backup does not know the numbers
 * it gave since, and cannot give one of them again: they lie in the past.
 */
export function numberAfter(last: number, now: EpochMs): number {
  return Math.max(last + 1, Math.floor(now / SECOND));
}

interface Storing {
  readonly realm: RealmId;
  readonly name: RealmName;
  readonly list: StoredList;
  readonly gathered: Gathered;
  readonly was: number;
}

function store(tx: Tx, { realm, name, list, gathered, was }: Storing): Outcome<void> {
  const { number, minEpoch, jws } = list;
  if (!storeList(tx.in(realm), list, was)) return STALE;
  append(tx, {
    realm: null,
    action: 'revocation_list.published',
    // Its own target: what describes the tenant is in other entries.
    target: { kind: 'revocation-list', id: `${name.tenantId}/${name.environment}` },
    about: [name.tenantId],
    after: listDecides(list),
    facts: {
      environment: name.environment,
      number,
      minEpoch,
      licenses: gathered.licenses.length,
      keys: gathered.keys.length,
      digest: createHash('sha256').update(jws, 'ascii').digest('hex'),
    },
  });
  return { done: undefined };
}
