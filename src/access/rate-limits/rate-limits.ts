import { Fault } from '../../faults.ts';
import { MINUTE, SECOND } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import { type Tier, TIERS } from '../api-keys/api-key.ts';
import type { FailureLimiter } from '../failure-limiter.ts';
import { networkOf } from '../network.ts';
import type { Principal } from '../principal.ts';
import type { CountedRequest, LimitClass, Quota } from './counted-request.ts';
import { Places } from './places.ts';
import { type Allowance, isExceeded, quotaHeaders } from './quota.ts';
import { type LimitTable, limitsOf, QUIET_ACTIVATIONS, type TierLimits } from './tier-limits.ts';
import { WindowCounter } from './window-counter.ts';

/** What limiting needs. */
export interface RateLimitsDeps {
  readonly table: LimitTable;
  readonly random: Random;
  readonly failures: Pick<FailureLimiter, 'left'>;
  /** The tier of the tenant that owns a realm. */
  readonly tierOf: (realm: RealmId) => Tier;
  /** Where a typed licence key leads; empty: nowhere. */
  readonly realmsOfKey: (text: string) => readonly RealmId[];
  /** The product of the licence that this id or typed key leads to in a realm; undefined: nowhere. */
  readonly productOf: (realm: RealmId, named: string) => string | undefined;
  /** The id of the living machine of a licence that has this id or fingerprint; undefined: it has none. */
  readonly machineOf: (
    license: { readonly realm: RealmId; readonly licenseId: string },
    named: string,
  ) => string | undefined;
  /** The one form of a typed licence key: spellings of a key share its count. */
  readonly formOfKey: (text: string) => string;
}

/** Classes whose requests are counted by licence and machine, or by who asks; the others are not counted. */
type CountedClass = Extract<LimitClass, 'validate' | 'heartbeat' | 'activate' | 'management'>;

/** Salt of the places: as long as the digest is strong. */
const SALT_BYTES = 32;

/** Tiers whose limits are tried before it is worth asking whose licence key it is. */
const STRICTEST = TIERS[0];

/** A request on its way through the counters. */
interface Counting {
  readonly request: CountedRequest;
  readonly limits: TierLimits;
}

/**
 * Counts requests by tier and class, in memory (access.md, Rate limits). Whoever shows an API key has that key's tier,
 * everybody else his tenant's. What is counted by names that a caller can make up falls into a fixed number of places.
 */
export class RateLimits {
  readonly #deps: RateLimitsDeps;
  readonly #places: Places;
  readonly #counters: Readonly<Record<CountedClass, WindowCounter>> = {
    management: new WindowCounter(MINUTE),
    activate: new WindowCounter(MINUTE),
    validate: new WindowCounter(MINUTE),
    heartbeat: new WindowCounter(MINUTE),
  };
  readonly #burst = new WindowCounter(SECOND);
  readonly #realms = new WindowCounter(MINUTE);
  readonly #licenses = new WindowCounter(MINUTE);

  constructor(deps: RateLimitsDeps) {
    this.#deps = deps;
    this.#places = new Places(deps.random.bytes(SALT_BYTES));
  }

  /** Counts a request; undefined: nothing limits it. */
  async count(request: CountedRequest): Promise<Quota | undefined> {
    const { who, class: name } = request;
    if (who.kind === 'operator' || !isCounted(name)) return undefined;
    // Whoever shows nothing is refused anyway: there is nobody to count it for.
    if (who.kind === 'anonymous' && name === 'management') return undefined;
    const tier = this.#tierOf(who);
    const limits = limitsOf(this.#deps.table, tier ?? STRICTEST);
    if (limits === undefined) return undefined;
    if (name === 'management') return this.#management({ request, limits });
    if (name === 'activate') return this.#activation({ request, limits });
    return this.#machine(name, { request, limits }, tier === undefined);
  }

  /** What an address has left of its failures: said where nothing else is counted. */
  async failures(address: string): Promise<Quota> {
    return { headers: quotaHeaders([await this.#deps.failures.left(address)]) };
  }

  /** Undefined: nobody has shown what he belongs to. */
  #tierOf(who: Exclude<Principal, { kind: 'operator' }>): Tier | undefined {
    if ('tier' in who) return who.tier;
    return who.realm === null ? undefined : this.#deps.tierOf(who.realm);
  }

  async #management({ request, limits }: Counting): Promise<Quota> {
    const name = this.#managerOf(request);
    const [counted, second] = await Promise.all([this.#counters.management.add(name), this.#burst.add(name)]);
    const minute = { policy: 'management', limit: limits.management, windowMs: MINUTE, ...counted };
    return quotaOf([minute, { policy: 'burst', limit: limits.burst, windowMs: SECOND, ...second }]);
  }

  /**
   * By key. By licence key, machine and address: a licence may have a thousand machines, and somebody else with its key,
   * who may know their ids too, uses up what is left of none of them. Whatever names no machine that it has (lists, new and
   * made-up machines) counts apart from those, and together: new names are no new allowance.
   */
  #managerOf({ who, machine, address }: CountedRequest): string {
    if (who.kind !== 'license') return who.actor.id;
    const known = machine === undefined ? undefined : this.#deps.machineOf(who, machine);
    return this.#places.of(who.licenseId, known ?? '', networkOf(address));
  }

  /** By machine under its licence; without a fingerprint, by the address it comes from. */
  async #machine(
    name: 'validate' | 'heartbeat',
    { request, limits }: Counting,
    whoseUnknown: boolean,
  ): Promise<Quota | undefined> {
    const counted = await this.#counters[name].add(this.#placeOf(request));
    const allowance = { policy: name, limit: limits[name], windowMs: MINUTE, ...counted };
    if (!whoseUnknown || !isExceeded(allowance)) return quotaOf([allowance]);
    const own = this.#limitsOfKey(request.license);
    return own === undefined ? undefined : quotaOf([{ ...allowance, limit: own[name] }]);
  }

  /**
   * Activations of a realm are counted together, and beyond that number only quiet licences go on: one licence key in the
   * wrong hands stops nobody else. What names no licence that its publishable key may see is a failure, which its address is
   * charged with; by a secret key it counts, and against no licence.
   */
  async #activation({ request: asked, limits }: Counting): Promise<Quota | undefined> {
    const { realm, kind } = asked.who;
    if (realm === null) return undefined;
    const sees = this.#sees(asked, realm);
    if (!sees && kind === 'publishable-key') return undefined;
    const request = sees ? asked : { ...asked, license: undefined };
    const [all, own] = await Promise.all([
      this.#realms.add(String(realm)),
      this.#licenses.add(this.#places.of(String(realm), this.#licenseIn(request))),
    ]);
    const together = { policy: 'activate-realm', limit: limits.activateRealm, windowMs: MINUTE, ...all };
    if (isExceeded(together) && own.count > QUIET_ACTIVATIONS) return quotaOf([together]);
    const counted = await this.#counters.activate.add(this.#placeOf(request));
    return quotaOf([{ policy: 'activate', limit: limits.activate, windowMs: MINUTE, ...counted }]);
  }

  /** Whether the licence that is named is one the caller may see: a product he is not limited to is not there for him. */
  #sees({ who, license }: CountedRequest, realm: RealmId): boolean {
    const { realmsOfKey, productOf } = this.#deps;
    if (who.kind !== 'publishable-key' && who.kind !== 'secret-key') return true;
    if (license === undefined) return who.kind === 'secret-key';
    if (who.kind === 'publishable-key' && !realmsOfKey(license).includes(realm)) return false;
    const { products = [] } = who;
    return products.length === 0 || products.includes(productOf(realm, license) ?? '');
  }

  /** The limits of whoever a licence key belongs to: the most generous, when it is several; the strictest, when nobody. */
  #limitsOfKey(license: string | undefined): TierLimits | undefined {
    const { table, tierOf, realmsOfKey } = this.#deps;
    const realms = license === undefined ? [] : realmsOfKey(license);
    const tiers = realms.map((realm) => TIERS.indexOf(tierOf(realm)));
    return limitsOf(table, TIERS[Math.max(0, ...tiers)] ?? STRICTEST);
  }

  #placeOf(request: CountedRequest): string {
    // Tenants may have imported the same key: each counts its own.
    const realm = String(request.who.realm);
    return this.#places.of(
      realm,
      this.#licenseIn(request),
      request.machine ?? `from ${networkOf(request.address)}`,
    );
  }

  #licenseIn({ who, license }: CountedRequest): string {
    if (who.kind === 'license') return who.licenseId;
    return license === undefined ? '' : this.#deps.formOfKey(license);
  }
}

function isCounted(name: LimitClass): name is CountedClass {
  return name !== 'public' && name !== 'health';
}

function quotaOf(allowances: readonly [Allowance, ...Allowance[]]): Quota {
  const headers = quotaHeaders(allowances);
  const exceeded = allowances.find(isExceeded);
  if (exceeded === undefined) return { headers };
  const { policy, limit, windowMs, resetMs } = exceeded;
  const fault = new Fault(
    'RATE_LIMITED',
    `the policy "${policy}" allows ${limit} requests in ${windowMs / SECOND} s, and this was one more; an operator can give another tier`,
    { retryAfterMs: resetMs },
  );
  return { headers, refused: { fault, rule: `limit.${policy}` } };
}
