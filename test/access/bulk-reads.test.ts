import { describe, expect, it } from 'vitest';
import { authorise, BulkReads, type Permit, type Principal } from '../../src/access/index.ts';
import { HOUR } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { openTestStorage, type TestStorage } from '../support/storage.ts';

function permitOf(principal: Principal): Permit {
  const also = ['license', 'publishable-key'] as const;
  const decision = authorise(principal, { scope: null, also }, { action: 'TEST', requestId: 'req_test' });
  if (!decision.allowed) throw new Error(decision.rule);
  return decision.permit;
}

const keyOf = (storage: TestStorage, id: string): Permit =>
  permitOf({
    kind: 'secret-key',
    actor: { kind: 'api-key', id, via: 'bearer' },
    realm: storage.acme.live,
    scopes: new Set(),
    tier: 'standard',
  });

const readsOf = (storage: TestStorage): BulkReads =>
  new BulkReads({
    work: storage.work,
    random: systemRandom,
    time: { now: () => storage.clock.wall() },
  });

/** What the ledger tells of bulk reads: whose, and the counts. */
function told(storage: TestStorage): unknown[] {
  const rows = storage.database.native.prepare('SELECT bytes FROM ledger_entries').pluck().all();
  return rows
    .map((bytes) => JSON.parse(String(bytes)) as Record<string, unknown>)
    .filter(({ action }) => action === 'access.bulk_read')
    .map(({ actor, facts }) => [(actor as { id: string }).id, facts]);
}

describe('who reads more than 100 rows in an hour', () => {
  it('leaves one entry with the counts when the hour is over', async () => {
    await using storage = await openTestStorage();
    const reads = readsOf(storage);
    const since = new Date(storage.clock.wall()).toISOString();
    for (let page = 0; page < 5; page++) reads.note(keyOf(storage, 'key_1'), 'licenses', 20);
    reads.note(keyOf(storage, 'key_1'), 'machines', 1);
    reads.note(keyOf(storage, 'key_2'), 'licenses', 100);
    await reads.record({ last: false });
    expect(told(storage)).toEqual([]);
    storage.clock.advance(HOUR);
    await reads.record({ last: false });
    await reads.record({ last: true });
    expect(told(storage)).toEqual([['key_1', { licenses: 100, machines: 1, since }]]);
  });

  it('leaves it at the end of the daemon, too', async () => {
    await using storage = await openTestStorage();
    const reads = readsOf(storage);
    reads.note(keyOf(storage, 'key_1'), 'machines', 101);
    await reads.record({ last: true });
    expect(told(storage)).toHaveLength(1);
  });

  it('is counted anew in the next hour, and in each realm by itself', async () => {
    await using storage = await openTestStorage();
    const reads = readsOf(storage);
    const operator = (realm: TestStorage['acme']['live']): Permit =>
      permitOf({ kind: 'operator', actor: { kind: 'operator', id: 'local', via: 'socket' }, realm });
    reads.note(operator(storage.acme.live), 'licenses', 60);
    reads.note(operator(storage.globex.live), 'licenses', 60);
    storage.clock.advance(HOUR);
    await reads.record({ last: false });
    reads.note(operator(storage.acme.live), 'licenses', 60);
    await reads.record({ last: true });
    expect(told(storage)).toEqual([]);
  });

  it('is not the holder of a licence, who reads what is his', async () => {
    await using storage = await openTestStorage();
    const reads = readsOf(storage);
    const actor = { kind: 'license', id: 'lic_1', via: 'key' } as const;
    const holder = permitOf({ kind: 'license', actor, realm: storage.acme.live, licenseId: 'lic_1' });
    reads.note(holder, 'machines', 500);
    await reads.record({ last: true });
    expect(told(storage)).toEqual([]);
  });

  it('is kept for the next time when it cannot be written now', async () => {
    await using storage = await openTestStorage();
    let broken = true;
    const work = {
      run: ((authority, unit) =>
        broken
          ? Promise.reject(new Error('no room'))
          : storage.work.run(authority, unit)) as TestStorage['work']['run'],
    };
    const time = { now: () => storage.clock.wall() };
    const reads = new BulkReads({ work, random: systemRandom, time });
    reads.note(keyOf(storage, 'key_1'), 'licenses', 101);
    await expect(reads.record({ last: true })).rejects.toThrow('no room');
    broken = false;
    await reads.record({ last: true });
    expect(told(storage)).toHaveLength(1);
  });
});
