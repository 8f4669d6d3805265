import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditDatabase } from '../campaigns/audit-database.ts';
import { type Crowd, crowd } from '../support/clients.ts';
import { dataOf, type RunningDaemon, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { type Stock, stockUp } from '../support/stock.ts';

const ROUNDS = 20;
const RIVALS = 200;
const SEATS = 10;

const directory = temporaryDirectory();
let daemon: RunningDaemon;
let rivals: Crowd;
let stock: Stock;

beforeAll(async () => {
  daemon = await startDaemon(join(directory.path, 'appliance'));
  const key = daemon.live.secretKey;
  rivals = crowd(daemon.url, { addresses: 4, key });
  stock = await stockUp({ url: daemon.url, key }, 'race', { maxMachines: SEATS });
});

afterAll(async () => {
  await rivals[Symbol.asyncDispose]();
  const code = await daemon.stop();
  const { problems, machines } = auditDatabase(join(daemon.dir, 'data', 'mintmark.db'));
  expect({ code, problems, machines: machines.length }).toEqual({
    code: 0,
    problems: [],
    machines: ROUNDS * SEATS,
  });
  directory[Symbol.dispose]();
});

describe('the last seats', () => {
  it(`go to exactly ${String(SEATS)} of ${String(RIVALS)} machines that ask at once, ${String(ROUNDS)} times`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const license = await stock.license();
      const answers = await Promise.all(
        Array.from({ length: RIVALS }, (_, rival) =>
          rivals.send({
            method: 'POST',
            path: `/licenses/${license.id}/machines`,
            body: { fingerprint: `rival-${String(round)}-${String(rival)}` },
          }),
        ),
      );
      const said = answers.map(({ status, body }) => [status, body['code']].join(' ').trim());
      expect(Object.groupBy(said, (text) => text)).toEqual({
        '201': Array.from({ length: SEATS }, () => '201'),
        '422 MACHINE_LIMIT_EXCEEDED': Array.from(
          { length: RIVALS - SEATS },
          () => '422 MACHINE_LIMIT_EXCEEDED',
        ),
      });
      const shown = await dataOf(stock.get(`/licenses/${license.id}`));
      expect(shown['machineCount']).toBe(SEATS);
    }
  });
});
