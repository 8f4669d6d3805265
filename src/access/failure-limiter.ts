import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { isIP } from 'node:net';
import { Fault } from '../faults.ts';
import { MINUTE } from '../lib/clock.ts';

/** Failures that one address may have in a minute (access.md, Rate limits). */
const FAILURES_PER_MINUTE = 60;
/**
 * What a guess counts that only a weak imported key could match: ten times as much, so that a weak key is looked for ten
 * times as slowly. Decided by the text alone, never by what is stored: the limit tells nothing about which keys exist.
 */
export const WEAK_GUESS_POINTS = 10;
/** Places that are counted: memory stays bounded however many addresses try, and two that share one share its count. */
const PLACES = 65_536;
const IPV6_NETWORK_GROUPS = 4;

/**
 * Counts failures (unknown credentials, unknown licence keys) by address. Whoever succeeds is never asked: a valid key is
 * not refused because of its neighbours.
 */
export class FailureLimiter {
  readonly #limiter: RateLimiterMemory;
  readonly #salt: number;

  /** @param salt random, so that nobody can find an address that shares a place with another's */
  constructor(salt: number, failuresPerMinute = FAILURES_PER_MINUTE) {
    this.#salt = salt;
    this.#limiter = new RateLimiterMemory({ points: failuresPerMinute, duration: MINUTE / 1000 });
  }

  /**
   * Counts one failure; resolves to the fault to answer with when there were too many, undefined until then.
   * @param points as how many it counts
   */
  async charge(address: string, points = 1): Promise<Fault | undefined> {
    try {
      await this.#limiter.consume(this.#place(address), points);
      return undefined;
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      return new Fault('RATE_LIMITED', 'too many failures from this address; check the credentials', {
        retryAfterMs: refused.msBeforeNext,
      });
    }
  }

  /** FNV-1a over the network, folded into the places. Spreads; hides nothing. */
  #place(address: string): string {
    let hash = this.#salt >>> 0;
    for (const character of networkOf(address)) {
      hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
    }
    return String(hash % PLACES);
  }
}

/** One IPv4 address, or the /64 of an IPv6 address: a single host has as many addresses in it as it likes. */
function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = ''] = address.split('::');
  return head.split(':').slice(0, IPV6_NETWORK_GROUPS).join(':');
}
