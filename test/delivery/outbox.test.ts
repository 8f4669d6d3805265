import { describe, expect, it } from 'vitest';
import { isoTime } from '../../src/lib/clock.ts';
import { InvariantViolation } from '../../src/lib/invariant.ts';
import { openTestStorage, testAuthority, type TestStorage } from '../support/storage.ts';
import { announce, outbox } from './event-fixtures.ts';

const stored = ({ database }: TestStorage): { id: string; type: string; body: Buffer }[] =>
  database.native.prepare('SELECT id, type, body FROM events ORDER BY position').all() as {
    id: string;
    type: string;
    body: Buffer;
  }[]; // the columns of the statement above

describe('the outbox', () => {
  it('freezes an event with its id, time, realm and request', async () => {
    await using storage = await openTestStorage();
    const realm = storage.acme.live;
    const [id] = await announce(storage, [{ type: 'license.created', realm }]);
    const [event] = stored(storage);
    expect(event).toMatchObject({ id, type: 'license.created' });
    expect(JSON.parse(event?.body.toString('utf8') ?? '')).toEqual({
      id,
      type: 'license.created',
      timestamp: isoTime(storage.clock.wall()),
      realm: { tenant: `tenant-${String(realm)}`, environment: 'live' },
      requestId: testAuthority(realm).requestId,
      data: { n: 0 },
    });
  });

  it('forgets the event of a unit that is undone', async () => {
    await using storage = await openTestStorage();
    const realm = storage.acme.live;
    const undone = storage.work.run(testAuthority(realm), (tx) => {
      outbox.emit(tx, { type: 'license.created', realm, data: {} });
      throw new Error('the unit is undone');
    });
    await expect(undone).rejects.toThrow('the unit is undone');
    expect(stored(storage)).toEqual([]);
  });

  it('refuses an event that no receiver could hold, and the change with it', async () => {
    await using storage = await openTestStorage();
    const realm = storage.acme.live;
    const data = { text: 'x'.repeat(20 * 1024) };
    const act = storage.work.run(testAuthority(realm), (tx) =>
      outbox.emit(tx, { type: 'license.updated', realm, data }),
    );
    await expect(act).rejects.toThrow(InvariantViolation);
    expect(stored(storage)).toEqual([]);
  });
});
