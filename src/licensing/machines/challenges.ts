import { type Clock, MINUTE } from '../../lib/clock.ts';
import { invariant } from '../../lib/invariant.ts';
import type { Random } from '../../lib/random.ts';
import type { RealmId } from '../../storage/realm-scope.ts';

const NONCE_BYTES = 18;
/** Long enough to sign on a slow token; a nonce that is older is asked for again. */
const LIFE_MS = 2 * MINUTE;
/** Nonces open at a time for one machine: a few programs on it may ask at once. */
const PER_MACHINE = 4;
/** Machines with open nonces: the one that asked longest ago is forgotten. */
const MACHINES = 16_384;

interface Open {
  readonly nonce: string;
  readonly until: number;
}

/** Nonces that machines sign their requests over: each good once, in memory alone, so that a restart forgets them. */
export class Challenges {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #random: Random;
  readonly #open = new Map<string, Open[]>();

  constructor(deps: { readonly clock: Pick<Clock, 'monotonic'>; readonly random: Random }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
  }

  /** A fresh nonce for a machine, good for `lifeMs`. */
  issue(realm: RealmId, machineId: string): { readonly nonce: string; readonly lifeMs: number } {
    const key = keyOf(realm, machineId);
    const nonce = this.#random.bytes(NONCE_BYTES).toString('base64url');
    const open = [...this.#living(key), { nonce, until: this.#clock.monotonic() + LIFE_MS }];
    this.#open.delete(key); // re-inserted as the youngest
    this.#open.set(key, open.slice(-PER_MACHINE));
    if (this.#open.size > MACHINES) this.#forgetOldest();
    return { nonce, lifeMs: LIFE_MS };
  }

  /** Whether the nonce is one open for this machine; it is no longer open afterwards. */
  take(realm: RealmId, machineId: string, nonce: string): boolean {
    const key = keyOf(realm, machineId);
    const living = this.#living(key);
    const rest = living.filter((open) => open.nonce !== nonce);
    if (rest.length > 0) this.#open.set(key, rest);
    else this.#open.delete(key);
    return rest.length < living.length;
  }

  #living(key: string): Open[] {
    const now = this.#clock.monotonic();
    return (this.#open.get(key) ?? []).filter(({ until }) => until > now);
  }

  #forgetOldest(): void {
    const oldest = this.#open.keys().next();
    invariant(oldest.done !== true, 'a full table has a first row');
    this.#open.delete(oldest.value);
  }
}

const keyOf = (realm: RealmId, machineId: string): string => `${realm} ${machineId}`;
