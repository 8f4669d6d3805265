import { join } from 'node:path';
import type { Clock, EpochMs } from '../../lib/clock.ts';
import { AgentLost, AgentProcess } from './agent-process.ts';
import type { Answered, Asked, Operation } from './channel.ts';
import { CKF, type ErrorClass, TokenError } from './cryptoki.ts';
import { modulePath } from './module-file.ts';
import { type PinAttempt, PinRecord } from './pin-record.ts';
import { Turns } from './turns.ts';

/** Which token, through which module, opened with what. */
export interface TokenSettings {
  /** Whole path of the vendor's PKCS#11 module. */
  readonly module: string;
  /** What the module is initialised with; empty for those that want nothing, which are most. */
  readonly parameters: string;
  /** PKCS#11 URI that fits exactly one token. */
  readonly token: string;
  /** File that holds the PIN. */
  readonly pinSource: string;
  /** Variables that the module reads; it is given no others. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What a signer stands on. */
export interface SignerDeps extends TokenSettings {
  /** The data directory, and the file in it that belongs to this signer: which PIN was tried. */
  readonly directory: string;
  readonly pinRecord?: string;
  /** Takes what modules write on standard error. */
  readonly heard?: ((line: string) => void) | undefined;
  readonly clock: Clock;
  /** Key of the digests that tell PINs apart. @throws Fault SEALED */
  readonly pinKey: () => Buffer;
}

/** The token as it introduced itself. */
export interface OpenedToken {
  readonly label: string;
  readonly serial: string;
  readonly model: string;
  readonly manufacturer: string;
  readonly mechanisms: readonly number[];
}

/** Why nothing can be signed, and since when. */
export interface Trouble {
  readonly detail: string;
  readonly since: EpochMs;
}

/** Agents started since the start of this process, and calls that wait for them. */
export interface SignerLoad {
  readonly started: number;
  readonly waiting: number;
}

/** What several signers have to do, together. */
export function loadOf(signers: readonly Signer[]): SignerLoad {
  const add = (all: SignerLoad, { load }: Signer): SignerLoad => {
    return { started: all.started + load.started, waiting: all.waiting + load.waiting };
  };
  return signers.reduce(add, { started: 0, waiting: 0 });
}

/** How one thing is asked. */
export interface Asking<O extends Operation> {
  readonly deadlineMs?: number | undefined;
  /** Whether to ask a new agent when this one fails; for what would be done twice, not. */
  readonly again?: boolean;
  /** Says of an answer that it may be believed. */
  readonly accept?: (answered: Answered<O>) => boolean | Promise<boolean>;
}

/** More wait only when the token is far too slow; longer than this nobody waits. */
const LINE = { most: 256, waitMs: 5000 } as const;
const DEADLINE_MS = 2000;
/** A driver may have to find its device over a network first. */
const OPEN_DEADLINE_MS = 15_000;
/** What is lost at once is looked for at once, then with growing patience. */
const FIRST_WAIT_MS = 2000;
const LAST_WAIT_MS = 30_000;
const PATIENCE = 1.5;

interface Reaction {
  readonly recycle: boolean;
  readonly again: boolean;
}

/** What follows from an error of each class: a new agent, and the same question to it. `lost`: there was no answer. */
const REACTIONS: Readonly<Record<ErrorClass | 'lost', Reaction>> = {
  caller: { recycle: false, again: false },
  policy: { recycle: false, again: false },
  session: { recycle: false, again: true },
  context: { recycle: true, again: true },
  backend: { recycle: true, again: true },
  lost: { recycle: true, again: true },
  // A module whose device is gone finds nothing too, and says so without an error: only a new one is believed.
  absent: { recycle: true, again: true },
  wrong: { recycle: true, again: true },
  pin: { recycle: true, again: false },
  setup: { recycle: true, again: false },
};

interface Open {
  readonly agent: AgentProcess;
  readonly token: OpenedToken;
  /** Nothing was asked of it yet. */
  fresh: boolean;
}

interface Difficulty extends Trouble {
  readonly error: Error;
  readonly while: 'opening' | 'working';
}

/**
 * The token, whatever becomes of the process that speaks to it: starts agents, logs them in, ends those that hang, and
 * tries again with patience. Errors of the token come out as they are; the custodian says what they mean.
 */
export class Signer {
  readonly #deps: SignerDeps;
  readonly #turns = new Turns(LINE);
  readonly #pins: PinRecord;
  #open: Open | null = null;
  #trouble: Difficulty | null = null;
  #retryAt = Number.NEGATIVE_INFINITY;
  #waitMs = FIRST_WAIT_MS;
  #started = 0;

  constructor(deps: SignerDeps) {
    this.#deps = deps;
    this.#pins = new PinRecord(join(deps.directory, deps.pinRecord ?? 'pin-tried'));
  }

  /** The token, once it was opened; undefined while it is away. */
  get token(): OpenedToken | undefined {
    return this.#open?.token;
  }

  /** What is wrong; null when the last thing asked went well, or nothing was asked yet. */
  get trouble(): Trouble | null {
    return this.#trouble;
  }

  /** How many agents it has started, and how many calls wait for their turn. */
  get load(): SignerLoad {
    return { started: this.#started, waiting: this.#turns.waiting };
  }

  /** The agent at work, for tests and status. */
  get agentPid(): number | undefined {
    return this.#open?.agent.pid;
  }

  /** Opens the token if it is not open. @throws TokenError, AgentLost; Fault SIGNER_BUSY, SEALED */
  async start(): Promise<OpenedToken> {
    return this.#turns.take(async () => (await this.#opened()).token);
  }

  /**
   * Asks the token, in turn.
   * @throws TokenError, AgentLost when it will not or cannot; Fault SIGNER_BUSY, SEALED
   */
  ask<O extends Operation>(operation: O, asked: Asked<O>, how: Asking<O> = {}): Promise<Answered<O>> {
    return this.#turns.take(async () => {
      try {
        const answered = await this.#ask(operation, asked, how);
        this.#recover();
        return answered;
      } catch (error) {
        if (isTrouble(error)) this.#postpone(error, 'working');
        throw error;
      }
    });
  }

  /** A person is there who has just put something right: the next question is not put off. */
  hurry(): void {
    this.#retryAt = Number.NEGATIVE_INFINITY;
  }

  /** Ends the agent: nobody is logged in any more. */
  async close(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    open?.agent.kill();
    await open?.agent.ended;
  }

  async #ask<O extends Operation>(operation: O, asked: Asked<O>, how: Asking<O>): Promise<Answered<O>> {
    for (let more = how.again !== false; ; more = false) {
      const open = await this.#opened();
      try {
        const answered = await open.agent.call(operation, asked, how.deadlineMs ?? DEADLINE_MS);
        if ((await how.accept?.(answered)) === false) throw wrongAnswer(operation);
        open.fresh = false;
        return answered;
      } catch (error) {
        const { recycle, again } = reactionTo(error, open);
        if (recycle) this.#drop();
        if (!again || !more) throw error;
      }
    }
  }

  async #opened(): Promise<Open> {
    if (this.#open?.agent.alive === true) return this.#open;
    const { clock } = this.#deps;
    if (this.#trouble !== null && clock.monotonic() < this.#retryAt) throw this.#trouble.error;
    try {
      this.#open = await this.#begin();
    } catch (error) {
      if (isTrouble(error)) this.#postpone(error, 'opening');
      throw error;
    }
    // A token that opens and then does not sign stays in trouble until it has signed.
    if (this.#trouble?.while === 'opening') this.#recover();
    return this.#open;
  }

  /**
   * 1. The agent loads the module, chooses the token and reads the PIN. 2. That this PIN is about to be tried is on disk.
   * 3. It is tried, once. Stop after 2: the next start asks the token whether it counts a wrong PIN.
   */
  async #begin(): Promise<Open> {
    const { module, parameters, token, pinSource, environment, pinKey } = this.#deps;
    const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');
    const asked = {
      ...{ module: bytes(modulePath(module)), parameters: bytes(parameters) },
      ...{ token: bytes(token), pinSource: bytes(pinSource) },
    };
    const key = pinKey();
    const agent = new AgentProcess(environment, this.#deps.heard);
    this.#started += 1;
    try {
      const answered = await agent.call('open', { ...asked, pinKey: key }, OPEN_DEADLINE_MS);
      await this.#login(agent, answered);
      return { agent, token: described(answered), fresh: true };
    } catch (error) {
      agent.kill();
      throw error;
    } finally {
      key.fill(0);
    }
  }

  async #login(agent: AgentProcess, { serial, flags, pinDigest }: Answered<'open'>): Promise<void> {
    const { clock } = this.#deps;
    const held = demandUsable(Number(flags.toString('utf8')));
    const attempt: PinAttempt = { serial: serial.toString('utf8'), digest: pinDigest, countsWrong: held };
    this.#pins.begin(attempt, clock.wall());
    try {
      await agent.call('login', {}, OPEN_DEADLINE_MS);
    } catch (error) {
      if (isOf(error, 'pin')) this.#pins.refused(attempt, error.code, clock.wall());
      else if (error instanceof TokenError) this.#pins.settled();
      throw error;
    }
    this.#pins.settled();
  }

  #drop(): void {
    this.#open?.agent.kill();
    this.#open = null;
  }

  #recover(): void {
    this.#trouble = null;
    this.#waitMs = FIRST_WAIT_MS;
  }

  #postpone(error: Error, during: Difficulty['while']): void {
    const { clock } = this.#deps;
    const now = clock.monotonic();
    // Said by what was just tried, or again by what is still true.
    if (this.#trouble !== null && now < this.#retryAt) return;
    this.#trouble = {
      ...{ detail: error.message, error, while: during },
      since: this.#trouble?.since ?? clock.wall(),
    };
    this.#retryAt = now + this.#waitMs;
    this.#waitMs = Math.min(this.#waitMs * PATIENCE, LAST_WAIT_MS);
  }
}

/** What follows from an error, where it may be believed that a key is not there. */
function reactionTo(error: unknown, { fresh }: Open): Reaction {
  if (error instanceof AgentLost) return REACTIONS.lost;
  if (!(error instanceof TokenError) || (fresh && error.of === 'absent'))
    return { recycle: false, again: false };
  return REACTIONS[error.of];
}

function isOf(error: unknown, of: ErrorClass): error is TokenError {
  return error instanceof TokenError && error.of === of;
}

/** Whether an error says something about the signer as a whole, not about one request or one key. */
function isTrouble(error: unknown): error is TokenError | AgentLost {
  if (error instanceof AgentLost) return true;
  return error instanceof TokenError && !['caller', 'policy', 'absent', 'wrong'].includes(error.of);
}

/** Whether the token counts a wrong PIN. @throws TokenError pin when an attempt could lock it, or it is locked */
function demandUsable(flags: number): boolean {
  const has = (flag: number): boolean => (flags & flag) !== 0;
  if (has(CKF.USER_PIN_LOCKED)) {
    throw new TokenError(
      'pin',
      'CKR_PIN_LOCKED',
      'the PIN of the token is locked; its security officer sets a new one',
    );
  }
  if (!has(CKF.USER_PIN_INITIALIZED)) {
    throw new TokenError('pin', 'CKR_USER_PIN_NOT_INITIALIZED', 'the token has no user PIN yet');
  }
  if (has(CKF.USER_PIN_FINAL_TRY)) {
    const detail = 'one more wrong PIN locks the token; log in to it by hand first, with the right one';
    throw new TokenError('pin', 'CKR_PIN_INCORRECT', detail);
  }
  return has(CKF.USER_PIN_COUNT_LOW);
}

function described(answered: Answered<'open'>): OpenedToken {
  const text = (name: 'label' | 'serial' | 'model' | 'manufacturer' | 'mechanisms'): string =>
    answered[name].toString('utf8');
  return {
    label: text('label'),
    serial: text('serial'),
    model: text('model'),
    manufacturer: text('manufacturer'),
    mechanisms: text('mechanisms').split(' ').map(Number),
  };
}

function wrongAnswer(operation: Operation): TokenError {
  const detail = `what the token answered to ${operation} is wrong, and was not used`;
  return new TokenError('wrong', 'WRONG_ANSWER', detail);
}
