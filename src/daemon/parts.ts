import type { Config } from '../config/index.ts';
import {
  APPLIANCE_SCOPE,
  type Custody,
  type CustodyDeps,
  type Keyring,
  openCustody,
  Resealing,
  tokenSettings,
  type Unsealing,
} from '../custody/index.ts';
import { createOutbox, type Outbox } from '../delivery/index.ts';
import { Fault } from '../faults.ts';
import type { Log } from '../http/log.ts';
import { Metrics } from '../http/metrics.ts';
import { type Anchor, Checkpointer, Ledger, Refusals, type TreeHead } from '../ledger/index.ts';
import { type Clock, DAY, type EpochMs } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { type HeldState, refusalIn } from '../states.ts';
import type { DataDirectory } from '../storage/data-directory.ts';
import { Ballast } from '../storage/ballast.ts';
import { DiskGuard, type DiskStatus, freeBytesOf } from '../storage/disk-guard.ts';
import { type FileSequence, openFileSequence } from '../storage/file-sequence.ts';
import { keysWithoutCopy } from '../storage/settings-store.ts';
import { openTrustedClock, systemBoot, type TrustedClock } from '../storage/trusted-clock.ts';
import { readerOf } from '../storage/tx.ts';
import { UnitOfWork } from '../storage/unit-of-work.ts';
import { type Identity, readIdentity } from './identity.ts';
import { ledgerSigners } from './ledger-signers.ts';
import { anchorsOf, standingStates } from './standing.ts';
import { RealmDirectory } from '../access/index.ts';

/** What the process gives the appliance. */
export interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** How many lines of the log were given up because nobody read them. */
  readonly logLinesDropped?: () => number;
  /** The disk can no longer be trusted: the process ends without answering anybody. */
  readonly onFatal: (error: Error) => void;
}

/** Everything an appliance is made of, opened. Nothing listens and no job runs yet. */
export interface Parts extends Surroundings {
  readonly config: Config;
  readonly directory: DataDirectory;
  readonly disk: DiskGuard;
  readonly metrics: Metrics;
  readonly time: TrustedClock;
  readonly custody: Custody;
  readonly keyring: Keyring;
  readonly ledger: Ledger;
  readonly work: UnitOfWork<TreeHead>;
  readonly anchor: Anchor;
  readonly checkpointer: Checkpointer;
  readonly refusals: Refusals;
  readonly outbox: Outbox;
  readonly sequence: FileSequence;
  readonly realms: RealmDirectory;
  /** Puts values under the newest data key of their realm. */
  readonly resealing: Resealing;
  readonly identity: Identity;
  /** States found at the start that hold until an operator ends them; whoever does takes them out of here. */
  readonly standing: HeldState[];
  /** Every state that limits what is done now; empty: ready. */
  readonly states: () => readonly HeldState[];
  /** Monotonic milliseconds at which the parts were open. */
  readonly openedAt: number;
}

/** Where an appliance lies, and how it is configured. */
export interface Site {
  readonly config: Config;
  readonly directory: DataDirectory;
}

/** What opening needs besides the surroundings. */
export interface Opening extends Site {
  readonly custody: Custody;
}

/**
 * Opens a slot and the parts.
 * @throws Fault KEY_STORAGE, SLOT_SECRET_WRONG, DISK_FULL; what was opened is closed again
 */
export async function openParts(
  { unsealing, ...site }: Site & { readonly unsealing: Unsealing },
  around: Surroundings,
): Promise<Parts> {
  const custody = await openCustody(custodyDeps(site, around), unsealing);
  return openWith({ ...site, custody }, around);
}

/** What the custody of an appliance stands on. @throws Fault CONFIG_INVALID */
export function custodyDeps({ config, directory }: Site, { clock, random, log }: Surroundings): CustodyDeps {
  return { directory: directory.paths.root, random, ...custodiansOf(config, clock, log) };
}

/**
 * Opens the parts in the order in which they need each other, with keys that are open.
 * @throws Fault KEY_STORAGE, DISK_FULL; what was opened is closed again, the keys included
 */
export async function openWith(opening: Opening, around: Surroundings): Promise<Parts> {
  const core = await openCore(opening, around);
  try {
    return await assemble(opening, core, around);
  } catch (error) {
    await core.work.stop();
    await core.custody[Symbol.asyncDispose]();
    throw error;
  }
}

async function assemble(opening: Opening, core: Core, around: Surroundings): Promise<Parts> {
  const { config, directory } = opening;
  const { work, ledger, custody, identity } = core;
  const disk = diskGuardOf(opening, work);
  const anchor = anchorsOf({ config, paths: directory.paths }, around.log);
  const place = { config, paths: directory.paths, reader: work.read, identity };
  const openedAt = around.clock.wall();
  const standing = await standingStates({ ...place, now: openedAt });
  const states = statesOf({ ...core, standing, openedAt, diskState: () => disk.state });
  const checkpointer = new Checkpointer({
    ledger,
    work,
    anchor,
    origin: identity.origin,
    signers: () => ledgerSigners(core),
    clock: around.clock,
    everyEntries: config.ledger.checkpointEntries,
    maySign: () => mayCheckpoint(core, states()),
    onError: (error) => {
      around.log.error('checkpoint failed', { error });
    },
  });
  const realms = new RealmDirectory(work.read);
  const resealing = new Resealing({ work, custody, sealer: custody.sealer, clock: around.clock });
  return {
    ...around,
    ...core,
    config,
    directory,
    disk,
    anchor,
    checkpointer,
    realms,
    resealing,
    standing,
    states,
    custody,
    metrics: new Metrics(),
    refusals: new Refusals(),
    outbox: createOutbox({ random: around.random, realmName: (realm) => eventRealm(realms.name(realm)) }),
    sequence: await openFileSequence({ work }, identity.branch),
    openedAt: around.clock.monotonic(),
  };
}

interface Core {
  readonly time: TrustedClock;
  readonly custody: Custody;
  readonly keyring: Keyring;
  readonly ledger: Ledger;
  readonly work: UnitOfWork<TreeHead>;
  readonly identity: Identity;
}

async function openCore(opening: Opening, around: Surroundings): Promise<Core> {
  const { custody } = opening;
  let work: UnitOfWork<TreeHead> | undefined;
  try {
    const reader = readerOf(opening.directory.database);
    custody.loadRealmKeys(reader);
    const ledger = Ledger.open(reader, { random: around.random, sealer: custody.sealer });
    const time = timeOf(opening, around);
    work = workOf(opening, around, { ledger, time });
    await custody.startCounting(work);
    const keyring = await custody.openKeyring(reader, keysWithoutCopy(reader));
    return { time, custody, keyring, ledger, work, identity: readIdentity(reader) };
  } catch (error) {
    await work?.stop();
    await custody[Symbol.asyncDispose]();
    throw error;
  }
}

function timeOf({ config, directory }: Opening, { clock, log }: Surroundings): TrustedClock {
  return openTrustedClock(readerOf(directory.database), {
    clock,
    boot: systemBoot,
    maxDowntimeMs: config.clock.maxDowntimeDays * DAY,
    onSuspect: (status) => {
      log.warn('the clock is suspect', { ...status });
    },
  });
}

function workOf(
  { directory: { database } }: Opening,
  { clock, onFatal }: Surroundings,
  { ledger, time }: Pick<Core, 'ledger' | 'time'>,
): UnitOfWork<TreeHead> {
  return new UnitOfWork<TreeHead>({
    database,
    journal: ledger,
    time,
    onFatal,
    monotonic: () => clock.monotonic(),
  });
}

const MIB = 1024 * 1024;

function diskGuardOf({ config, directory }: Opening, work: UnitOfWork<TreeHead>): DiskGuard {
  return new DiskGuard({
    ballast: new Ballast(directory.paths.ballast, config.data.ballastMiB * MIB),
    reserveBytes: config.data.reserveMiB * MIB,
    freeBytes: () => freeBytesOf(directory.paths.root),
    writesFail: () => work.diskFull,
  });
}

/** A token that is away stops checkpoints only if the ledger key is the one in it. */
function mayCheckpoint({ custody, keyring }: Core, held: readonly HeldState[]): boolean {
  const others = held.filter(({ state }) => state !== 'signer-away');
  if (refusalIn(others, 'issue') !== null) return false;
  const holder = keyring.activeKey('ledger', APPLIANCE_SCOPE).custodian;
  return custody.away().every(({ custodian }) => custodian !== holder);
}

/** Where keys are and will be made, as configured. @throws Fault CONFIG_INVALID */
export function custodiansOf(
  config: Config,
  clock: Clock,
  log?: Log,
): Pick<CustodyDeps, 'pkcs11' | 'makesIn' | 'inFiles'> {
  const token = tokenSettings(config.pkcs11);
  const { custodian: makesIn, inFiles } = config.custody;
  if (makesIn === 'pkcs11' && token === undefined) {
    throw new Fault('CONFIG_INVALID', 'custody.custodian is pkcs11, and [pkcs11] names no token');
  }
  const heard = (line: string): void => {
    log?.warn('the module of the token wrote something', { line });
  };
  return { pkcs11: token && { ...token, clock, heard: log && heard }, makesIn, inFiles };
}

function statesOf(given: {
  readonly time: TrustedClock;
  readonly work: UnitOfWork<TreeHead>;
  readonly custody: Custody;
  readonly keyring: Keyring;
  readonly standing: readonly HeldState[];
  readonly openedAt: EpochMs;
  readonly diskState: () => DiskStatus['state'];
}): () => readonly HeldState[] {
  const { time, work, standing, openedAt, diskState, custody, keyring } = given;
  return () => {
    const clock = time.check();
    const held = [...standing];
    if (clock.state === 'suspect') {
      held.push({
        state: 'clock-suspect',
        reason: `the wall clock disagrees with trusted time (${String(clock.reason)})`,
        since: clock.trusted,
        leftBy: 'mintmark clock set-trusted --reason …',
      });
    }
    for (const { custodian, since = openedAt } of custody.away()) {
      if (!keyring.signsWith(custodian)) continue;
      held.push({
        state: 'signer-away',
        reason: `custodian ${custodian} does not sign at present`,
        since,
        leftBy: 'the token coming back; `mintmark status` says what is wrong with it',
      });
    }
    if (work.diskFull || diskState() === 'full') {
      held.push({
        state: 'disk-full',
        reason: 'less free space than the reserve',
        since: clock.trusted,
        leftBy: 'free space',
      });
    }
    return held;
  };
}

function eventRealm(name: { readonly tenantCode: string; readonly environment: string }) {
  return { tenant: name.tenantCode, environment: name.environment };
}
