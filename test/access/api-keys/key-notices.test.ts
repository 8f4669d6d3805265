import { describe, expect, it } from 'vitest';
import { announceKeys } from '../../../src/access/api-keys/announce-keys.ts';
import type { ApiKey } from '../../../src/access/api-keys/api-key.ts';
import { countIssue } from '../../../src/access/api-keys/count-issue.ts';
import { type KeyStanding, noticesDue, NOTHING_YET } from '../../../src/access/api-keys/key-notices.ts';
import { rotateApiKey } from '../../../src/access/api-keys/rotate-api-key.ts';
import { authorise, type Permit, type Principal } from '../../../src/access/index.ts';
import { DAY } from '../../../src/lib/clock.ts';
import { ask, openAccess, serveKeys, type TestAccess } from '../appliance.ts';

const NOW = 1000 * DAY;
const RULES = { reminderMs: 90 * DAY, maxAgeMs: null };

function key(more: Partial<ApiKey> = {}): ApiKey {
  const base = {
    rotatedAt: NOW,
    expiresAt: null,
    issueLimitPerDay: null,
    issueLimitTotal: null,
    revokedAt: null,
  };
  return { ...base, ...more } as ApiKey; // what notices are decided by
}

/** What is told of a key day by day; `types` of the notices with the day. */
function told(
  of: ApiKey,
  rules: typeof RULES | { reminderMs: number; maxAgeMs: number },
  days: number,
): string[] {
  let standing: KeyStanding = NOTHING_YET;
  const lines: string[] = [];
  for (let day = 0; day <= days; day++) {
    const { notices, after } = noticesDue(of, standing, { ...rules, now: NOW + day * DAY });
    for (const notice of notices) {
      lines.push(
        `${String(day)} ${notice.type}${'withinDays' in notice ? ` ${String(notice.withinDays)}` : ''}`,
      );
    }
    standing = after;
  }
  return lines;
}

describe('what is told of a key', () => {
  it('is that it should be rotated, every 90 days until it is', () => {
    expect(told(key(), RULES, 200)).toEqual(['90 key.rotation_due', '180 key.rotation_due']);
    expect(told(key({ rotatedAt: NOW + 80 * DAY }), RULES, 100)).toEqual([]);
  });

  it('is its expiry, 30, 14, 7 and 1 days before, each once', () => {
    expect(told(key({ expiresAt: NOW + 50 * DAY }), RULES, 60)).toEqual([
      '20 key.expiring_soon 30',
      '36 key.expiring_soon 14',
      '43 key.expiring_soon 7',
      '49 key.expiring_soon 1',
    ]);
  });

  it('is the end of the age that secrets may have, when there is one', () => {
    const rules = { reminderMs: 1000 * DAY, maxAgeMs: 40 * DAY };
    expect(told(key(), rules, 50)).toEqual([
      '10 key.expiring_soon 30',
      '26 key.expiring_soon 14',
      '33 key.expiring_soon 7',
      '39 key.expiring_soon 1',
    ]);
    const at = { ...rules, now: NOW + 10 * DAY };
    expect(noticesDue(key(), NOTHING_YET, at).notices).toMatchObject([
      { because: 'age', endsAt: NOW + 40 * DAY },
    ]);
    const sooner = key({ expiresAt: NOW + 20 * DAY });
    expect(noticesDue(sooner, NOTHING_YET, at).notices).toMatchObject([{ because: 'expiry' }]);
  });

  it('begins anew when its end has moved', () => {
    const first = noticesDue(key({ expiresAt: NOW + DAY }), NOTHING_YET, { ...RULES, now: NOW });
    expect(first.after.announcedDays).toBe(1);
    const moved = noticesDue(key({ expiresAt: NOW + 100 * DAY }), first.after, { ...RULES, now: NOW });
    expect([moved.notices, moved.after.announcedDays]).toEqual([[], null]);
    const again = noticesDue(key({ expiresAt: NOW + 100 * DAY }), moved.after, {
      ...RULES,
      now: NOW + 70 * DAY,
    });
    expect(again.notices).toMatchObject([{ withinDays: 30 }]);
  });

  it.each([
    [79, 100, 0],
    [80, 100, 1],
    [100, 100, 1],
    [0, 0, 0],
  ])('with %i issued of %i a day is told %i times', (issued, allowed, times) => {
    const today = Math.floor(NOW / DAY);
    const standing = { ...NOTHING_YET, issuedDay: today, issuedCount: issued };
    const due = noticesDue(key({ issueLimitPerDay: allowed }), standing, { ...RULES, now: NOW });
    expect(due.notices).toHaveLength(times);
    const again = noticesDue(key({ issueLimitPerDay: allowed }), due.after, { ...RULES, now: NOW + 1 });
    expect(again.notices).toEqual([]);
    const yesterday = noticesDue(key({ issueLimitPerDay: allowed }), standing, { ...RULES, now: NOW + DAY });
    expect(yesterday.notices).toEqual([]);
  });

  it('is that it nearly issued all it ever may, once', () => {
    const standing = { ...NOTHING_YET, issuedTotal: 9 };
    const due = noticesDue(key({ issueLimitTotal: 10 }), standing, { ...RULES, now: NOW });
    expect(due.notices).toEqual([{ type: 'key.issue_limit_near', limit: 'total', issued: 9, allowed: 10 }]);
    const later = noticesDue(key({ issueLimitTotal: 10 }), due.after, { ...RULES, now: NOW + 50 * DAY });
    expect(later.notices).toEqual([]);
  });
});

describe('announcing keys', () => {
  const eventsOf = (access: TestAccess): string[] =>
    access.storage.database.native
      .prepare(
        "SELECT type FROM events WHERE type IN ('key.rotation_due', 'key.expiring_soon', 'key.issue_limit_near')",
      )
      .pluck()
      .all() as string[];

  it('tells each thing once, by the outbox, and of the keys of its realm alone', async () => {
    await using access = await openAccess();
    const { acme, clock } = access.storage;
    await access.key({ realm: acme.live, scopes: ['licenses:read'], expiresAt: clock.wall() + 100 * DAY });
    await access.key({ realm: access.storage.globex.live, scopes: ['licenses:read'] });
    const deps = {
      ...access.keyDeps,
      work: access.storage.work,
      time: { now: () => clock.wall() },
      rules: RULES,
    };
    await announceKeys(deps, acme.live);
    expect(eventsOf(access)).toEqual([]);
    clock.advance(95 * DAY);
    await announceKeys(deps, acme.live);
    await announceKeys(deps, acme.live);
    expect(eventsOf(access).sort()).toEqual(['key.expiring_soon', 'key.rotation_due']);
  });

  it('tells of a key that has issued 80 % of what it may', async () => {
    await using access = await openAccess();
    const { acme, clock, work } = access.storage;
    await access.key({ realm: acme.live, scopes: ['licenses:write'], issueLimitPerDay: 10 });
    const id = String(access.storage.database.native.prepare('SELECT id FROM api_keys').pluck().get());
    const actor = { kind: 'api-key', id, via: 'secret-key' } as const;
    const who: Principal = {
      kind: 'secret-key',
      actor,
      realm: acme.live,
      scopes: new Set(),
      tier: 'standard',
    };
    const decision = authorise(who, { scope: null, also: [] }, { action: 'POST /licenses', requestId: 'r' });
    if (!decision.allowed) throw new Error('nothing was demanded');
    const permit: Permit = decision.permit;
    await work.run(permit, (tx) => countIssue(tx, permit, 8));
    const deps = { ...access.keyDeps, work, time: { now: () => clock.wall() }, rules: RULES };
    await announceKeys(deps, acme.live);
    await announceKeys(deps, acme.live);
    expect(eventsOf(access)).toEqual(['key.issue_limit_near']);
  });
});

describe('the age that a secret may have', () => {
  it('is a limit: older ones are refused until the key is rotated', async () => {
    await using access = await openAccess({ maxKeyAgeMs: 30 * DAY });
    await using door = await serveKeys(access);
    const { acme, clock } = access.storage;
    const text = await access.key({ realm: acme.live, scopes: ['api-keys:read'] });
    const status = async (by: string): Promise<number> =>
      (await ask(door.url, { path: '/api/v1/api-keys', key: by })).status;
    clock.advance(30 * DAY - 1);
    expect(await status(text)).toBe(200);
    clock.advance(1);
    expect(await status(text)).toBe(401);
    const actor = { kind: 'operator', id: 'local', via: 'socket' } as const;
    const decision = authorise(
      { kind: 'operator', actor, realm: acme.live },
      { scope: 'api-keys:write', also: [] },
      { action: 'POST /api-keys', requestId: 'r' },
    );
    if (!decision.allowed) throw new Error('the operator may do that');
    const id = String(access.storage.database.native.prepare('SELECT id FROM api_keys').pluck().get());
    const rotated = await rotateApiKey(access.keyDeps, decision.permit, {
      id,
      overlapHours: 0,
      exposed: false,
    });
    expect(await status(rotated.text.expose())).toBe(200);
  });
});
