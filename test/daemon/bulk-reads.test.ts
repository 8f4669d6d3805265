import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Database } from '../../src/storage/database.ts';
import { startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { stockUp } from '../support/stock.ts';

/** What the ledger tells of bulk reads. */
function bulkReads(path: string): { actor: { kind: string }; facts: Record<string, unknown> }[] {
  const database = Database.openReader(path);
  try {
    const rows = database.native.prepare('SELECT bytes FROM ledger_entries').pluck().all();
    return rows
      .map((bytes) => JSON.parse(String(bytes)) as ReturnType<typeof bulkReads>[number] & { action: string })
      .filter(({ action }) => action === 'access.bulk_read');
  } finally {
    database.close();
  }
}

describe('a key that reads much', () => {
  it('leaves one entry with what it was shown, in lists and one by one, when the daemon stops', async () => {
    using directory = temporaryDirectory();
    const daemon = await startDaemon(join(directory.path, 'appliance'));
    const stock = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'much');
    const { productId, policyId } = stock;
    await stock.post('/licenses/batch', { template: { productId, policyId }, count: 60 });
    const one = await stock.license();
    await stock.post(`/licenses/${one.id}/machines`, { fingerprint: 'machine-one' });
    for (const path of [
      '/licenses?limit=50',
      '/licenses?limit=50',
      `/licenses/${one.id}`,
      '/machines',
      '/products',
    ])
      expect((await stock.get(path)).status).toBe(200);
    expect((await stock.post('/licenses/lookup', { key: one.key })).status).toBe(200);
    expect((await stock.get('/licenses/lic_01ARZ3NDEKTSV4RRFFQ69G5FAV')).status).toBe(404);
    expect(await daemon.stop()).toBe(0);
    const told = bulkReads(join(directory.path, 'appliance', 'data', 'mintmark.db'));
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ actor: { kind: 'api-key' }, facts: { licenses: 102, machines: 1 } });
  });
});
