/**
 * Opens the data keys of the store whose directory is given, seals as fast as it can and prints how often it has, until
 * somebody kills it. Run by `custody.test.ts`.
 */
import { writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { join } from 'node:path';
import { Custody } from '../../src/custody/custody.ts';
import { credentialSecret } from '../../src/custody/slots/slot-secret.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { Secret } from '../../src/lib/secret.ts';
import { Database } from '../../src/storage/database.ts';
import { SYSTEM_REALM } from '../../src/storage/realm-scope.ts';
import { UnitOfWork } from '../../src/storage/unit-of-work.ts';

const [directory = '', credential = ''] = process.argv.slice(2);
const database = Database.openWriter(join(directory, 'mintmark.db'));
const work = new UnitOfWork({
  database,
  journal: { head: () => 0, append: () => 0, publish: () => undefined },
  time: { now: () => 0, persist: () => undefined },
  onFatal: (error) => {
    throw error;
  },
  monotonic: () => performance.now(),
});
const limits = { block: 64, warnAt: 2 ** 28, rotateAt: 2 ** 31, refuseAt: 2 ** 32 };
const custody = new Custody({ directory, random: systemRandom, limits });
await custody.unseal(credentialSecret(new Secret(Buffer.from(credential, 'hex'))));
custody.loadRealmKeys(work.read);
await custody.startCounting(work);

const cell = { realm: SYSTEM_REALM, table: 'test', column: 'test', row: 'test' };
for (let uses = 1; ; uses++) {
  custody.sealer.seal(cell, Buffer.from('x'));
  // Written straight to the pipe: what was used is known before the next use.
  writeSync(1, `${uses}\n`);
  await setImmediate();
}
