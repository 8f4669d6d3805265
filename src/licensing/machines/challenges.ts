import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { type Clock, MINUTE } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { equalBytes } from '../../lib/secret.ts';
import type { RealmId } from '../../storage/realm-scope.ts';

/** Long enough to sign on a slow token; a nonce that is older is asked for again. */
const LIFE_MS = 2 * MINUTE;
/** Used nonces that are remembered: more than are written in two minutes, and 10 MiB. */
const USED_MAX = 65_536;

const UNTIL_BYTES = 6;
const RANDOM_BYTES = 14;
const MARK_BYTES = 16;
const SAID_BYTES = UNTIL_BYTES + RANDOM_BYTES;
const KEY_BYTES = 32;

/**
 * Nonces that machines sign their requests over, each good for one machine, two minutes and one signed request.
 *
 *     nonce = base64url( until(6, big-endian) ‖ random(14) ‖ HMAC-SHA-256(key, until ‖ random ‖ "realm machine")[0..16) )
 *
 * Nothing is remembered of a nonce that was given: anybody who knows a machine may ask for as many as he likes, and none
 * of them takes the place of another. Remembered are those that were *used*, and only who holds the key of a machine can
 * use one ({@link Challenges.use}). When more are used than can be remembered, the one used longest ago is forgotten, and
 * whatever ends no later is refused from then on, used or not: one that is asked for now is good, and none is good twice.
 * The key lives as long as the process: after a restart no nonce from before is good, and a machine asks for another.
 */
export class Challenges {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #random: Random;
  readonly #key: KeyObject;
  /** Where the time in nonces begins: how long this process runs is nobody's business. */
  readonly #origin: number;
  readonly #usedMax: number;
  /** Used nonces, each with its end; in the order of their use. */
  readonly #used = new Map<string, number>();
  /** What ends by then is refused. */
  #endedBy = 0;

  constructor(
    deps: { readonly clock: Pick<Clock, 'monotonic'>; readonly random: Random },
    usedMax: number = USED_MAX,
  ) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#key = createSecretKey(deps.random.bytes(KEY_BYTES));
    this.#origin = deps.random.bytes(4).readUInt32BE();
    this.#usedMax = usedMax;
  }

  /** A fresh nonce for a machine, good for `lifeMs`. */
  issue(realm: RealmId, machineId: string): { readonly nonce: string; readonly lifeMs: number } {
    const said = Buffer.alloc(SAID_BYTES);
    said.writeUIntBE(this.#now() + LIFE_MS, 0, UNTIL_BYTES);
    this.#random.bytes(RANDOM_BYTES).copy(said, UNTIL_BYTES);
    const nonce = Buffer.concat([said, this.#mark(said, realm, machineId)]).toString('base64url');
    return { nonce, lifeMs: LIFE_MS };
  }

  /**
   * Uses up a nonce whose signature by the machine's key was verified; never call it for one that was not.
   * @returns whether it was given for this machine, is not over, and was not used before
   */
  use(realm: RealmId, machineId: string, nonce: string): boolean {
    const until = this.#untilOf(nonce, realm, machineId);
    if (until === undefined || until <= this.#now() || until <= this.#endedBy) return false;
    if (this.#used.has(nonce)) return false;
    this.#used.set(nonce, until);
    if (this.#used.size > this.#usedMax) this.#forgetOldest();
    return true;
  }

  /** When a nonce ends; undefined: it was not given for this machine. */
  #untilOf(nonce: string, realm: RealmId, machineId: string): number | undefined {
    const bytes = Buffer.from(nonce, 'base64url');
    if (bytes.length !== SAID_BYTES + MARK_BYTES || bytes.toString('base64url') !== nonce) return undefined;
    const said = bytes.subarray(0, SAID_BYTES);
    const isOurs = equalBytes(this.#mark(said, realm, machineId), bytes.subarray(SAID_BYTES));
    return isOurs ? said.readUIntBE(0, UNTIL_BYTES) : undefined;
  }

  #mark(said: Buffer, realm: RealmId, machineId: string): Buffer {
    const whose = `${String(realm)} ${machineId}`;
    return createHmac('sha256', this.#key)
      .update(said)
      .update(whose, 'utf8')
      .digest()
      .subarray(0, MARK_BYTES);
  }

  /** Forgets the nonce that was used longest ago, and refuses what ends no later. */
  #forgetOldest(): void {
    const [[nonce, until] = []] = this.#used;
    if (nonce === undefined || until === undefined) return;
    this.#used.delete(nonce);
    this.#endedBy = Math.max(this.#endedBy, until);
  }

  #now(): number {
    return this.#origin + Math.ceil(this.#clock.monotonic());
  }
}
