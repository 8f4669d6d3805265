import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY } from '../../../src/lib/clock.ts';
import { renewLicense } from '../../../src/licensing/licenses/renew.ts';
import { changeStatus } from '../../../src/licensing/licenses/transition.ts';
import { updateLicense } from '../../../src/licensing/licenses/update.ts';
import { updatePolicy } from '../../../src/licensing/policies/update.ts';
import { explainLicense } from '../../../src/licensing/validation/explain.ts';
import { validateLicense } from '../../../src/licensing/validation/validate.ts';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

const PRINT = 'a-machine-of-ours';
const ANY = { versions: null };

/** Validations at the same moment. */
interface Asking {
  readonly callers: number;
  readonly input: { readonly fingerprint?: string; readonly entitlements?: string[] };
}

/** What can happen to a licence. */
type Event =
  | { readonly kind: 'validate'; readonly asking: Asking }
  | { readonly kind: 'suspend' | 'reinstate' | 'renew' | 'flush' }
  | { readonly kind: 'limit'; readonly uses: number | null }
  | { readonly kind: 'wait'; readonly days: number };

const asking: fc.Arbitrary<Asking> = fc.record({
  callers: fc.constantFrom(1, 1, 4),
  input: fc.constantFrom(
    ...[{ fingerprint: PRINT }, { fingerprint: PRINT }, { fingerprint: PRINT, entitlements: ['pro'] }],
    ...[{ fingerprint: 'some-other-machine' }, {}],
  ),
});

const event = fc.oneof(
  { weight: 6, arbitrary: asking.map((one): Event => ({ kind: 'validate', asking: one })) },
  {
    weight: 6,
    arbitrary: fc.constantFrom<Event[]>(
      ...([{ kind: 'suspend' }, { kind: 'reinstate' }, { kind: 'renew' }, { kind: 'flush' }] as const),
      ...([null, 1, 3, 6] as const).map((uses) => ({ kind: 'limit', uses }) as const),
      ...([1, 4] as const).map((days) => ({ kind: 'wait', days }) as const),
    ),
  },
);
const history = fc.array(event, { minLength: 8, maxLength: 20 });

/** Everything that is counted of a licence: on disk, and on its way there. */
function counted(shop: Shop, id: string) {
  const row = shop.row('SELECT uses, validations FROM license_usage WHERE license_id = ?', id);
  const { uses, validations } = row as { uses: number; validations: number };
  const pending = shop.deps.licenseUsage.pending(shop.acme.live, id);
  return { uses: uses + (pending?.uses ?? 0), validations: validations + (pending?.validations ?? 0) };
}

/** Validates and says how many of the answers were valid; one caller alone is answered what he was told before. */
async function validate(shop: Shop, id: string, { callers, input }: Asking): Promise<number> {
  const told = explainLicense(shop.deps, shop.operator(), { id, input });
  const calls = Array.from({ length: callers }, () =>
    validateLicense(shop.deps, shop.operator(), { id, input }),
  );
  const answers = await Promise.all(calls);
  const [first] = answers;
  expect({ valid: told.valid, code: told.code }).toEqual({ valid: first?.valid, code: first?.code });
  return answers.filter(({ valid }) => valid).length;
}

/** Lets an event happen; says how many valid answers there were, and how many answers. */
async function happen(shop: Shop, id: string, what: Event): Promise<readonly [valid: number, all: number]> {
  const { deps } = shop;
  const operator = shop.operator();
  switch (what.kind) {
    case 'validate':
      return [await validate(shop, id, what.asking), what.asking.callers];
    case 'suspend':
    case 'reinstate':
      await outcomeOf(changeStatus(deps, operator, { id, action: what.kind, ...ANY }));
      break;
    case 'renew':
      await outcomeOf(renewLicense(deps, operator, { id, ...ANY, days: 3 }));
      break;
    case 'limit':
      await updateLicense(deps, operator, { id, ...ANY, change: { maxUsesOverride: what.uses } });
      break;
    case 'wait':
      shop.clock.advance(what.days * DAY);
      break;
    case 'flush':
      await deps.licenseUsage.flush();
      break;
  }
  return [0, 0];
}

describe('the uses of a licence', () => {
  it('are its valid answers, whatever happens to it in between: an invalid one consumes none', async () => {
    await using shop = await openShop();
    const run = async (events: readonly Event[]): Promise<void> => {
      const { license } = await shop.sell({ durationDays: 5, graceDays: 1 });
      await shop.activate(license.id, PRINT);
      let valid = 0;
      let all = 0;
      for (const what of events) {
        const [more, asked] = await happen(shop, license.id, what);
        valid += more;
        all += asked;
        expect([what, counted(shop, license.id)]).toEqual([what, { uses: valid, validations: all }]);
      }
    };
    await fc.assert(fc.asyncProperty(history, run), { numRuns: 25 });
  });

  it('never exceed their limit, however many ask at once, and the ledger has an entry of each', async () => {
    await using shop = await openShop();
    const run = async (maxUses: number, callers: readonly number[]): Promise<void> => {
      const entries = shop.actions().length;
      const { license } = await shop.sell({ maxUses, requireFingerprint: false });
      let valid = 0;
      for (const count of callers) {
        valid += await validate(shop, license.id, { callers: count, input: {} });
      }
      const asked = callers.reduce((sum, count) => sum + count, 0);
      expect(valid).toBe(Math.min(maxUses, asked));
      expect(counted(shop, license.id)).toEqual({ uses: valid, validations: asked });
      const used = shop
        .actions()
        .slice(entries)
        .filter((action) => action === 'license.used');
      expect(used).toHaveLength(valid);
    };
    const groups = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 });
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 10 }), groups, run), { numRuns: 25 });
  });
});

describe('seats that are counted for each user', () => {
  it('exceed a limit for the user of the machine that asks, and for nobody else', async () => {
    await using shop = await openShop();
    const settings = { machineLeasing: 'PER_USER', maxMachines: 1, overageStrategy: 'ALLOW_2X' } as const;
    const { license } = await shop.sell(settings);
    for (const [print, userEmail] of [
      ['first-machine-of-jane', 'jane@acme.example'],
      ['second-machine-of-jane', 'jane@acme.example'],
      ['only-machine-of-john', 'john@acme.example'],
    ] as const)
      await shop.activate(license.id, print, { userEmail });
    const ask = async (fingerprint: string) => {
      const { valid, code } = await validateLicense(shop.deps, shop.operator(), {
        id: license.id,
        input: { fingerprint },
      });
      return { valid, code };
    };
    expect(await ask('first-machine-of-jane')).toEqual({ valid: true, code: 'MACHINE_LIMIT_EXCEEDED' });
    expect(await ask('only-machine-of-john')).toEqual({ valid: true, code: 'VALID' });
  });
});

describe('limits of a licence of its own', () => {
  it.each([
    [true, 'VALID'],
    [false, 'USES_EXCEEDED'],
  ])(
    'count only where the policy lets them be overridden (%s): after the one use of the policy it is %s',
    async (overridable, code) => {
      await using shop = await openShop();
      const settings = { maxUses: 1, requireFingerprint: false };
      const { license, policy } = await shop.sell(settings, { maxUsesOverride: 2 });
      const ask = () => validateLicense(shop.deps, shop.operator(), { id: license.id, input: {} });
      expect((await ask()).code).toBe('VALID');
      await updatePolicy(shop.deps, shop.operator(), { id: policy.id, ...ANY, change: { overridable } });
      expect((await ask()).code).toBe(code);
    },
  );
});
