import { setTimeout as wait } from 'node:timers/promises';
import { Fault } from '../faults.ts';
import { type Clock, MINUTE } from '../lib/clock.ts';
import { present } from '../lib/invariant.ts';
import type { Authority } from '../storage/journal.ts';
import { readJobState, writeJobState } from '../storage/job-state-store.ts';
import { type RealmId, SYSTEM_REALM } from '../storage/realm-scope.ts';
import { type Cursor, SEALED_WALKS } from '../storage/sealed-walks.ts';
import type { Reader, Tx } from '../storage/tx.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import type { Custody } from './custody.ts';
import type { Cell, Sealer } from './sealer.ts';
import { keyVersionOf } from './value-format.ts';

/** What re-encryption stands on. */
export interface ResealDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'keep' | 'read' | 'emptyLog'>;
  readonly custody: Pick<Custody, 'outdatedDataKeys' | 'destroyDataKey'>;
  readonly sealer: Sealer;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Changed by tests. */
  readonly resealPace?: ResealPace;
}

/** How re-encryption shares the process with everybody else. */
export interface ResealPace {
  readonly sliceMs: number;
  /** Rest after a slice, as a multiple of what it took. */
  readonly rest: number;
  /** How long one run of the job lasts. */
  readonly runMs: number;
  readonly graceMs: number;
}

/**
 * A slice holds the event loop; four times as long it is let go. What was sealed before a rotation is stored within seconds
 * of it, or never: after ten minutes without a find, nobody holds such a value any more.
 */
const PACE: ResealPace = { sliceMs: 4, rest: 4, runMs: 900, graceMs: 10 * MINUTE };

/** Values looked at between two looks at the clock. */
const PAGE = 32;

/** The name under which values are re-encrypted; also that of what it remembers. */
export const RESEAL_JOB = 'reseal';

/** How far a realm's re-encryption is. */
export interface ResealProgress {
  readonly realm: RealmId;
  /** The key that everything is to be under. */
  readonly version: number;
  readonly older: readonly number[];
  /** Columns that are done, of all. */
  readonly columns: { readonly done: number; readonly of: number };
  /** Values that were put under the new key. */
  readonly resealed: number;
  /** Values of the last walk that nobody can open: their key is kept. */
  readonly unreadable: number;
}

/** What is remembered of a realm across restarts. */
interface Walk {
  readonly version: number;
  readonly column: number;
  readonly after: Cursor | null;
  readonly resealed: number;
  readonly unreadable: number;
}

/** What is known of a realm since this process runs. */
interface Watched {
  readonly version: number;
  /** Monotonic time since which no value under an older key was found. */
  cleanSince: number;
  /** When the walk that is under way began; undefined: none is. */
  begunAt: number | undefined;
}

/**
 * Puts values under the newest data key of their realm, in slices, and destroys the older ones when a walk over every
 * column finds nothing under them any more.
 *
 * A walk may be left at any point, by a crash as by a stop: what was re-encrypted says so itself, and the next walk goes on
 * behind the last slice. A key is destroyed only after a walk that began long after the last find has found nothing.
 */
export class Resealing {
  readonly #deps: ResealDeps;
  readonly #pace: ResealPace;
  readonly #watched = new Map<RealmId, Watched>();
  #logHoldsKeys = false;

  constructor(deps: ResealDeps) {
    this.#deps = deps;
    this.#pace = deps.resealPace ?? PACE;
  }

  /** Works for a moment on the first realm that needs it. */
  async run(): Promise<void> {
    const until = this.#now() + this.#pace.runMs;
    for (const { realm, version, older } of this.#deps.custody.outdatedDataKeys()) {
      while (this.#now() < until && !this.#rests(realm, version)) {
        const ended = await this.#slice(realm, version);
        if (ended && this.#isClean(realm, version)) {
          await this.#destroy(realm, { version, older });
          break;
        }
      }
    }
    // The keys that were deleted lie in the log until it is emptied; a reader may stand in the way.
    if (this.#logHoldsKeys) this.#logHoldsKeys = !this.#deps.work.emptyLog();
  }

  /** How far each realm is that has older keys. */
  progress(): ResealProgress[] {
    const of = SEALED_WALKS.length;
    return this.#deps.custody.outdatedDataKeys().map(({ realm, version, older }) => {
      const walk = this.#stored(realm);
      const { column, resealed, unreadable } = walk?.version === version ? walk : BEGINNING;
      return { realm, version, older, columns: { done: column, of }, resealed, unreadable };
    });
  }

  /** Nothing to do but wait until a walk could prove something. */
  #rests(realm: RealmId, version: number): boolean {
    const watched = this.#watch(realm, version);
    return watched.begunAt === undefined && watched.cleanSince > this.#now();
  }

  /** One unit: values of one part of the walk. @returns whether the walk has ended with it */
  async #slice(realm: RealmId, version: number): Promise<boolean> {
    const watched = this.#watch(realm, version);
    watched.begunAt ??= this.#now();
    const begun = this.#now();
    const { found, ended } = await this.#deps.work.keep(RESEAL_JOB, (tx) => this.#step(tx, realm, version));
    const now = this.#now();
    if (found > 0) watched.cleanSince = now + this.#pace.graceMs;
    await wait((now - begun) * this.#pace.rest);
    return ended;
  }

  #step(tx: Tx, realm: RealmId, version: number): { readonly found: number; readonly ended: boolean } {
    const until = this.#now() + this.#pace.sliceMs;
    let walk = this.#walkOf(realm, version, tx);
    let found = 0;
    do {
      const part = this.#part(tx, realm, walk);
      found += part.found;
      walk = part.walk;
    } while (walk.column < SEALED_WALKS.length && this.#now() < until);
    const ended = walk.column === SEALED_WALKS.length;
    writeJobState(tx, stateOf(realm), JSON.stringify(walk));
    return { found, ended };
  }

  #part(tx: Tx, realm: RealmId, walk: Walk): { readonly found: number; readonly walk: Walk } {
    const column = present(SEALED_WALKS[walk.column], 'a walk ends behind the last column');
    const { values, next } = column.page(tx, realm, { after: walk.after, limit: PAGE });
    const older = values.flatMap(({ key, row, sealed }) =>
      sealed === null || sealed.length === 0 || keyVersionOf(sealed) === walk.version
        ? []
        : [{ key, sealed, cell: { realm, table: column.table, column: column.column, row } }],
    );
    let found = 0;
    for (const { key, sealed, cell } of older) {
      const plain = this.#opened(cell, sealed);
      if (plain === null) continue;
      column.replace(tx, realm, { key, sealed: this.#deps.sealer.seal(cell, plain) });
      found += 1;
    }
    const at = next === null ? { column: walk.column + 1, after: null } : { after: next };
    const unreadable = walk.unreadable + older.length - found;
    return { found, walk: { ...walk, ...at, resealed: walk.resealed + found, unreadable } };
  }

  /** null: it is damaged. It is left as it is, for whoever can restore it. */
  #opened(cell: Cell, sealed: Buffer): Buffer | null {
    try {
      return this.#deps.sealer.open(cell, sealed);
    } catch (error) {
      if (error instanceof Fault && error.code === 'KEY_STORAGE') return null;
      throw error;
    }
  }

  /** After a walk: whether it proves that nothing is under an older key. If not, the next one begins anew. */
  #isClean(realm: RealmId, version: number): boolean {
    const watched = this.#watch(realm, version);
    const begunAt = present(watched.begunAt, 'a walk that ended was begun');
    watched.begunAt = undefined;
    if (this.#stored(realm)?.unreadable === 0) return begunAt >= watched.cleanSince;
    watched.cleanSince = this.#now() + this.#pace.graceMs;
    return false;
  }

  async #destroy(
    realm: RealmId,
    { version, older }: { readonly version: number; readonly older: readonly number[] },
  ): Promise<void> {
    const { work, custody } = this.#deps;
    await work.run(DESTROYER, (tx) => {
      for (const one of older) {
        custody.destroyDataKey(tx, realm, one);
        const target = { kind: 'data_key', id: String(one) };
        tx.record({
          realm: realm === SYSTEM_REALM ? null : realm,
          action: 'data_key.destroyed',
          target,
          outcome: 'done',
          facts: { newest: version },
        });
      }
    });
    this.#watched.delete(realm);
    this.#logHoldsKeys = true;
  }

  /** The walk as it was left; a walk for an older key, or one that ended, begins anew. */
  #walkOf(realm: RealmId, version: number, reader?: Tx): Walk {
    const walk = this.#stored(realm, reader);
    if (walk?.version !== version) return { version, ...BEGINNING };
    if (walk.column < SEALED_WALKS.length) return walk;
    return { ...walk, column: 0, after: null, unreadable: 0 };
  }

  #stored(realm: RealmId, reader: Reader = this.#deps.work.read): Walk | undefined {
    const stored = readJobState(reader, stateOf(realm));
    return stored === undefined ? undefined : (JSON.parse(stored) as Walk); // written by this class alone
  }

  #watch(realm: RealmId, version: number): Watched {
    const known = this.#watched.get(realm);
    if (known?.version === version) return known;
    // What was sealed before the rotation and is not stored yet: nobody can say when that was, so it is now.
    const now = this.#now();
    const watched: Watched = { version, cleanSince: now + this.#pace.graceMs, begunAt: now };
    this.#watched.set(realm, watched);
    return watched;
  }

  #now(): number {
    return this.#deps.clock.monotonic();
  }
}

const BEGINNING = { column: 0, after: null, resealed: 0, unreadable: 0 } as const;

const DESTROYER: Authority = {
  actor: { kind: 'system', id: RESEAL_JOB, via: 'job' },
  requestId: RESEAL_JOB,
  realm: null,
};

const stateOf = (realm: RealmId): string => `${RESEAL_JOB} ${String(realm)}`;
