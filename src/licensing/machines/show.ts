import type { Permit } from '../../access/index.ts';
import type { Indexer } from '../../custody/sealer.ts';
import { type EpochMs, isoTime } from '../../lib/clock.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { holdsScope, realmOf } from '../caller.ts';
import { productsOf } from '../product-limit.ts';
import type { Shown } from '../schema.ts';
import type { Challenges } from './challenges.ts';
import { pageOfMachines } from './machine-list-store.ts';
import { fingerprintDigests } from './machine-sealing.ts';
import { machineView, type MachineView, type MachineViewDeps } from './machine-view.ts';
import { holderOf, ownMachine } from './own-machine.ts';

/** What reading machines needs. */
export interface ReadMachineDeps extends MachineViewDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
  readonly indexer: Indexer;
}

/**
 * One machine with its version.
 * @throws Fault NOT_FOUND
 */
export function showMachine(deps: ReadMachineDeps, permit: Permit, id: string): Shown<MachineView> {
  const realm = realmOf(permit);
  const machine = ownMachine(deps.work.read.in(realm), permit, id);
  const reveal = holdsScope(permit, 'licenses:reveal');
  return { view: machineView(deps, machine, { realm, reveal }), version: machine.version };
}

/** Which machines, and which part of them. */
export interface MachinesAsked {
  readonly licenseId?: string | undefined;
  readonly fingerprint?: string | undefined;
  readonly before: number;
  readonly limit: number;
}

/** Machines, newest first, each with its sort key; the holder of a licence sees those of his licence alone. */
export function listMachines(
  deps: ReadMachineDeps,
  permit: Permit,
  asked: MachinesAsked,
): { readonly seq: number; readonly view: MachineView }[] {
  const realm = realmOf(permit);
  const { fingerprint, before, limit } = asked;
  const holder = holderOf(permit);
  if (holder !== null && asked.licenseId !== undefined && asked.licenseId !== holder) return [];
  const hashes = fingerprint === undefined ? null : fingerprintDigests(deps.indexer, realm, fingerprint);
  const licenseId = holder ?? asked.licenseId ?? null;
  const fingerprints = hashes?.map(({ digest }) => digest) ?? null;
  const reader = deps.work.read.in(realm);
  const products = productsOf(permit);
  const machines = pageOfMachines(reader, { licenseId, products, fingerprints, before, limit });
  const reveal = holdsScope(permit, 'licenses:reveal');
  return machines.map((machine) => ({
    seq: machine.seq,
    view: machineView(deps, machine, { realm, reveal }),
  }));
}

/** A nonce for the machine to sign its next request over, and until when it is good. */
export function issueChallenge(
  deps: {
    readonly work: Pick<UnitOfWork, 'read'>;
    readonly challenges: Challenges;
    readonly time: { now(): EpochMs };
  },
  permit: Permit,
  id: string,
): { readonly nonce: string; readonly expiresAt: string } {
  const realm = realmOf(permit);
  const machine = ownMachine(deps.work.read.in(realm), permit, id);
  const { nonce, lifeMs } = deps.challenges.issue(realm, machine.id);
  return { nonce, expiresAt: isoTime(deps.time.now() + lifeMs) };
}
