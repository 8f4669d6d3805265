import { describe, expect, it } from 'vitest';
import { Fault } from '../../src/faults.ts';
import { checkoutLicense, publishTrustBundle } from '../../src/issuing/index.ts';
import { holdEpochs } from '../../src/issuing/revocations/publish-after-restore.ts';
import { numberAfter } from '../../src/issuing/revocations/publish-lists.ts';
import { append } from '../../src/ledger/append.ts';
import { DAY, HOUR, MINUTE } from '../../src/lib/clock.ts';
import { present } from '../../src/lib/invariant.ts';
import { openShop, outcomeOf } from '../licensing/shop.ts';

import {
  accepted,
  end,
  file,
  get,
  payloadOf,
  PLAIN,
  sell,
  type Sold,
  text,
  verdictOf,
} from './revocation-desk.ts';

describe('the number of a revocation list', () => {
  it('is the time in seconds, and grows also when time does not', () => {
    expect(numberAfter(0, 1_793_000_000_999)).toBe(1_793_000_000);
    expect(numberAfter(1_793_000_000, 1_793_000_000_999)).toBe(1_793_000_001);
    expect(numberAfter(1_793_000_005, 1_793_000_000_999)).toBe(1_793_000_006);
  });

  it('is never given twice: an appliance that was restored goes on above what it does not remember', async () => {
    await using shop = await openShop();
    const [sold, other] = [await sell(shop), await sell(shop)];
    await file(shop, sold);
    await file(shop, other);
    const lost = payloadOf(text(await get(shop)));
    const stored = shop.row('SELECT * FROM revocation_lists') as Record<string, unknown>;
    // What a backup remembers: the list before the one that was given out last.
    shop.clock.advance(MINUTE);
    await end(shop, other);
    const newest = payloadOf(text(await get(shop)));
    shop.storage.database.native
      .prepare('UPDATE revocation_lists SET number = ?, basis = ?, jws = ?, issued_at = ?')
      .run(stored['number'], stored['basis'], stored['jws'], stored['issued_at']);
    shop.clock.advance(MINUTE);
    await shop.deps.work.keep('restore', () => undefined);
    await shop.deps.work.run(shop.storage.authority(shop.acme.live), (tx) => {
      holdEpochs(tx.in(shop.acme.live), tx.now);
      append(tx, { action: 'restore.completed', target: { kind: 'appliance', id: 'app' } });
    });
    const after = payloadOf(text(await get(shop)));
    expect(after.number).toBeGreaterThan(newest.number);
    expect(lost.number).toBeLessThan(newest.number);
    // Files that name a list which the database has forgotten stay good.
    shop.clock.advance(100 * DAY);
    expect(payloadOf(text(await get(shop))).minEpoch).toBeLessThanOrEqual(lost.number);
  });

  it('stands in files as the list that was known when they were issued', async () => {
    await using shop = await openShop();
    const sold = await sell(shop, { revocationMaxAgeDays: 7 });
    const { list: before } = await accepted(shop);
    shop.clock.advance(2 * HOUR);
    await accepted(shop);
    const certificate = await file(shop, sold);
    expect(verdictOf(shop, { sold, text: certificate, list: before }).code).toBe('LIST_STALE');
    const { list } = await accepted(shop);
    expect(verdictOf(shop, { sold, text: certificate, list }).code).toBe('VALID');
  });

  it('stands in a bundle that is signed afterwards, and in none before the first list', async () => {
    await using shop = await openShop();
    const revocationIn = (): unknown => {
      const { jws } = shop.row(
        'SELECT trust_bundle AS jws FROM tenants WHERE id = ?',
        shop.acme.tenantId,
      ) as {
        readonly jws: string;
      };
      const payload: unknown = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString());
      return (payload as { readonly revocation: unknown }).revocation; // made by our own encoder
    };
    expect(revocationIn()).toBeNull();
    const { number, issued } = payloadOf(text(await get(shop)));
    await publishTrustBundle(shop.deps, shop.storage.authority(null), shop.acme.tenantId);
    expect(revocationIn()).toEqual({ number, issued });
  });
});

describe('the lowest epoch', () => {
  it('rises when the files below it have expired, and refuses them where a clock was set back', async () => {
    await using shop = await openShop();
    const [old, fresh] = [await sell(shop), await sell(shop)];
    await accepted(shop);
    const short = await file(shop, old, { ttlSeconds: 3600 });
    const issuedAt = shop.clock.wall();
    shop.clock.advance(2 * HOUR);
    const first = payloadOf(text(await get(shop)));
    const long = await file(shop, fresh);
    shop.clock.advance(2 * HOUR);
    const { list } = await accepted(shop);
    expect(present(list, 'a list').minEpoch).toBe(first.number);
    expect(verdictOf(shop, { sold: fresh, text: long, list }).code).toBe('VALID');
    // A verifier whose clock stands in the past and which remembers nothing is held by the date of the list itself.
    expect(verdictOf(shop, { sold: old, text: short, list, now: issuedAt }).code).toBe('CLOCK_ROLLED_BACK');
    const epochOf = (certificate: string, sold: Sold) => verdictOf(shop, { sold, text: certificate });
    expect(epochOf(long, fresh).code).toBe('VALID');
  });

  it('refuses a file below it, whatever else is said of it', async () => {
    await using shop = await openShop();
    const sold = await sell(shop);
    await accepted(shop);
    const certificate = await file(shop, sold);
    shop.storage.database.native.exec('DELETE FROM file_epochs');
    shop.clock.advance(2 * HOUR);
    await accepted(shop);
    shop.clock.advance(2 * HOUR);
    const { list } = await accepted(shop);
    expect(verdictOf(shop, { sold, text: certificate, list }).code).toBe('REVOKED_BY_EPOCH');
  });

  it('never passes a file that is good, nor one that is being signed', async () => {
    await using shop = await openShop();
    const sold = await sell(shop);
    await accepted(shop);
    shop.clock.advance(2 * HOUR);
    let raised = 0;
    const slow = {
      sign: async (kid: string, message: Buffer) => {
        // While the first signature is made, two lists are: files that name the list before them are refused.
        while (raised++ < 2) {
          shop.clock.advance(2 * HOUR);
          await accepted(shop);
        }
        return shop.keyring.sign(kid, message);
      },
    };
    const request = { licenseId: sold.id, fingerprint: null, components: undefined, ...PLAIN };
    const { certificate } = await checkoutLicense({ ...shop.deps, signer: slow }, shop.operator(), request);
    const { list } = await accepted(shop);
    expect(verdictOf(shop, { sold, text: certificate, list }).code).toBe('VALID');
  });
});

describe('a file that demands a list', () => {
  it('is refused without one, and with one that is too old', async () => {
    await using shop = await openShop();
    const sold = await sell(shop, { revocationMaxAgeDays: 1 });
    const certificate = await file(shop, sold);
    expect(verdictOf(shop, { sold, text: certificate }).code).toBe('LIST_REQUIRED');
    const { list } = await accepted(shop);
    expect(verdictOf(shop, { sold, text: certificate, list }).code).toBe('VALID');
    const now = shop.clock.wall() + DAY + MINUTE;
    expect(verdictOf(shop, { sold, text: certificate, list, now }).code).toBe('LIST_REQUIRED');
  });
});

describe('a compromised licence key', () => {
  it('lets the files live that we know to be ours, and no other, and leaves the list with none of them', async () => {
    await using shop = await openShop();
    const sold = await sell(shop);
    const ours = await file(shop, sold);
    const forged = await file(shop, sold);
    const kid = shop.deps.activeLicenseKid(shop.acme.live);
    // Signed by the same key, and no table knows of its content.
    const id = verdictOf(shop, { sold, text: forged }).fileId;
    shop.storage.database.native
      .prepare('UPDATE issued_files SET digest = zeroblob(32) WHERE id = ?')
      .run(id);
    await shop.deps.work.run(shop.storage.authority(null), (tx) => {
      shop.keyring.changeState(tx, kid, 'compromised');
      append(tx, {
        realm: null,
        action: 'signing_key.compromised',
        target: { kind: 'signing-key', id: kid },
      });
    });
    await publishTrustBundle(shop.deps, shop.storage.authority(null), shop.acme.tenantId);
    const { list } = await accepted(shop);
    expect(verdictOf(shop, { sold, text: ours, list }).code).toBe('VALID');
    expect(verdictOf(shop, { sold, text: forged, list }).code).toBe('KEY_COMPROMISED');
    expect(verdictOf(shop, { sold, text: ours }).code).toBe('KEY_COMPROMISED');
    expect(payloadOf(text(await get(shop))).keys).toMatchObject([{ kid }]);
    await end(shop, sold);
    const { list: later } = await accepted(shop);
    expect(verdictOf(shop, { sold, text: ours, list: later }).code).toBe('REVOKED');
    shop.clock.advance(15 * DAY);
    expect(payloadOf(text(await get(shop))).keys).toEqual([{ kid, affirmed: [] }]);
  });

  it('of one environment is no concern of the other', async () => {
    await using shop = await openShop();
    const kid = shop.deps.activeLicenseKid(shop.acme.live);
    await shop.deps.work.run(shop.storage.authority(null), (tx) => {
      shop.keyring.changeState(tx, kid, 'compromised');
      append(tx, {
        realm: null,
        action: 'signing_key.compromised',
        target: { kind: 'signing-key', id: kid },
      });
    });
    const asked = { query: { env: 'test' } };
    expect(payloadOf(text(await get(shop, 'acme', asked))).keys).toEqual([]);
    expect(payloadOf(text(await get(shop, 'globex'))).keys).toEqual([]);
  });
});

describe('where nothing may be issued', () => {
  it('the last list is given out, and nothing before the first', async () => {
    await using shop = await openShop();
    shop.state.refused = new Fault('CLOCK_SUSPECT', 'the clock is suspect');
    expect(await outcomeOf(get(shop))).toBe('CLOCK_SUSPECT');
    shop.state.refused = null;
    const first = text(await get(shop));
    shop.state.refused = new Fault('CLOCK_SUSPECT', 'the clock is suspect');
    shop.clock.advance(2 * HOUR);
    expect(text(await get(shop))).toBe(first);
    expect(shop.state.listFailures).toHaveLength(1);
  });
});

describe('the job', () => {
  it('makes a list when something was revoked, and none when nothing was', async () => {
    await using shop = await openShop();
    const sold = await sell(shop);
    await file(shop, sold);
    const { revocationLists: lists } = shop.deps;
    await lists.follow(shop.acme.live);
    expect(lists.epoch(shop.acme.live)).toBe(0);
    await end(shop, sold);
    await lists.follow(shop.acme.live);
    const epoch = lists.epoch(shop.acme.live);
    expect(epoch).toBeGreaterThan(0);
    shop.clock.advance(2 * HOUR);
    await lists.follow(shop.acme.live);
    expect(lists.epoch(shop.acme.live)).toBe(epoch);
  });
});
