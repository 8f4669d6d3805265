import { setTimeout as sleep } from 'node:timers/promises';
import { type Answered, dataOf, send, type RunningDaemon } from '../support/daemon.ts';

/** Everything that clients were told is done, by kind. */
export interface Journal {
  readonly licenses: Map<string, string>;
  readonly machines: Map<string, string>;
  readonly files: Set<string>;
}

/** What licences are made of. */
export interface Catalogue {
  readonly productId: string;
  readonly policyId: string;
}

/** Where and of what a client works. */
export interface Place extends Catalogue {
  readonly url: string;
  readonly key: string;
}

interface Step {
  readonly key: string;
  readonly path: string;
  readonly body: object;
  readonly done: (data: Record<string, unknown>) => void;
}

/** The fingerprint and the licence key of a machine that a client has activated. */
export interface ActiveMachine {
  readonly id: string;
  readonly fingerprint: string;
  readonly licenseKey: string;
}

/** Longest time that a client goes on asking an appliance that says it is overloaded. */
const PATIENCE = 600;
const RETRY_MS = 500;

/** An empty journal. */
export function newJournal(): Journal {
  return { licenses: new Map(), machines: new Map(), files: new Set() };
}

/** Every id in a journal. */
export function idsIn(journal: Journal): string[] {
  return [...journal.licenses.values(), ...journal.machines.values(), ...journal.files];
}

/** Makes what licences are made of. @param code of the product, new in its realm */
export async function createCatalogue(daemon: RunningDaemon, code: string): Promise<Catalogue> {
  const target = { url: daemon.url, key: daemon.live.secretKey };
  const product = await dataOf(
    send(target, { method: 'POST', path: '/products', body: { name: 'Campaign', code } }),
  );
  const body = {
    productId: product['id'],
    name: 'Campaign',
    template: 'desktop_app',
    maxMachines: 2,
    requireFingerprint: false,
  };
  const policy = await dataOf(send(target, { method: 'POST', path: '/policies', body }));
  return { productId: String(product['id']), policyId: String(policy['id']) };
}

/** Sends a request until it is answered by something else than an overload; undefined: the daemon died before. */
export async function sendPatiently(
  place: Pick<Place, 'url' | 'key'>,
  request: Parameters<typeof send>[1],
): Promise<Answered | undefined> {
  for (let tries = 0; tries < PATIENCE; tries++) {
    try {
      const answer = await send(place, request);
      if (answer.status !== 503) return answer;
    } catch (error) {
      if (error instanceof TypeError) return undefined;
      throw error;
    }
    await sleep(RETRY_MS);
  }
  throw new Error('the daemon was overloaded for too long');
}

/**
 * A client that writes: creates a licence, activates a machine, checks its file out, and begins again. Each request has an
 * idempotency key, and an unanswered one is repeated after the restart, as a real client does.
 */
export class JournalingClient {
  readonly #number: number;
  readonly #journal: Journal;
  #round = 0;
  #license = { id: '', key: '' };
  #stage: 'license' | 'machine' | 'file' = 'license';
  /** The request that was sent and not answered; repeated first after the restart. */
  #open: Step | null = null;
  /** The machine that was activated last. */
  machine: ActiveMachine | null = null;

  constructor(number: number, journal: Journal) {
    this.#number = number;
    this.#journal = journal;
  }

  /** Works until the connection breaks. */
  async workUntilCut(place: Place): Promise<void> {
    while (await this.step(place));
  }

  /** One request, or the one that was not answered once more. @returns false when the daemon died before it answered */
  async step(place: Place): Promise<boolean> {
    const step = this.#open ?? this.#next(place);
    this.#open = step;
    if (!(await this.#take(place, step))) return false;
    this.#open = null;
    return true;
  }

  /** Repeats the request that the last kill left unanswered. */
  async finish(place: Place): Promise<void> {
    if (this.#open !== null && !(await this.step(place))) {
      throw new Error('the daemon did not answer although nobody killed it');
    }
  }

  async #take(place: Place, { key, path, body, done }: Step): Promise<boolean> {
    const headers = { 'idempotency-key': key };
    const answer = await sendPatiently(place, { method: 'POST', path, body, headers });
    if (answer === undefined) return false;
    done(await dataOf(Promise.resolve(answer)));
    return true;
  }

  #next(place: Place): Step {
    const key = `client-${String(this.#number)}-${String(this.#round)}-${this.#stage}`;
    if (this.#stage === 'license') return this.#createLicense(place, key);
    return this.#stage === 'machine' ? this.#activate(key) : this.#checkOut(key);
  }

  #createLicense({ productId, policyId }: Place, key: string): Step {
    const done = (data: Record<string, unknown>): void => {
      this.#license = { id: String(data['id']), key: String(data['key']) };
      this.#journal.licenses.set(key, this.#license.id);
      this.#stage = 'machine';
    };
    return { key, path: '/licenses', body: { productId, policyId, name: key }, done };
  }

  #activate(key: string): Step {
    const fingerprint = `machine-${key}`;
    const done = (data: Record<string, unknown>): void => {
      this.machine = { id: String(data['id']), fingerprint, licenseKey: this.#license.key };
      this.#journal.machines.set(key, this.machine.id);
      this.#stage = 'file';
    };
    return { key, path: `/licenses/${this.#license.id}/machines`, body: { fingerprint }, done };
  }

  #checkOut(key: string): Step {
    const done = (data: Record<string, unknown>): void => {
      this.#journal.files.add(String(data['fileId']));
      this.#stage = 'license';
      this.#round += 1;
    };
    return { key, path: `/licenses/${this.#license.id}/checkout`, body: {}, done };
  }
}
