import { describe, expect, it } from 'vitest';
import { purgeUsage } from '../../../src/access/usage/purge-usage.ts';
import { UsageLog } from '../../../src/access/usage/usage-log.ts';
import type { UsedRequest } from '../../../src/access/usage/use.ts';
import type { Principal } from '../../../src/access/principal.ts';
import { DAY, HOUR, SECOND } from '../../../src/lib/clock.ts';
import { type RealmId, SYSTEM_REALM } from '../../../src/storage/realm-scope.ts';
import { openTestStorage, type TestStorage } from '../../support/storage.ts';

const LICENSE = 'lic_01JABCDEFGHJKMNPQRSTVWXYZ0';

function keyOf(realm: RealmId, id = 'key_1'): Principal {
  const actor = { kind: 'api-key', id, via: 'secret-key' } as const;
  return { kind: 'secret-key', actor, realm, scopes: new Set(), tier: 'standard' };
}

function use(who: Principal | null, more: Partial<UsedRequest> = {}): UsedRequest {
  return {
    who,
    action: 'GET /api/v1/licenses/{id}',
    status: 200,
    address: '10.0.0.7',
    subject: LICENSE,
    ...more,
  };
}

interface Log {
  readonly storage: TestStorage;
  readonly log: UsageLog;
  rows(): Record<string, unknown>[];
  totals(): Record<string, unknown>[];
  [Symbol.asyncDispose](): PromiseLike<void>;
}

async function openLog(): Promise<Log> {
  const storage = await openTestStorage();
  const { work, sealer, indexer, clock } = storage;
  const log = new UsageLog({ work, sealer, indexer, time: { now: () => clock.wall() } });
  const all = (sql: string) => storage.database.native.prepare(sql).all() as Record<string, unknown>[];
  return {
    storage,
    log,
    rows: () =>
      all('SELECT realm_id, principal, at, route, status, count, subject FROM usage_log ORDER BY seq'),
    totals: () =>
      all('SELECT realm_id, principal, route, status, count FROM usage_totals WHERE hour > 0 ORDER BY 2, 3'),
    [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
  };
}

describe('the usage log', () => {
  it('writes nothing until it is flushed, and then equal requests as one row', async () => {
    await using opened = await openLog();
    const { log, storage } = opened;
    const who = keyOf(storage.acme.live);
    for (let i = 0; i < 5; i++) log.note(use(who));
    log.note(use(who, { status: 404 }));
    log.note(use(who, { address: '10.0.0.8' }));
    log.note(use(keyOf(storage.acme.live, 'key_2')));
    log.note(use(keyOf(storage.acme.test)));
    expect(opened.rows()).toEqual([]);
    await log.flush();
    expect(
      opened.rows().map(({ realm_id, principal, status, count }) => [realm_id, principal, status, count]),
    ).toEqual([
      [storage.acme.live, 'api-key:key_1', 200, 5],
      [storage.acme.live, 'api-key:key_1', 404, 1],
      [storage.acme.live, 'api-key:key_1', 200, 1],
      [storage.acme.live, 'api-key:key_2', 200, 1],
      [storage.acme.test, 'api-key:key_1', 200, 1],
    ]);
  });

  it('says when the first of a row was answered', async () => {
    await using opened = await openLog();
    const { log, storage } = opened;
    const at = storage.clock.wall();
    log.note(use(keyOf(storage.acme.live)));
    storage.clock.advance(SECOND);
    await log.flush();
    expect(opened.rows()[0]).toMatchObject({ at });
  });

  it('holds neither an address nor an id in clear', async () => {
    await using opened = await openLog();
    const { log, storage } = opened;
    log.note(use(keyOf(storage.acme.live), { address: '192.0.2.77' }));
    await log.flush();
    const [row] = storage.database.native.prepare('SELECT * FROM usage_log').all() as Record<
      string,
      unknown
    >[];
    const bytes = Object.values(row ?? {}).map((value) =>
      Buffer.isBuffer(value) ? value.toString('latin1') : String(value),
    );
    expect(bytes.join(' ')).not.toContain('192.0.2.77');
    expect(bytes.join(' ')).not.toContain(LICENSE);
  });

  it('counts those who have proven nothing, by the hour and without addresses', async () => {
    await using opened = await openLog();
    const { log } = opened;
    const anonymous: Principal = {
      kind: 'anonymous',
      actor: { kind: 'anonymous', id: '-', via: 'http' },
      realm: null,
    };
    for (let i = 0; i < 3; i++) log.note(use(anonymous, { address: `10.0.0.${String(i)}` }));
    log.note(use(null, { status: 401 }));
    await log.flush();
    log.note(use(null, { status: 401 }));
    await log.flush();
    expect(opened.rows()).toEqual([]);
    const common = { realm_id: SYSTEM_REALM, principal: 'anonymous:-', route: 'GET /api/v1/licenses/{id}' };
    expect(opened.totals()).toEqual([
      { ...common, status: 200, count: 3 },
      { ...common, status: 401, count: 2 },
    ]);
  });

  it('keeps only numbers of what was turned away because it was too much, from however many addresses', async () => {
    await using opened = await openLog();
    const { log, storage } = opened;
    const who = keyOf(storage.acme.live);
    for (let i = 0; i < 50; i++) log.note(use(who, { status: 429, address: `10.0.0.${String(i)}` }));
    log.note(use(who, { status: 503 }));
    log.note(use(who, { status: 403 }));
    await log.flush();
    expect(opened.rows().map(({ status }) => status)).toEqual([403]);
    expect(opened.totals().map(({ principal, status, count }) => [principal, status, count])).toEqual([
      ['api-key:key_1', 429, 50],
      ['api-key:key_1', 503, 1],
    ]);
  });

  it('keeps only numbers of a caller beyond its rows of a day, and all of everybody else', async () => {
    await using opened = await openLog();
    const { log, storage } = opened;
    const loud = keyOf(storage.acme.live, 'key_loud');
    for (let i = 0; i < 50_100; i++) {
      log.note(use(loud, { subject: `lic_${String(i)}` }));
      if (i % 10_000 === 0) await log.flush();
    }
    log.note(use(keyOf(storage.acme.live, 'key_quiet')));
    await log.flush();
    const principals = opened.rows().map(({ principal }) => principal);
    expect(principals.filter((principal) => principal === 'api-key:key_loud')).toHaveLength(50_000);
    expect(principals.filter((principal) => principal === 'api-key:key_quiet')).toHaveLength(1);
    expect(opened.totals()).toMatchObject([{ principal: 'api-key:key_loud', count: 100 }]);
    storage.clock.advance(DAY);
    log.note(use(loud));
    await log.flush();
    expect(opened.rows()).toHaveLength(50_002);
  });

  it('is bounded in memory when nothing can be written', async () => {
    await using opened = await openLog();
    const { log, storage } = opened;
    for (let i = 0; i < 30_000; i++) {
      log.note(use(keyOf(storage.acme.live, `key_${String(i)}`), { action: `GET /${String(i)}` }));
    }
    for (let i = 0; i < 30_000; i++) log.note(use(null, { action: `GET /nobody/${String(i)}` }));
    // 20 000 rows wait, then 20 000 numbers; the rest is given up, and said to be.
    expect(log.dropped).toBe(20_000);
  });

  it('loses nothing when a flush fails: it waits for the next', async () => {
    await using opened = await openLog();
    const { storage } = opened;
    const { work, sealer, indexer, clock } = storage;
    let broken = true;
    const failing = {
      keep: (job: string, unit: Parameters<typeof work.keep>[1]) =>
        broken ? Promise.reject(new Error('the disk is full')) : work.keep(job, unit),
    };
    const log = new UsageLog({
      work: failing as Pick<typeof work, 'keep'>, // the same method, refused first
      sealer,
      indexer,
      time: { now: () => clock.wall() },
    });
    log.note(use(keyOf(storage.acme.live)));
    await expect(log.flush()).rejects.toThrow('the disk is full');
    log.note(use(keyOf(storage.acme.live)));
    broken = false;
    await log.flush();
    expect(opened.rows()).toMatchObject([{ count: 2 }]);
  });
});

describe('purging the usage log', () => {
  it('deletes rows after their retention, of every realm, and no others', async () => {
    await using opened = await openLog();
    const { log, storage } = opened;
    log.note(use(keyOf(storage.acme.live, 'key_old')));
    log.note(use(keyOf(storage.globex.live, 'key_old')));
    log.note(use(null));
    await log.flush();
    storage.clock.advance(90 * DAY + HOUR);
    log.note(use(keyOf(storage.acme.live, 'key_new')));
    log.note(use(null));
    await log.flush();
    const realms = () => [SYSTEM_REALM, storage.acme.live, storage.globex.live];
    await purgeUsage({ work: storage.work, realms, retentionDays: 90, rowsKept: 1000 });
    expect(opened.rows()).toMatchObject([{ principal: 'api-key:key_new' }]);
    expect(opened.totals()).toMatchObject([{ count: 1 }]);
  });

  it('deletes the oldest rows beyond those there is room for', async () => {
    await using opened = await openLog();
    const { log, storage } = opened;
    for (let i = 0; i < 1200; i++) log.note(use(keyOf(storage.acme.live), { subject: `lic_${String(i)}` }));
    log.note(use(keyOf(storage.globex.live)));
    await log.flush();
    const realms = () => [storage.acme.live, storage.globex.live];
    const purge = () => purgeUsage({ work: storage.work, realms, retentionDays: 90, rowsKept: 100 });
    await purge();
    await purge();
    const rows = opened.rows();
    expect(rows.filter(({ realm_id: realm }) => realm === storage.acme.live)).toHaveLength(100);
    expect(rows.filter(({ realm_id: realm }) => realm === storage.globex.live)).toHaveLength(1);
  });
});
