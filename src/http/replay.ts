import { createHash } from 'node:crypto';
import { Fault } from '../faults.ts';
import { invariant } from '../lib/invariant.ts';
import type { JsonObject } from '../lib/strict-json.ts';
import type { Answer, Call, Route } from './route.ts';

/** 1–128 visible ASCII characters. */
const KEY = /^[\x21-\x7e]{1,128}$/;
/** Requests that wait for one running under the same key; a client with more has lost count. */
const WAITING_LIMIT = 256;

/** The longest wait for the one that runs: within the 15 s that a request has, with time left to answer. */
const WAIT_MS = 10_000;

/** Where the answer of one request is kept: scoped to realm and principal by the caller's permit. */
export interface AnswerSlot {
  /** `METHOD /pattern`. */
  readonly route: string;
  /** The `Idempotency-Key`. */
  readonly key: string;
  /** SHA-256, hexadecimal, of everything that must be the same in a repeated request. */
  readonly request: string;
}

/** An answer as it is kept. */
export interface KeptAnswer {
  readonly status: number;
  /** JSON; to be sealed at rest. */
  readonly bytes: Buffer;
}

/** What a slot holds; `same` is false when it was filled by another request. */
export interface FoundAnswer extends KeptAnswer {
  readonly same: boolean;
}

/** Where answers are kept for 24 hours of trusted time. */
export interface AnswerStore<Caller, Tx> {
  /** Realm and principal of a caller as one text: equal for requests that share their keys. */
  scopeOf(caller: Caller): string;
  /** What was committed under a slot. */
  find(caller: Caller, slot: AnswerSlot): FoundAnswer | undefined;
  /** Keeps an answer in an open unit of work: durable with it. */
  keep(tx: Tx, caller: Caller, kept: AnswerSlot & KeptAnswer): void;
  /** Keeps an answer in a unit of its own; durable when this resolves. */
  keepAlone(caller: Caller, kept: AnswerSlot & KeptAnswer): Promise<void>;
}

/**
 * The key of a request that wants its answer kept.
 * @throws Fault MALFORMED when it is not 1–128 visible ASCII characters
 */
export function idempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined || KEY.test(header)) return header;
  throw new Fault('MALFORMED', 'the header Idempotency-Key is not 1 to 128 visible ASCII characters');
}

/** What must be equal in two requests for them to be the same: method, target, wanted form, what it proves, body. */
export function requestDigest(parts: {
  readonly method: string;
  readonly target: string;
  readonly accept: string | undefined;
  /** Values of the headers that the route has as proofs, each at its place. */
  readonly proofs: readonly (string | null)[];
  readonly body: Buffer;
}): string {
  const head = JSON.stringify([parts.method, parts.target, parts.accept ?? '', ...parts.proofs]);
  return createHash('sha256').update(head).update('\n').update(parts.body).digest('hex');
}

/**
 * What a permit calls inside the unit that has the effect. It is made before the body is read (a permit comes first),
 * and opened for one slot once the request is known.
 */
export class Remembrance<Caller, Tx> {
  readonly #store: AnswerStore<Caller, Tx>;
  readonly #route: Route<Caller, unknown>;
  #open: { readonly caller: Caller; readonly slot: AnswerSlot } | undefined;
  #answer: Answer | undefined;

  constructor(store: AnswerStore<Caller, Tx>, route: Route<Caller, unknown>) {
    this.#store = store;
    this.#route = route;
  }

  /** The answer that was kept with the effect, with what is shown once still in it. */
  get answer(): Answer | undefined {
    return this.#answer;
  }

  open(caller: Caller, slot: AnswerSlot): void {
    this.#open = { caller, slot };
  }

  readonly keep = (tx: Tx, result: unknown): void => {
    if (this.#open === undefined || this.#route.present === undefined) return;
    const { caller, slot } = this.#open;
    const answer = this.#route.present(result);
    this.#answer = answer;
    if (isKept(answer)) this.#store.keep(tx, caller, { ...slot, ...keptForm(answer) });
  };
}

/** One request that runs under a key; the others wait for it. */
interface Running {
  readonly request: string;
  readonly done: Promise<unknown>;
  waiting: number;
}

/** Gives a repeated request the answer of the first (draft-ietf-httpapi-idempotency-key-header §2.6). */
export class Replays<Caller, Tx> {
  readonly #store: AnswerStore<Caller, Tx>;
  readonly #running = new Map<string, Running>();
  readonly #waitMs: number;

  constructor(store: AnswerStore<Caller, Tx>, waitMs = WAIT_MS) {
    this.#store = store;
    this.#waitMs = waitMs;
  }

  /**
   * Runs the handler once for all requests of a slot.
   *
   * 1. The same request is running: wait for it, within a bound. 2. An answer was committed: it is given again; nothing runs.
   * 3. Otherwise run it. Its unit commits effect and answer together (`present`). If we stop before that commit, nothing
   *    happened and a repeated request runs anew; after it, a repeated request finds the answer.
   * What did not succeed, and what says that it changed nothing, has no effect that must not happen twice: it is not
   * kept, and may be tried again.
   * @throws Fault IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_IN_PROGRESS; what the handler throws
   */
  async run(
    turn: { readonly route: Route<Caller, unknown>; readonly call: Call<Caller>; readonly slot: AnswerSlot },
    memory: Remembrance<Caller, Tx>,
  ): Promise<Answer> {
    const { route, call, slot } = turn;
    const name = JSON.stringify([this.#store.scopeOf(call.permit), slot.route, slot.key]);
    using patience = new Patience(this.#waitMs);
    // Everybody who waited comes on in the same turn if the first did not succeed: one of them runs next.
    for (let running = this.#running.get(name); running !== undefined; running = this.#running.get(name)) {
      await wait(running, slot, patience);
    }
    const found = this.#store.find(call.permit, slot);
    if (found !== undefined) return await replayed(route, call, found);
    const done = this.#first(turn, memory);
    this.#running.set(name, { request: slot.request, done: done.catch(() => undefined), waiting: 0 });
    try {
      return await done;
    } finally {
      this.#running.delete(name);
    }
  }

  async #first(
    { route, call, slot }: { route: Route<Caller, unknown>; call: Call<Caller>; slot: AnswerSlot },
    memory: Remembrance<Caller, Tx>,
  ): Promise<Answer> {
    memory.open(call.permit, slot);
    const answer = await route.handle(call);
    if (memory.answer !== undefined) return memory.answer;
    if (isKept(answer)) await this.#store.keepAlone(call.permit, { ...slot, ...keptForm(answer) });
    return answer;
  }
}

/** How long one request waits in all, whoever it waits for: the time begins with its first wait. */
class Patience {
  readonly #ms: number;
  #timer: NodeJS.Timeout | undefined;
  #over: Promise<false> | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  /** True when `done` came in time. */
  outlasts(done: Promise<unknown>): Promise<boolean> {
    this.#over ??= new Promise((resolve) => {
      this.#timer = setTimeout(resolve, this.#ms, false);
    });
    return Promise.race([done.then(() => true), this.#over]);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/** @throws Fault IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_IN_PROGRESS when it is still running after all the patience */
async function wait(running: Running, slot: AnswerSlot, patience: Patience): Promise<void> {
  if (running.request !== slot.request) throw reused();
  if (running.waiting >= WAITING_LIMIT) {
    throw inProgress('too many requests wait for the one that runs with this key');
  }
  running.waiting++;
  const inTime = await patience.outlasts(running.done);
  running.waiting--;
  if (!inTime) throw inProgress('the first request with this key is still running');
}

function inProgress(message: string): Fault {
  return new Fault('IDEMPOTENCY_IN_PROGRESS', message, { retryAfterMs: 1000 });
}

function reused(): Fault {
  return new Fault(
    'IDEMPOTENCY_KEY_REUSED',
    'this idempotency key was used for a request with another path, body or proof',
  );
}

/** What did not succeed may be tried again, and so may what changed nothing: kept, it would only fill the disk. */
function isKept({ status, unchanged = false }: Answer): boolean {
  return status >= 200 && status < 300 && !unchanged;
}

/** Stored form: `{ headers?, body?, raw?, secrets? }`, with null for everything that is shown once. */
interface StoredForm {
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: JsonObject | undefined;
  readonly raw?: {
    readonly base64: string;
    readonly contentType: string;
    readonly filename: string | undefined;
  };
  readonly secrets?: readonly string[] | undefined;
}

function keptForm(answer: Answer): KeptAnswer {
  const { status, headers, raw, secrets } = answer;
  const stored: StoredForm = {
    headers,
    secrets,
    ...(answer.body !== undefined && { body: answer.kept ?? withoutSecrets(answer) }),
    ...(raw !== undefined && {
      raw: { base64: raw.bytes.toString('base64'), contentType: raw.contentType, filename: raw.filename },
    }),
  };
  return { status, bytes: Buffer.from(JSON.stringify(stored)) };
}

/** A copy of the body as JSON, with null at every path of `secrets` below `data`. */
function withoutSecrets(answer: Answer): JsonObject {
  const body = JSON.parse(JSON.stringify(answer.body)) as JsonObject; // what a handler answers is a JSON object
  for (const path of answer.secrets ?? []) blank(body, ['data', ...path.split('.')]);
  return body;
}

function blank(body: JsonObject, path: readonly string[]): void {
  let at: unknown = body;
  for (const step of path.slice(0, -1)) at = (at as JsonObject)[step]; // a path of the body, checked below
  const last = path.at(-1) ?? '';
  invariant(typeof at === 'object' && at !== null && last in at, 'a secret named by an answer is in it');
  (at as JsonObject)[last] = null; // the line above proved it
}

/** @throws Fault IDEMPOTENCY_KEY_REUSED */
async function replayed<Caller>(
  route: Route<Caller, unknown>,
  call: Call<Caller>,
  found: FoundAnswer,
): Promise<Answer> {
  if (!found.same) throw reused();
  const stored = JSON.parse(found.bytes.toString('utf8')) as StoredForm; // written by keptForm, sealed since
  const answer = await restored(route, call, { status: found.status, stored });
  return { ...answer, headers: { ...answer.headers, 'Idempotent-Replayed': 'true' } };
}

async function restored<Caller>(
  route: Route<Caller, unknown>,
  call: Call<Caller>,
  { status, stored }: { readonly status: number; readonly stored: StoredForm },
): Promise<Answer> {
  const { headers = {}, body, raw, secrets = [] } = stored;
  if (raw !== undefined) {
    const file = { bytes: Buffer.from(raw.base64, 'base64'), contentType: raw.contentType };
    return { status, headers, raw: raw.filename === undefined ? file : { ...file, filename: raw.filename } };
  }
  if (body === undefined) return { status, headers };
  if (route.idempotent === 'reread' && route.reread !== undefined) {
    const reread = await route.reread(call, body);
    return { ...reread, status, headers: { ...headers, ...reread.headers } };
  }
  if (secrets.length === 0) return { status, headers, body };
  const { data } = body;
  const told = typeof data === 'object' && data !== null && !Array.isArray(data) ? data : {};
  return { status: 200, headers, body: { ...body, data: { ...told, secretShown: true } } };
}
