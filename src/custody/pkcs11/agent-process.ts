import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { invariant } from '../../lib/invariant.ts';
import {
  type Answered,
  type Asked,
  bodyLength,
  ChannelError,
  decodeAnswer,
  encodeRequest,
  LENGTH_BYTES,
  type Operation,
} from './channel.ts';

const AGENT = fileURLToPath(new URL('./agent.ts', import.meta.url));

/** The agent ended, hung, or said something that is no answer. Nothing is known of what it was doing. */
export class AgentLost extends Error {
  override readonly name = 'AgentLost';
}

interface Waiting {
  readonly take: (body: Buffer) => void;
  readonly lose: (why: AgentLost) => void;
}

/**
 * One signer agent. It is asked one thing at a time; one that does not answer in time is killed, because nothing else ends
 * a call into a module that hangs.
 */
export class AgentProcess {
  readonly #child: ChildProcess;
  readonly #channel: Socket;
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>;
  #received: Buffer = Buffer.alloc(0);
  #waiting: Waiting | null = null;
  #lost: AgentLost | null = null;

  /**
   * Starts an agent.
   * @param environment what the module needs, and nothing of ours
   * @param heard takes what it writes on standard error, a line at a time: words of a vendor, not to be believed
   */
  constructor(environment: Readonly<Record<string, string>>, heard?: (line: string) => void) {
    const flags = ['--disable-proto=throw', '--disable-warning=ExperimentalWarning'];
    this.#child = spawn(process.execPath, [...flags, AGENT], {
      stdio: ['ignore', 'ignore', heard === undefined ? 'ignore' : 'pipe', 'pipe'],
      env: { ...environment },
    });
    if (heard !== undefined) listenTo(this.#child, heard);
    // A pipe of ours is a socket pair: both directions in one stream.
    this.#channel = this.#child.stdio[3] as Socket;
    // Who waits for an answer has a deadline; an agent at rest keeps nobody from ending.
    this.#child.unref();
    this.#channel.unref();
    this.#channel.on('data', (bytes: Buffer) => {
      this.#receive(bytes);
    });
    for (const stream of [this.#channel, this.#child]) {
      stream.on('error', (error: Error) => {
        this.#lose(`the signer agent cannot be reached: ${error.message}`);
      });
    }
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        this.#lose(`the signer agent ended (${signal ?? `exit code ${String(code)}`})`);
        resolve();
      });
    });
  }

  /** Process number; undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether it can still be asked. */
  get alive(): boolean {
    return this.#lost === null;
  }

  /**
   * Asks one thing and waits for its answer, at most `deadlineMs`.
   * @throws TokenError what the token said; AgentLost when there is no answer any more
   */
  async call<O extends Operation>(operation: O, asked: Asked<O>, deadlineMs: number): Promise<Answered<O>> {
    invariant(this.#waiting === null, 'the agent is asked one thing at a time');
    const timer = setTimeout(() => {
      this.#lose(`the signer agent did not answer ${operation} within ${deadlineMs} ms`);
    }, deadlineMs);
    try {
      const body = await this.#exchange(encodeRequest(operation, asked));
      return decodeAnswer(operation, body);
    } catch (error) {
      if (error instanceof ChannelError)
        throw this.#lose(`the signer agent answered nonsense: ${error.message}`);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends it at once; whoever waits for an answer is told. */
  kill(): void {
    this.#lose('the signer agent was ended');
  }

  #exchange(frame: Buffer): Promise<Buffer> {
    return new Promise((take, lose) => {
      if (this.#lost !== null) {
        lose(this.#lost);
        return;
      }
      this.#waiting = { take, lose };
      this.#channel.write(frame);
    });
  }

  #receive(bytes: Buffer): void {
    if (this.#waiting === null) {
      this.#lose('the signer agent answered what nobody asked');
      return;
    }
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    const frame = this.#wholeFrame();
    if (frame === undefined) return;
    const { take } = this.#waiting;
    this.#waiting = null;
    this.#received = Buffer.alloc(0);
    take(frame);
  }

  /** The body of the frame received, once it is whole; more than one frame answers what nobody asked. */
  #wholeFrame(): Buffer | undefined {
    const received = this.#received;
    if (received.length < LENGTH_BYTES) return undefined;
    try {
      const end = LENGTH_BYTES + bodyLength(received);
      if (received.length > end) throw new ChannelError('it answered twice');
      return received.length === end ? received.subarray(LENGTH_BYTES) : undefined;
    } catch (error) {
      this.#lose(`the signer agent answered nonsense: ${error instanceof Error ? error.message : ''}`);
      return undefined;
    }
  }

  #lose(why: string): AgentLost {
    this.#lost ??= new AgentLost(why);
    this.#child.kill('SIGKILL');
    // Its end comes in a moment, and somebody may wait for that alone.
    this.#child.ref();
    this.#channel.destroy();
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.lose(this.#lost);
    return this.#lost;
  }
}

/** A module that complains on every call would fill any log. */
const MAX_LINES = 20;
const MAX_LINE = 300;

function listenTo({ stderr }: ChildProcess, heard: (line: string) => void): void {
  if (stderr === null) return;
  // What is still unsaid keeps nobody from ending: a pipe of ours is a socket.
  if (stderr instanceof Socket) stderr.unref();
  let lines = 0;
  let rest = '';
  stderr.setEncoding('utf8');
  stderr.on('data', (text: string) => {
    const whole = `${rest}${text}`.split('\n');
    rest = (whole.pop() ?? '').slice(0, MAX_LINE);
    for (const line of whole) {
      lines += 1;
      if (lines <= MAX_LINES) heard(line.replaceAll(/\p{Cc}/gu, ' ').slice(0, MAX_LINE));
    }
  });
}
