import { listSlots, slotSecret, type SlotSecret, unsealCustody, type Unsealing } from '../custody/index.ts';
import { Fault } from '../faults.ts';
import { createServer } from '../http/server.ts';
import { append } from '../ledger/index.ts';
import type { EpochMs } from '../lib/clock.ts';
import { invariant } from '../lib/invariant.ts';
import { newId } from '../lib/ulid.ts';
import type { HeldState } from '../states.ts';
import type { Authority } from '../storage/entry.ts';
import { openAppliance, type Opened } from './opened.ts';
import { custodyDeps, type Parts, type Site, type Surroundings } from './parts.ts';
import { markSealed, sealedByHandSince, unmarkSealed } from './seal-mark.ts';
import type { SealControl, SealStatus, UnsealAttempt } from './seal-routes.ts';
import { sealedFront } from './sealed-front.ts';
import type { ApplianceDoors } from './server.ts';
import { ShareSet } from './share-set.ts';
import { secretOf, type SlotSecretText } from './slot-wire.ts';
import { UnsealAttempts } from './unseal-attempts.ts';

/** What the switch needs besides surroundings. */
export interface SwitchGiven extends Site {
  /** Names of the settings that are not at their default. */
  readonly changed: readonly string[];
  /** A throw-away appliance is never sealed: what does not open ends it. */
  readonly dev: boolean;
}

/** Why no key is in memory. */
interface Sealed {
  readonly reason: string;
  readonly since: EpochMs;
}

/** How long a request that runs may go on before the keys are wiped from under it. */
const DRAIN_MS = 10_000;
const DRAIN_CHECK_MS = 5;

/**
 * An appliance that runs, sealed or not. The doors stay open; behind them stands either the sealed front, which needs no
 * key, or everything that was opened with one, which comes and goes as one value. One change at a time.
 */
export class SealSwitch implements SealControl {
  readonly #given: SwitchGiven;
  readonly #around: Surroundings;
  readonly #attempts: UnsealAttempts;
  readonly #shares: ShareSet;
  #doors: ApplianceDoors | undefined;
  #opened: Opened | undefined;
  #sealed: Sealed = { reason: 'it has just been started', since: 0 };
  #busy = false;

  constructor(given: SwitchGiven, around: Surroundings) {
    this.#given = given;
    this.#around = around;
    this.#attempts = new UnsealAttempts(around.clock);
    this.#shares = new ShareSet(given.directory.paths.root, around.clock);
  }

  /** The doors; there are some from {@link begin} on. Nothing listens yet. */
  get doors(): ApplianceDoors {
    invariant(this.#doors !== undefined, 'an appliance has begun before its doors open');
    return this.#doors;
  }

  /**
   * Opens the keys as the start says, or begins sealed: when somebody sealed it by hand, when no slot opens by itself, and
   * when the credential does not open.
   * @throws Fault when a passphrase or a recovery code was given that does not open, or what it opens cannot be read
   */
  async begin(unsealing: Unsealing | null): Promise<void> {
    const { custody, reason, since } = await this.#unsealAtStart(unsealing);
    if (custody === undefined) {
      this.#sealed = { reason, since: since ?? this.#around.clock.wall() };
      this.#doors = createServer(this.#front());
    } else {
      this.#opened = await openAppliance({ ...this.#given, custody }, this.#around, this.#how());
      this.#doors = createServer(this.#opened.answers);
    }
  }

  /** Begins what is done by time, once the doors are open; says in the log that it is sealed, when it is. */
  start(): void {
    this.#opened?.start();
    if (this.#opened === undefined) this.#saySealed();
  }

  status(): SealStatus {
    if (this.#opened !== undefined) return { state: 'unsealed' };
    const { progress: shares } = this.#shares;
    return { state: 'sealed', ...(shares === undefined ? {} : { shares }) };
  }

  /**
   * 1. The ledger says so, under a checkpoint. Stop here: it runs on. 2. The mark is on disk. Stop here: the next start is
   * sealed. 3. Every new request is refused; those that run end. 4. Buffers are written, the keys are wiped: also when 1 or 2
   * could not be done, which is said then.
   */
  seal(authority: Authority): Promise<SealStatus> {
    return this.#alone(async () => {
      const { directory } = this.#given;
      const opened = this.#opened;
      try {
        if (opened !== undefined) await record(opened.parts, authority, { action: 'appliance.sealed' });
      } finally {
        try {
          markSealed(directory.paths);
        } finally {
          this.#sealed = { reason: BY_HAND, since: this.#around.clock.wall() };
          if (opened !== undefined) await this.#closed(opened);
        }
      }
      return this.status();
    });
  }

  async #closed(opened: Opened): Promise<void> {
    this.#opened = undefined;
    this.doors.serve(this.#front());
    // The request that asks for it runs until its answer.
    await this.#drained(opened, 1);
    await opened.close();
    this.#attempts.forget();
    this.#saySealed();
  }

  /**
   * 1. The secret is tried. 2. Everything is opened, and the ledger says by which slot. Stop here: it is sealed at the next start if
   * it was. 3. The mark goes. 4. Requests are answered again.
   */
  unseal({ secret, local }: UnsealAttempt): Promise<SealStatus> {
    if (this.#opened !== undefined) return Promise.resolve(this.status());
    if (!local) this.#demandRemote();
    return this.#alone(async () => {
      if (this.#opened !== undefined) return this.status();
      const custody = await this.#attempts.count(local, async () => {
        const whole = this.#wholeSecret(secret);
        return whole && (await this.#custodyFor(secretOf(whole)));
      });
      if (custody === undefined) return this.status();
      const { name: slot, kind } = custody.openedWith ?? { name: '', kind: '' };
      const opened = await openAppliance({ ...this.#given, custody }, this.#around, this.#how());
      await this.#recordUnsealing(opened, { local, slot, kind });
      this.#attempts.forget();
      this.#shares.forget();
      this.#opened = opened;
      this.doors.serve(opened.answers);
      opened.start();
      this.#around.log.info('unsealed', { slot, kind });
      return this.status();
    });
  }

  /** Ends it at an orderly stop: no request begins any more. Memory is wiped; what the next start does is unchanged. */
  async stop(): Promise<void> {
    await this.#doors?.stop();
    await this.#opened?.close();
  }

  async #unsealAtStart(unsealing: Unsealing | null): Promise<Begun> {
    const { paths } = this.#given.directory;
    const since = sealedByHandSince(paths);
    if (since !== undefined) return { reason: BY_HAND, since };
    const byItself = unsealing === null || unsealing.with === 'credential';
    const slots = listSlots(paths.root);
    if (byItself && !slots.some((slot) => !slot.damaged && slot.kind === 'credential')) {
      return { reason: 'none of its slots opens by itself: after every start somebody has to unseal it' };
    }
    if (unsealing === null) return { reason: 'no credential is configured (custody.credential)' };
    try {
      return { custody: await this.#custodyFor(slotSecret(unsealing, paths.root)), reason: '' };
    } catch (error) {
      const staysSealed = byItself && !this.#given.dev && error instanceof Fault;
      if (!staysSealed) throw error;
      return { reason: error.message };
    }
  }

  /** Undefined: more shares are needed. */
  #wholeSecret(secret: SlotSecretText): SlotSecretText | undefined {
    if (secret.kind !== 'shares') return secret;
    const shares = this.#shares.add(secret.shares);
    return shares && { kind: 'shares', shares: [...shares] };
  }

  #custodyFor(secret: SlotSecret): ReturnType<typeof unsealCustody> {
    return unsealCustody(custodyDeps(this.#given, this.#around), secret);
  }

  /** What cannot be recorded stays sealed. */
  async #recordUnsealing(
    opened: Opened,
    { local, ...how }: { readonly local: boolean; readonly slot: string; readonly kind: string },
  ): Promise<void> {
    try {
      const facts = { ...how, failures: this.#attempts.failures };
      await record(opened.parts, unsealer(opened.parts, local), { action: 'appliance.unsealed', facts });
      unmarkSealed(this.#given.directory.paths);
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  /** @throws Fault SEALED, RATE_LIMITED */
  #demandRemote(): void {
    if (!this.#given.config.http.unseal) {
      throw new Fault('SEALED', 'the appliance is sealed, and is unsealed at its own console only');
    }
    this.#attempts.demandTurn();
  }

  #front(): ReturnType<typeof sealedFront> {
    const state = { held: () => this.#held(), failures: () => this.#attempts.failures };
    return sealedFront(this.#given, this.#around, { control: this, state });
  }

  #held(): HeldState {
    return { state: 'sealed', ...this.#sealed, leftBy: 'mintmark unseal' };
  }

  #how() {
    return { control: this, changed: this.#given.changed };
  }

  #saySealed(): void {
    this.#around.log.warn('sealed', { reason: this.#sealed.reason, endedBy: 'mintmark unseal' });
  }

  async #alone<T>(body: () => Promise<T>): Promise<T> {
    if (this.#busy)
      throw new Fault('CONFLICT', 'it is being sealed or unsealed just now; wait until that is done');
    this.#busy = true;
    try {
      return await body();
    } finally {
      this.#busy = false;
    }
  }

  async #drained({ answers }: Opened, left: number): Promise<void> {
    const { clock } = this.#around;
    const until = clock.monotonic() + DRAIN_MS;
    while (answers.overload.running > left && clock.monotonic() < until) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_CHECK_MS));
    }
  }
}

type Begun =
  | {
      readonly custody: Awaited<ReturnType<typeof unsealCustody>>;
      readonly reason: string;
      readonly since?: undefined;
    }
  | { readonly custody?: undefined; readonly reason: string; readonly since?: EpochMs };

const BY_HAND = 'somebody sealed it by hand';

/**
 * Under a checkpoint when this resolves, if anything can be signed now. On a full disk nothing can be recorded; the keys must go
 * all the same.
 */
async function record(
  { work, identity, checkpointer, log }: Parts,
  authority: Authority,
  {
    action,
    facts = {},
  }: { readonly action: string; readonly facts?: Readonly<Record<string, string | number>> },
): Promise<void> {
  if (work.diskFull) return;
  await work.run(authority, (tx) => {
    append(tx, { realm: null, action, target: { kind: 'appliance', id: identity.applianceId }, facts });
  });
  await checkpointer.sign().catch((error: unknown) => {
    log.error('checkpoint failed', { error });
  });
}

/** Nobody can be identified while no key is in memory: whoever has the secret of a slot is let in. */
function unsealer({ time, random }: Parts, local: boolean): Authority {
  const actor = local
    ? ({ kind: 'operator', id: 'local', via: 'socket' } as const)
    : ({ kind: 'anonymous', id: '-', via: 'http' } as const);
  return { actor, requestId: newId('request', time.now(), random), realm: null };
}
