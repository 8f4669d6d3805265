/**
 * Replaces the key-encryption key of the store whose directory is given, and kills itself at one step of it. Run by
 * `rekey.test.ts`, which gives the secrets.
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { Custody } from '../../src/custody/custody.ts';
import { recoverySecret } from '../../src/custody/slots/slot-secret.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { Secret } from '../../src/lib/secret.ts';
import { Database } from '../../src/storage/database.ts';
import { UnitOfWork } from '../../src/storage/unit-of-work.ts';

const [directory = '', stays = '', fresh = '', killAt = ''] = process.argv.slice(2);
const work = new UnitOfWork({
  database: Database.openWriter(join(directory, 'mintmark.db')),
  journal: { head: () => 0, append: () => 0, publish: () => undefined },
  time: { now: () => 0, persist: () => undefined },
  onFatal: (error) => {
    throw error;
  },
  monotonic: () => performance.now(),
});
const secretOf = (code: string) => recoverySecret(new Secret(code));
const custody = new Custody({ directory, random: systemRandom });
await custody.unseal(secretOf(stays));
custody.loadRealmKeys(work.read);

let step = 0;
const counted = (): Promise<void> => {
  if (step++ === Number(killAt)) process.kill(process.pid, 'SIGKILL');
  return Promise.resolve();
};
const prepared = await custody.prepareRekey({
  keep: [{ name: 'recovery', secret: secretOf(stays) }],
  drop: ['leaked'],
  add: [{ name: 'fresh', secret: secretOf(fresh) }],
  now: 0,
});
await counted();
custody.beginRekey(prepared);
await counted();
const actor = { kind: 'system', id: 'test', via: 'job' } as const;
await custody.finishRekey({ work, authority: { actor, requestId: 'test', realm: null } }, counted);
writeSync(1, `${String(step)} steps\n`);
