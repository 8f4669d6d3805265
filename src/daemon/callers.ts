import {
  BulkReads,
  FailureLimiter,
  KeyUsage,
  LicenseKeys,
  ProvenKeys,
  RateLimits,
  type RateLimitsDeps,
  UsageLog,
  WEAK_GUESS_POINTS,
} from '../access/index.ts';
import { Overload } from '../http/overload.ts';
import { isWeakGuess, licenseKeyForms, machineOf, productOf } from '../licensing/index.ts';
import { QUEUE_UNITS } from '../storage/unit-of-work.ts';
import type { ProductScopeDeps } from './limit-products.ts';
import type { Parts } from './parts.ts';

/** What is kept in memory of callers: how much they asked for, how often they failed, when their keys were used. */
export function callerMemory(parts: Parts) {
  const { work, custody, random, config, time } = parts;
  const { sealer, indexer } = custody;
  const licenseKeys = new LicenseKeys({ work, indexer, random, forms: licenseKeyForms });
  const failures = new FailureLimiter(random.bytes(4).readUInt32BE());
  const scope = productScope(parts, licenseKeys);
  return {
    failures,
    proven: new ProvenKeys(random),
    licenseKeys,
    productScope: scope,
    bulkReads: new BulkReads({ work, random, time }),
    keyUsage: new KeyUsage({ work, sealer }),
    usageLog: new UsageLog({ work, sealer, indexer, time }),
    requestLimits: new RateLimits({
      ...limitsDeps(parts, licenseKeys),
      productOf: productNamed(scope),
      failures,
    }),
    overload: new Overload({
      delayLimitMs: config.limits.overloadDelayMs,
      waiting: () => work.waiting / QUEUE_UNITS,
    }),
    unknownKey: async (address: string, typed: string) => {
      const limited = await failures.charge(address, isWeakGuess(typed) ? WEAK_GUESS_POINTS : 1);
      if (limited !== undefined) throw limited;
    },
  };
}

/** As long as any licence key may be guessed at. */
const NO_KEY_BYTES = 32;

function productScope({ work, random }: Parts, licenseKeys: LicenseKeys): ProductScopeDeps {
  return {
    productOf: (realm, id) => productOf(work.read.in(realm), id),
    productOfKey: (realm, typed) => {
      const here = licenseKeys.find(typed).places.find((license) => license.realm === realm);
      return here === undefined ? undefined : productOf(work.read.in(realm), here.licenseId);
    },
    noKey: random.bytes(NO_KEY_BYTES).toString('hex'),
  };
}

/** The product of a licence by its id or its key, as a request names it. */
function productNamed({ productOf, productOfKey }: ProductScopeDeps): RateLimitsDeps['productOf'] {
  return (realm, named) => productOf(realm, named) ?? productOfKey(realm, named);
}

function limitsDeps(parts: Parts, licenseKeys: LicenseKeys): Omit<RateLimitsDeps, 'failures' | 'productOf'> {
  const { work, custody, random, config, realms } = parts;
  return {
    table: config.limits,
    random,
    tierOf: (realm) => realms.standing(realm).tier,
    machineOf: ({ realm, licenseId }, named) =>
      machineOf(custody, work.read.in(realm), { realm, licenseId, named }),
    realmsOfKey: (text) => licenseKeys.find(text).places.map(({ realm }) => realm),
    formOfKey: (text) => licenseKeyForms(text)[0] ?? text,
  };
}
