import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressPrefix } from '../../src/ledger/address-prefix.ts';
import { parseEntry } from '../../src/ledger/entry.ts';
import { ledgerJobs } from '../../src/ledger/jobs.ts';
import { readEntries } from '../../src/ledger/ledger-store.ts';
import { recordRefusals } from '../../src/ledger/record-refusals.ts';
import { type KnownRefusal, type RefusalEntry, Refusals } from '../../src/ledger/refusals.ts';
import { HeavyHitters, Tally } from '../../src/ledger/tally.ts';
import { DAY, HOUR, MINUTE } from '../../src/lib/clock.ts';
import type { RealmId } from '../../src/storage/realm-scope.ts';
import { checkpointerOf, openLedger } from './open-ledger.ts';

const NOON = Date.UTC(2026, 5, 1, 12);
const MIB = 1024 * 1024;

const knownRefusal = (given: Partial<KnownRefusal> = {}): KnownRefusal => ({
  actor: { kind: 'api-key', id: 'key_1', via: 'api-key' },
  realm: 1 as RealmId,
  requestId: 'req_1',
  rule: 'scope.licenses:write',
  action: 'POST /api/v1/licenses',
  code: 'INSUFFICIENT_SCOPE',
  ...given,
});

const facts = (entries: readonly RefusalEntry[]): unknown[] =>
  entries.map(({ happening }) => happening.facts);
const counted = (entries: readonly RefusalEntry[]): number =>
  entries.reduce(
    (sum, { happening }) => sum + Number(happening.facts?.['count'] ?? happening.facts?.['total']),
    0,
  );

describe('refusals of a known principal', () => {
  it('become one entry per principal, rule and action, with a count, in its name', () => {
    const refusals = new Refusals();
    for (let i = 1; i <= 50; i++) refusals.known(knownRefusal({ requestId: `req_${String(i)}` }));
    refusals.known(knownRefusal({ rule: 'operator.only' }));
    refusals.known(knownRefusal({ action: 'POST /api/v1/policies' }));
    const entries = refusals.flush(NOON);
    expect(entries).toHaveLength(3);
    expect(entries[0]).toEqual({
      authority: { actor: { kind: 'api-key', id: 'key_1', via: 'api-key' }, realm: 1, requestId: 'req_50' },
      happening: {
        action: 'access.refused',
        target: { kind: 'route', id: 'POST /api/v1/licenses' },
        outcome: 'refused',
        facts: { rule: 'scope.licenses:write', code: 'INSUFFICIENT_SCOPE', count: 50 },
      },
    });
    expect(refusals.flush(NOON + MINUTE)).toEqual([]);
  });

  it('are counted together beyond 512 of them a minute', () => {
    const refusals = new Refusals();
    for (let i = 0; i < 600; i++) refusals.known(knownRefusal({ rule: `rule.${String(i)}` }));
    const entries = refusals.flush(NOON);
    expect(entries).toHaveLength(513);
    expect(entries.at(-1)?.happening).toMatchObject({ target: { kind: 'crowded' }, facts: { total: 88 } });
  });
});

describe('refusals of nobody in particular', () => {
  it('become one summary: counts by code and route class in clear, the busiest networks sealed', () => {
    const refusals = new Refusals();
    for (let i = 0; i < 30; i++) {
      const address = `192.0.${String(i % 25)}.${String(i)}`;
      refusals.anonymous({ code: 'NOT_FOUND', routeClass: 'validate', address });
    }
    refusals.anonymous({ code: 'UNAUTHENTICATED', routeClass: 'licenses', address: '2001:db8::1' });
    const [summary, ...rest] = refusals.flush(NOON);
    expect(rest).toEqual([]);
    expect(summary?.authority).toEqual({
      actor: { kind: 'anonymous', id: '-', via: 'http' },
      realm: null,
      requestId: 'refusals',
    });
    expect(summary?.happening).toMatchObject({
      action: 'access.refusals_counted',
      target: { kind: 'anonymous', id: 'all' },
      facts: { total: 31, 'NOT_FOUND validate': 30, 'UNAUTHENTICATED licenses': 1 },
    });
    const sealed = summary?.happening.private as {
      prefixes: { prefix: string; count: number }[];
      rest: number;
    };
    expect(sealed.prefixes).toHaveLength(20);
    expect(sealed.prefixes[0]).toEqual({ prefix: '192.0.0.0/24', count: 2 });
    expect(sealed.prefixes.reduce((sum, { count }) => sum + count, sealed.rest)).toBe(31);
  });
});

describe('a flood', () => {
  it('of a million refusals costs neither memory nor disk, and every one of them is counted', async () => {
    const open = await openLedger();
    const refusals = new Refusals();
    const time = { now: () => open.clock.wall() };
    const before = pages(open);
    for (let i = 0; i < 1_000_000; i++) {
      if (i % 2 === 0) refusals.known(flooding(i, open.acme.live));
      else refusals.anonymous({ code: `C${String(i % 1000)}`, routeClass: 'validate', address: spread(i) });
      if (i % 10_000 !== 9999) continue;
      expect(refusals.tracked).toBeLessThanOrEqual(512 + 256 + 1024 + 256);
      open.clock.advance(MINUTE);
      await recordRefusals({ refusals, work: open.work, time });
    }
    await recordRefusals({ refusals, work: open.work, time }, { last: true });
    expect(pages(open) - before).toBeLessThan(3 * MIB);
    const written = readEntries(open.work.read, { from: 1, to: open.ledger.head().size });
    const sum = written.reduce((total, { bytes }) => {
      const { facts: said } = parseEntry(bytes);
      return total + Number(said?.['count'] ?? said?.['total']);
    }, 0);
    expect(sum).toBe(1_000_000);
  });

  it('leaves totals only once the day is spent, one an hour, and entries again the day after', () => {
    const refusals = new Refusals();
    const minute = (now: number): RefusalEntry[] => {
      for (let i = 0; i < 512; i++) refusals.known(knownRefusal({ rule: `rule.${String(i)}` }));
      return refusals.flush(now);
    };
    const sizes = Array.from({ length: 180 }, (_, i) => minute(NOON + i * MINUTE).length);
    expect(sizes.slice(0, 4)).toEqual([512, 512, 512, 512]);
    expect(sizes.slice(10).filter((size) => size > 0)).toEqual([1, 1]);
    expect(minute(NOON + DAY).length).toBeGreaterThan(500);
  });

  it('loses no count at stop', () => {
    const refusals = new Refusals();
    let written = 0;
    for (let i = 0; i < 100; i++) {
      for (let j = 0; j < 512; j++) refusals.known(knownRefusal({ rule: `rule.${String(j)}` }));
      written += counted(refusals.flush(NOON));
    }
    written += counted(refusals.flush(NOON, { last: true }));
    expect(written).toBe(51_200);
  });

  it('is not stretched by a clock that goes back', () => {
    const refusals = new Refusals();
    for (let i = 0; i < 10; i++) {
      for (let j = 0; j < 512; j++) refusals.known(knownRefusal({ rule: `rule.${String(j)}` }));
      refusals.flush(NOON);
    }
    expect(facts(refusals.flush(NOON - HOUR))).toMatchObject([{ total: expect.any(Number) as number }]);
  });
});

describe('the networks of addresses', () => {
  it.each([
    ['192.0.2.77', '192.0.2.0/24'],
    ['::ffff:192.0.2.77', '192.0.2.0/24'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['1:2:3:4:5::', '1:2:3:4::/64'],
    ['/run/operator.sock', 'unknown'],
    ['', 'unknown'],
    ['1.2.3', 'unknown'],
  ])('%s is in %s', (address, prefix) => {
    expect(addressPrefix(address)).toBe(prefix);
  });

  it('are the same for every spelling of an address', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }), (groups) => {
        const plain = groups.map((group) => group.toString(16));
        const expected = `${plain.slice(0, 4).join(':')}::/64`;
        expect(addressPrefix(plain.join(':'))).toBe(expected);
        expect(addressPrefix(plain.map((group) => group.padStart(4, '0').toUpperCase()).join(':'))).toBe(
          expected,
        );
      }),
    );
  });
});

describe('counting in bounded memory', () => {
  const names = fc.array(fc.nat(40).map(String), { maxLength: 400 });

  it('keeps the sum exact, whatever names come', () => {
    fc.assert(
      fc.property(
        names,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        (all, capacity, limit) => {
          const tally = new Tally(capacity);
          for (const name of all) tally.add(`n${name}`);
          const shown = Object.values(tally.busiest(limit)).reduce((sum, count) => sum + count, 0);
          expect(shown).toBe(all.length);
          expect(tally.total).toBe(all.length);
          expect(tally.size).toBeLessThanOrEqual(capacity);
        },
      ),
    );
  });

  it('finds every name that makes up more than 1/capacity, and never counts one too often', () => {
    fc.assert(
      fc.property(names, fc.integer({ min: 2, max: 20 }), (all, capacity) => {
        const hitters = new HeavyHitters(capacity);
        for (const name of all) hitters.add(name);
        const real = (name: string): number => all.filter((other) => other === name).length;
        const found = hitters.busiest(capacity);
        expect(hitters.size).toBeLessThanOrEqual(capacity);
        expect(found.every(({ name, count }) => count <= real(name))).toBe(true);
        const heavy = [...new Set(all)].filter((name) => real(name) > all.length / (capacity + 1));
        expect(found.map(({ name }) => name)).toEqual(expect.arrayContaining(heavy));
      }),
    );
  });
});

it('the timed work signs what has come and writes down refusals', async () => {
  const open = await openLedger();
  const refusals = new Refusals();
  const checkpointer = checkpointerOf(open);
  const time = { now: () => open.clock.wall() };
  const jobs = ledgerJobs({
    refusals,
    work: open.work,
    time,
    checkpointer,
    checkpointSeconds: 60,
    mayRecord: () => true,
  });
  expect(jobs.map(({ name, everyMs }) => [name, everyMs])).toEqual([
    ['ledger-checkpoint', MINUTE],
    ['ledger-refusals', MINUTE],
  ]);
  refusals.known(knownRefusal({ realm: open.acme.live }));
  for (const job of jobs.toReversed()) await job.run();
  expect(checkpointer.status()).toMatchObject({ size: 2, signedSize: 2 });
});

/** Size of the database in bytes. */
function pages({ database }: Awaited<ReturnType<typeof openLedger>>): number {
  const read = (pragma: string): number => Number(database.native.pragma(pragma, { simple: true }));
  return read('page_count') * read('page_size');
}

/** A known principal who tries everything there is, over and over. */
const flooding = (i: number, realm: RealmId): KnownRefusal =>
  knownRefusal({ realm, rule: `scope.r${String(i % 3000)}`, requestId: `req_${String(i)}` });

/** Addresses all over IPv4. */
const spread = (i: number): string => [1 + (i % 220), (i * 7) % 251, (i * 13) % 241, i % 239].join('.');
