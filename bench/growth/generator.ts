import { append } from '../../src/ledger/append.ts';
import { createBatch } from '../../src/licensing/batches/create-batch.ts';
import { findLicense } from '../../src/licensing/licenses/license-store.ts';
import { licenseDecides } from '../../src/licensing/licenses/license-view.ts';
import { machineFacts } from '../../src/licensing/machines/activate.ts';
import { claimMachine } from '../../src/licensing/machines/claim.ts';
import { prepareMachine } from '../../src/licensing/machines/prepare-activation.ts';
import { readStanding } from '../../src/licensing/validation/standing.ts';
import type { OpenedAppliance } from '../in-process.ts';
import type { BenchMachine } from '../machines.ts';
import type { Issued } from '../stage.ts';

/** Licences made in one turn: a batch, a unit of their machines, a unit of what the ledger says besides. */
const SLICE = 1000;
/** Entries of a licence's life besides its creation and the activation of its machine: ten in all. */
const LOOKS = 8;
/** Pages kept in memory while building, so that keys in no order do not read the disk: 3 GiB. */
const BUILD_CACHE_KIB = 3 * 1024 * 1024;
/** Of so many licences of one growth the measurements know id, key and machine. */
const SAMPLE = 20_000;

/** What licences are made of. */
export interface GrownFrom {
  readonly productId: string;
  readonly policyId: string;
}

/** How far an appliance has grown. */
export interface Growth {
  /** Licences; each has one machine and ten entries. */
  readonly lives: number;
  /** Some of those that were added. */
  readonly sample: readonly BenchMachine[];
}

/**
 * Grows an appliance by lives of licences: created in batches, activated, and looked at by an operator, each by the code
 * that does it in production and with the entries and events it makes. Only the waiting is left out: the units are large
 * and nothing is synced. Stops at `until` lives, or when the time is over.
 * @param plan `deadline` by `performance.now()`
 */
export async function grow(
  opened: OpenedAppliance,
  from: GrownFrom,
  plan: { readonly lives: number; readonly until: number; readonly deadline: number },
): Promise<Growth> {
  const { native } = opened.parts.directory.database;
  native.pragma('synchronous = OFF');
  native.pragma(`cache_size = -${BUILD_CACHE_KIB}`);
  const step = Math.max(1, Math.floor((plan.until - plan.lives) / SAMPLE));
  const sample: BenchMachine[] = [];
  let lives = plan.lives;
  while (lives < plan.until && performance.now() < plan.deadline) {
    const made = await growSlice(opened, from, Math.min(SLICE, plan.until - lives));
    sample.push(...made.filter((_, i) => (lives + i) % step === 0));
    lives += made.length;
  }
  native.pragma('synchronous = FULL');
  return { lives, sample };
}

async function growSlice(opened: OpenedAppliance, from: GrownFrom, count: number): Promise<BenchMachine[]> {
  const template = { ...from, name: 'Workstation' };
  const batch = { template, count, events: 'batch' } as const;
  const { licenses } = await createBatch(opened.deps, opened.permit(), batch);
  const machines = await activateAll(opened, licenses.map(issued));
  await lookAtAll(opened, machines);
  return machines;
}

function issued({ id, key }: { readonly id: string; readonly key?: string | null }): Issued {
  if (typeof key !== 'string') throw new Error('the answer to a creation shows the key');
  return { id, key };
}

/** One machine for each licence, in one unit. */
async function activateAll(opened: OpenedAppliance, licenses: readonly Issued[]): Promise<BenchMachine[]> {
  const { deps, realm } = opened;
  const prepared = licenses.map(({ id }) => {
    const facts = machineFacts({ fingerprint: `grown-${id}`, platform: 'linux' });
    return prepareMachine(deps, { realm, licenseId: id }, facts);
  });
  const permit = opened.permit();
  const ids = await opened.parts.work.run(permit, (tx) =>
    prepared.map((one) => {
      const { fingerprint } = one;
      const asked = { realm, licenseId: one.row.licenseId, fingerprint, components: {} };
      const standing = readStanding(deps, tx.in(realm), asked);
      if (standing === undefined) throw new Error('a licence that was just created is there');
      const claimed = claimMachine(deps, tx, { permit, prepared: one, standing });
      if ('refused' in claimed) throw claimed.refused;
      return claimed.machine.id;
    }),
  );
  return licenses.map((license, i) => ({
    id: ids[i] ?? '',
    fingerprint: `grown-${license.id}`,
    license,
  }));
}

/** The entries of an operator who has the keys shown to him; that changes no row. */
async function lookAtAll(opened: OpenedAppliance, machines: readonly BenchMachine[]): Promise<void> {
  const { realm } = opened;
  await opened.parts.work.run(opened.permit(), (tx) => {
    for (const { license } of machines) {
      const row = findLicense(tx.in(realm), license.id);
      if (row === undefined) throw new Error('a licence that was just created is there');
      const decides = licenseDecides(row);
      const target = { kind: 'license', id: license.id };
      for (let look = 0; look < LOOKS; look++) {
        append(tx, { action: 'license.revealed', target, before: decides, after: decides });
      }
    }
  });
}
