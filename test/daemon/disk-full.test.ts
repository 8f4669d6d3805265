import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { auditDatabase } from '../campaigns/audit-database.ts';
import { type Answered, dataOf, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { sendAsOperator } from '../support/operator-socket.ts';
import { noSmallDisk, smallDisk } from '../support/small-disk.ts';
import { type Stock, stockUp } from '../support/stock.ts';

const missing = noSmallDisk();
if (missing !== undefined) console.warn(`a full disk is not tested here: ${missing}`);

const WRITERS = 8;
/** Far more than a disk of this size holds: a daemon that never refuses fails here instead of running for ever. */
const MOST_WRITES = 50_000;

describe.skipIf(missing !== undefined)('a full disk', () => {
  it('stops writes with a reason, not reads and validation; writes resume by themselves; nothing is lost', async () => {
    using disk = smallDisk('12m');
    const daemon = await startDaemon(join(disk.path, 'appliance'));
    const stock = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'full');
    const license = await stock.license();
    const machine = { fingerprint: 'machine-on-a-full-disk' };
    await dataOf(stock.post(`/licenses/${license.id}/machines`, machine));
    const acknowledged = [license.id];

    for (let time = 0; time < 3; time++) {
      // Writers are under way when the last byte goes: it is SQLite that finds no room, before anybody has looked.
      const writing = writeUntilRefused(stock, acknowledged);
      disk.fill();
      const refusals = await writing;
      for (const { status, body } of refusals) {
        expect({ status, code: body['code'] }).toEqual({ status: 503, code: 'DISK_FULL' });
        expect(String(body['remedy'])).toMatch(/free space/i);
      }
      await saysWhatIsWrong(daemon);
      await goesOnReading(stock, { license, machine });
      expect((await stock.post('/entitlements', { code: 'no-room', name: 'No room' })).status).toBe(503);
      disk.makeRoom();
      acknowledged.push(await writeUntilAccepted(stock));
      expect((await fetch(`${daemon.url}/ready`)).status).toBe(200);
    }

    expect(await daemon.stop()).toBe(0);
    const found = auditDatabase(join(disk.path, 'appliance', 'data', 'mintmark.db'));
    expect(found.problems).toEqual([]);
    // Here nobody was killed: what was refused is not there either.
    expect(found.licenses.toSorted()).toEqual(acknowledged.toSorted());
  });
});

/** Creates licences from several clients until each of them was refused. */
async function writeUntilRefused(stock: Stock, acknowledged: string[]): Promise<Answered[]> {
  const writer = async (): Promise<Answered> => {
    for (let count = 0; count < MOST_WRITES; count++) {
      const body = { productId: stock.productId, policyId: stock.policyId, name: 'x'.repeat(200) };
      const answer = await stock.post('/licenses', body);
      if (answer.status !== 201) return answer;
      acknowledged.push((answer.body['data'] as { id: string }).id);
    }
    throw new Error('a full disk refused nothing');
  };
  return Promise.all(Array.from({ length: WRITERS }, writer));
}

async function saysWhatIsWrong(daemon: RunningDaemon): Promise<void> {
  const path = '/system/status';
  const status = await dataOf(sendAsOperator(join(daemon.dir, 'data'), { method: 'GET', path }));
  expect(status).toMatchObject({ state: 'disk-full', disk: { state: 'full' } });
  expect(status['reasons']).toMatchObject([{ state: 'disk-full', leftBy: 'free space' }]);
  const ready = await fetch(`${daemon.url}/ready`);
  const health = await fetch(`${daemon.url}/health`);
  expect([ready.status, health.status]).toEqual([503, 200]);
}

async function goesOnReading(
  stock: Stock,
  given: { readonly license: { id: string; key: string }; readonly machine: { fingerprint: string } },
): Promise<void> {
  const { license, machine } = given;
  for (let time = 0; time < 20; time++) {
    expect((await stock.get(`/licenses/${license.id}`)).status).toBe(200);
    expect((await stock.get('/events')).status).toBe(200);
    const body = { key: license.key, ...machine };
    expect(await dataOf(stock.post('/licenses/validate-key', body))).toMatchObject({ valid: true });
  }
}

/** Asks again and again, as a client would; there is no restart in between. */
async function writeUntilAccepted(stock: Stock): Promise<string> {
  for (;;) {
    const answer = await stock.post('/licenses', { productId: stock.productId, policyId: stock.policyId });
    if (answer.status === 201) return (answer.body['data'] as { id: string }).id;
    expect([answer.status, answer.body['code']]).toEqual([503, 'DISK_FULL']);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
