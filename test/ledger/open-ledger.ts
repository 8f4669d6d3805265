import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { DataKeys } from '../../src/custody/data-keys.ts';
import { FILE_CUSTODIAN, FileCustodian } from '../../src/custody/file/file-custodian.ts';
import { Kek } from '../../src/custody/kek.ts';
import { APPLIANCE_SCOPE, Keyring, generateLedgerKey, registerLedgerKey } from '../../src/custody/index.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { type Anchor, anchorFile } from '../../src/ledger/anchor.ts';
import { append, type Happening } from '../../src/ledger/append.ts';
import { Checkpointer, type CheckpointerDeps } from '../../src/ledger/checkpointer.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { TreeHead } from '../../src/ledger/merkle.ts';
import type { NoteSigner } from '../../src/ledger/note.ts';
import { ledgerSigner } from '../../src/ledger/signer.ts';
import { Database } from '../../src/storage/database.ts';
import { migrate } from '../../src/storage/migrate.ts';
import { type RealmId, SYSTEM_REALM } from '../../src/storage/realm-scope.ts';
import { type TenantRealms, findRealm, insertTenant, NO_LIMITS } from '../../src/storage/realms.ts';
import type { Tx } from '../../src/storage/tx.ts';
import type { UnitOfWork } from '../../src/storage/unit-of-work.ts';
import { HeldClock } from '../support/held-clock.ts';
import { testAuthority, testWork } from '../support/storage.ts';
import { ORIGIN } from './ledger-fixtures.ts';

/** A real ledger over a real database with real custody, in a temporary directory. */
export interface OpenLedger {
  readonly directory: string;
  readonly kek: Kek;
  readonly database: Database;
  readonly work: UnitOfWork<TreeHead>;
  readonly ledger: Ledger;
  readonly keys: DataKeys;
  readonly signer: NoteSigner;
  readonly anchor: Anchor;
  readonly clock: HeldClock;
  readonly fatal: readonly Error[];
  readonly acme: TenantRealms;
  readonly globex: TenantRealms;
}

/** Makes an appliance with two tenants, or opens the one of `again` as after a restart. */
export async function openLedger(again?: OpenLedger): Promise<OpenLedger> {
  const directory = again?.directory ?? mkdtempSync(join(tmpdir(), 'mintmark-ledger-'));
  const kek = again?.kek ?? Kek.generate(systemRandom);
  const database = Database.openWriter(join(directory, 'mintmark.db'));
  onTestFinished(() => closed(database, directory));
  await migrate(database);
  const clock = again?.clock ?? new HeldClock();
  const fatal: Error[] = [];
  const keys = new DataKeys({ random: systemRandom });
  const ledger = Ledger.open(reading(database), { random: systemRandom, sealer: keys });
  const work = testWork(database, { journal: ledger, clock, fatal });
  keys.unlock(kek, work.read);
  const custodian = new FileCustodian({ directory, kek: () => kek, random: systemRandom });
  const keyring = await Keyring.open({ custodians: [custodian], makesIn: FILE_CUSTODIAN }, work.read);
  if (again === undefined) await founded({ work, keys, keyring });
  else await keys.start(work);
  const key = keyring.activeKey('ledger', APPLIANCE_SCOPE);
  const signer = ledgerSigner(ORIGIN, key, (message) => keyring.sign(key.kid, message));
  const anchor = anchorFile(join(directory, 'anchor'));
  const tenants = { acme: realmsOf(work, 'ten_acme'), globex: realmsOf(work, 'ten_globex') };
  return { directory, kek, database, work, ledger, keys, signer, anchor, clock, fatal, ...tenants };
}

/** A checkpointer over it; nothing is signed until it is asked to. */
export function checkpointerOf(open: OpenLedger, given: Partial<CheckpointerDeps> = {}): Checkpointer {
  return new Checkpointer({
    ledger: open.ledger,
    work: open.work,
    anchor: open.anchor,
    origin: ORIGIN,
    signers: () => [open.signer],
    clock: open.clock,
    everyEntries: 1000,
    maySign: () => true,
    onError: (error) => {
      throw error;
    },
    ...given,
  });
}

/** A state change of nothing in particular. */
export const happening = (id: string, given: Partial<Happening> = {}): Happening => ({
  action: 'license.suspended',
  target: { kind: 'license', id },
  after: { status: 'suspended', version: 2 },
  ...given,
});

/** Records one entry in a unit of its own. */
export function record(
  open: OpenLedger,
  what: Happening,
  realm: RealmId | null = open.acme.live,
): Promise<void> {
  return open.work.run(testAuthority(realm), (tx) => {
    append(tx, what);
  });
}

/** Records many entries, as many units as fit sharing a commit. */
export async function recordMany(open: OpenLedger, count: number): Promise<void> {
  const realms = [open.acme.live, open.globex.live, null, open.acme.test];
  for (let done = 0; done < count; done += 1000) {
    const part = Array.from({ length: Math.min(1000, count - done) }, (_, i) =>
      record(open, happening(`lic_${String(done + i)}`), realms[i % realms.length] ?? null),
    );
    await Promise.all(part);
  }
}

function reading(database: Database): Parameters<typeof Ledger.open>[0] {
  return {
    in: () => {
      throw new Error('opening the ledger reads no realm');
    },
    get: (statement, parameters) => database.get(statement, parameters, null),
    all: (statement, parameters) => database.all(statement, parameters, null),
  };
}

async function founded(of: { work: UnitOfWork<TreeHead>; keys: DataKeys; keyring: Keyring }): Promise<void> {
  const made = await generateLedgerKey(of.keyring);
  await of.work.run(testAuthority(null), (tx) => {
    registerLedgerKey(tx, of.keyring, made);
    of.keys.create(tx, SYSTEM_REALM);
    addTenant(tx, of.keys, 'ten_acme');
    addTenant(tx, of.keys, 'ten_globex');
    append(tx, { action: 'appliance.initialised', target: { kind: 'appliance', id: ORIGIN } });
  });
  await of.keys.start(of.work);
}

function addTenant(tx: Tx, keys: DataKeys, id: string): void {
  const limits = { tier: 'standard', ...NO_LIMITS, contact: null };
  const realms = insertTenant(tx, { id, code: id, name: id, ...limits });
  keys.create(tx, realms.live);
  keys.create(tx, realms.test);
}

function realmsOf({ read }: UnitOfWork<TreeHead>, tenantId: string): TenantRealms {
  const live = findRealm(read, { tenantId, environment: 'live' });
  const test = findRealm(read, { tenantId, environment: 'test' });
  if (live === undefined || test === undefined) throw new Error(`${tenantId} was founded with both realms`);
  return { live, test };
}

async function closed(database: Database, directory: string): Promise<void> {
  // The writer looks at its log once more after it has answered.
  await nextTurn();
  database.close();
  rmSync(directory, { recursive: true, force: true });
}
