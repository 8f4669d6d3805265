import { describe, expect, it } from 'vitest';
import { DAY, isoTime } from '../../../src/lib/clock.ts';
import { expireLicenses } from '../../../src/licensing/licenses/expire.ts';
import { changeStatus } from '../../../src/licensing/licenses/transition.ts';
import { updateLicense } from '../../../src/licensing/licenses/update.ts';
import { entitlePolicy } from '../../../src/licensing/policies/entitle.ts';
import { explainLicense } from '../../../src/licensing/validation/explain.ts';
import { validateKey } from '../../../src/licensing/validation/validate-key.ts';
import { validateLicense } from '../../../src/licensing/validation/validate.ts';
import { coveringRows, type RowOf, rowsNear } from '../../support/covering-rows.ts';
import { openShop, type Shop } from '../shop.ts';
import { cannotBe, expectedOf, GOOD, INTERACTING, type Situation } from './decision-table.ts';

/** What can be brought about at will; who is dead is a matter of the sweep, which has tests of its own. */
const REACHABLE = { ...INTERACTING, markedDead: [false], seats: [1, 2, 3] } as const;
const REACHABLE_GOOD: RowOf<typeof REACHABLE> = { ...GOOD, markedDead: false, seats: 1 };

/** How long before the moment of the validation a licence is made: more than the longest time in a situation. */
const AGE = 20 * DAY;
/** Beyond every limit of a situation, while it is brought about. */
const PLENTY = 50;

/** Four identifying components; no two machines have one in common. */
function hardwareOf(print: string): Record<string, string> {
  return {
    board: `board of ${print}`,
    disk: `disk of ${print}`,
    mac: `mac of ${print}`,
    tpm: `tpm of ${print}`,
  };
}

interface Sold {
  readonly id: string;
  readonly key: string;
}

/** One shop in which one situation after the other is brought about by the operations themselves. */
class Stage {
  readonly shop: Shop;
  readonly #entitlementId: string;
  #next = 1;

  constructor(shop: Shop, entitlementId: string) {
    this.shop = shop;
    this.#entitlementId = entitlementId;
  }

  /** Sells, activates, uses and waits until everything is as the situation says. */
  async set(situation: Situation): Promise<{ sold: Sold; input: ReturnType<Stage['question']> }> {
    const now = this.shop.clock.wall() + AGE;
    this.shop.state.readyAt = this.shop.clock.wall();
    const { license, policy } = await this.shop.sell(settingsOf(situation), {
      ...{ maxMachinesOverride: PLENTY, maxUsesOverride: PLENTY },
      expiresAt: situation.expired === 'never' ? null : isoTime(now - situation.expired),
      ownEntitlements: this.#own(situation, now),
    });
    if (situation.holdsPro === 'ended once and for good') {
      const pair = { policyId: policy.id, entitlementId: this.#entitlementId };
      await entitlePolicy(this.shop.deps, this.shop.operator(), pair);
    }
    const machines = await this.#activate(license.id, situation.seats);
    await this.#use(license.id, situation, machines[0]?.print ?? '');
    await this.#end(license.id, situation);
    await this.#wait(machines[0]?.id ?? '', situation, now);
    return { sold: license, input: this.question(situation, machines[0]?.print ?? '') };
  }

  /** What is asked, of this machine. */
  question(situation: Situation, print: string) {
    const { fingerprint, equalComponents, asksFor } = situation;
    const compared = fingerprint === 'of the machine' && equalComponents !== 'none sent';
    return {
      ...(fingerprint === 'not sent'
        ? {}
        : { fingerprint: fingerprint === 'of the machine' ? print : 'some-other-machine' }),
      ...(compared ? { components: exchanged(hardwareOf(print), equalComponents) } : {}),
      ...(asksFor === 'nothing' ? {} : { entitlements: asksFor.split(' and ') }),
    };
  }

  #own({ holdsPro }: Situation, now: number) {
    const ends = { 'for good': null, 'for a while': now + 1, 'ended now': now, no: undefined } as const;
    const until = holdsPro === 'ended once and for good' ? now - DAY : ends[holdsPro];
    if (until === undefined) return [];
    return [{ id: this.#entitlementId, expiresAt: until === null ? null : isoTime(until) }];
  }

  async #activate(licenseId: string, seats: number) {
    const machines: { readonly id: string; readonly print: string }[] = [];
    for (let i = 0; i < seats; i++) {
      const print = `machine-number-${String(this.#next++)}`;
      const { machine } = await this.shop.activate(licenseId, print, { components: hardwareOf(print) });
      machines.push({ id: machine.id, print });
    }
    return machines;
  }

  /** Uses are those of real validations. */
  async #use(id: string, { uses }: Situation, fingerprint: string): Promise<void> {
    for (let i = 0; i < uses; i++) {
      const permit = this.shop.secretKey(['licenses:validate']);
      expect((await validateLicense(this.shop.deps, permit, { id, input: { fingerprint } })).valid).toBe(
        true,
      );
    }
  }

  /** From here on the limits are the policy's, and the licence has its state. */
  async #end(id: string, { status }: Situation): Promise<void> {
    const limits = { maxMachinesOverride: null, maxUsesOverride: null };
    const operator = this.shop.operator();
    await updateLicense(this.shop.deps, operator, { id, versions: null, change: limits });
    const actions = { suspended: 'suspend', revoked: 'revoke', banned: 'ban' } as const;
    if (status === 'active' || status === 'expired') return;
    await changeStatus(this.shop.deps, operator, { id, action: actions[status], versions: null });
  }

  async #wait(machineId: string, situation: Situation, now: number): Promise<void> {
    const { clock, deps, acme, state } = this.shop;
    clock.advance(now - situation.lastSeen - clock.wall());
    const heartbeat = { at: clock.wall(), due: null };
    deps.machineUsage.add(acme.live, machineId, { heartbeat, validatedAt: null });
    clock.advance(situation.lastSeen);
    state.readyAt = now - situation.applianceReady;
    if (situation.status === 'expired') await expireLicenses(deps, acme.live);
  }
}

function settingsOf(situation: Situation) {
  const { maxMachines, maxUses, overageStrategy, graceDays, expirationStrategy } = situation;
  const { requireFingerprint, fingerprintMatching, requireHeartbeat, heartbeatIntervalMinutes } = situation;
  return {
    ...{ maxMachines, maxUses, overageStrategy, graceDays, expirationStrategy },
    ...{ requireFingerprint, fingerprintMatching, requireHeartbeat, heartbeatIntervalMinutes },
    ...(maxMachines === null ? { allowUnlimitedActivations: true } : {}),
  };
}

/** So many components are the machine's own, the others are new. */
function exchanged(own: Record<string, string>, equal: number): Record<string, string> {
  const parts = Object.entries(own).map(([name, value], at) => [name, at < equal ? value : `new ${name}`]);
  return Object.fromEntries(parts) as Record<string, string>; // pairs of strings
}

async function openStage(): Promise<Stage> {
  const shop = await openShop();
  return new Stage(shop, (await shop.entitlement('pro')).id);
}

/** Uses that are counted, on disk or on their way there. */
function usesOf(shop: Shop, id: string): number {
  const row = shop.row('SELECT uses FROM license_usage WHERE license_id = ?', id) as { uses: number };
  return row.uses + (shop.deps.licenseUsage.pending(shop.acme.live, id)?.uses ?? 0);
}

type Way = 'by id' | 'by key';

/** Asks for an explanation, then for the validation itself, and says what each of them told and left behind. */
async function ask(
  shop: Shop,
  { id, key }: Sold,
  { input, way }: { readonly input: object; readonly way: Way },
) {
  const before = { uses: usesOf(shop, id), entries: shop.actions().length };
  const told = explainLicense(shop.deps, shop.operator(), { id, input });
  const answer =
    way === 'by id'
      ? await validateLicense(shop.deps, shop.operator(), { id, input })
      : await validateKey(shop.deps, shop.anonymous(), { input: { key, ...input }, address: '10.0.0.1' });
  const { valid, code, findings } = answer;
  const found = told.rules.filter(({ outcome }) => outcome === 'remark' || outcome === 'blocking');
  return {
    answered: { valid, code, findings },
    told: { valid: told.valid, code: told.code, findings: found.map((rule) => rule.code) },
    used: usesOf(shop, id) - before.uses,
    entries: shop.actions().slice(before.entries),
  };
}

const SITUATIONS = [
  ...coveringRows(REACHABLE, { strength: 2, impossible: cannotBe }),
  ...rowsNear(REACHABLE, REACHABLE_GOOD, 1),
].filter((situation) => !cannotBe(situation));

describe('a validation of a licence that has come into its situation by what was done with it', () => {
  it.each(['by id', 'by key'] as const)(
    'answers %s what the table of rules says, is explained the same way, and uses nothing when invalid',
    async (way) => {
      const stage = await openStage();
      await using shop = stage.shop;
      for (const situation of SITUATIONS) {
        const { sold, input } = await stage.set(situation);
        const expected = expectedOf(situation);
        const limited = expected.valid && situation.maxUses !== null;
        expect({ situation, ...(await ask(shop, sold, { input, way })) }).toEqual({
          ...{ situation, answered: expected, told: expected },
          used: expected.valid ? 1 : 0,
          // A use that is limited changes what is recorded; nothing else does.
          entries: limited ? ['license.used'] : [],
        });
      }
    },
  );
});
