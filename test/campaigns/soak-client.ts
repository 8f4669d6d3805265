import {
  type ActiveMachine,
  type Journal,
  JournalingClient,
  type Place,
  sendPatiently,
} from './journaling-client.ts';

/** Shares of a mixed load; the rest are writes: licences, activations, files, and machines that go. */
const VALIDATIONS = 0.8;
const HEARTBEATS = 0.15;
const DEACTIVATIONS = 0.01;
/** Machines that a client goes on using. */
const IN_USE = 20;

/** A client of a mixed load: mostly asks about its machines, now and then makes or removes one. */
export class SoakClient {
  readonly #writer: JournalingClient;
  readonly #random: () => number;
  #machines: readonly ActiveMachine[] = [];
  /** Being removed; the answer may be lost with the daemon. */
  #leaving: ActiveMachine | null = null;
  /** Validations and heartbeats that were answered. */
  reads = 0;

  constructor(number: number, journal: Journal, random: () => number) {
    this.#writer = new JournalingClient(number, journal);
    this.#random = random;
  }

  /** Works until the connection breaks. */
  async workUntilCut(place: Place): Promise<void> {
    while (await this.#one(place));
  }

  /** Works until told to stop. @throws Error when the connection breaks before */
  async workUntil(place: Place, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (!(await this.#one(place))) throw new Error('the daemon died although nobody killed it');
    }
  }

  /** Repeats what the last kill left unanswered. */
  async finish(place: Place): Promise<void> {
    await this.#writer.finish(place);
    if (this.#leaving !== null) await this.#deactivate(place, this.#leaving);
  }

  /** @returns false when the daemon died before it answered */
  async #one(place: Place): Promise<boolean> {
    if (this.#leaving !== null) return this.#deactivate(place, this.#leaving);
    const machine = this.#machines[Math.floor(this.#random() * this.#machines.length)];
    const chance = this.#random();
    if (machine === undefined || chance >= VALIDATIONS + HEARTBEATS + DEACTIVATIONS)
      return this.#write(place);
    if (chance < VALIDATIONS) return this.#validate(place, machine);
    if (chance < VALIDATIONS + HEARTBEATS) return this.#heartbeat(place, machine);
    return this.#deactivate(place, machine);
  }

  async #write(place: Place): Promise<boolean> {
    const before = this.#writer.machine;
    const answered = await this.#writer.step(place);
    const { machine } = this.#writer;
    if (machine !== null && machine !== before)
      this.#machines = [machine, ...this.#machines].slice(0, IN_USE);
    return answered;
  }

  async #validate(place: Place, { licenseKey, fingerprint, id }: ActiveMachine): Promise<boolean> {
    const body = { key: licenseKey, fingerprint };
    const answer = await sendPatiently(place, { method: 'POST', path: '/licenses/validate-key', body });
    if (answer === undefined) return false;
    const { code } = (answer.body['data'] ?? {}) as { code?: string }; // documented answer; compared in the next line
    if (code !== 'VALID') throw new Error(`machine ${id} was judged ${String(code)}`);
    this.reads++;
    return true;
  }

  async #heartbeat(place: Place, { id }: ActiveMachine): Promise<boolean> {
    const answer = await sendPatiently(place, {
      method: 'POST',
      path: `/machines/${id}/heartbeat`,
      body: {},
    });
    if (answer === undefined) return false;
    if (answer.status !== 200) throw new Error(`a heartbeat of ${id} was answered ${String(answer.status)}`);
    this.reads++;
    return true;
  }

  /** Has no idempotency key: whoever was not answered finds the machine gone, which is what he wanted. */
  async #deactivate(place: Place, machine: ActiveMachine): Promise<boolean> {
    const repeated = this.#leaving !== null;
    this.#leaving = machine;
    this.#machines = this.#machines.filter(({ id }) => id !== machine.id);
    const answer = await sendPatiently(place, { method: 'DELETE', path: `/machines/${machine.id}` });
    if (answer === undefined) return false;
    const gone = answer.status === 200 || (repeated && answer.status === 404);
    if (!gone) throw new Error(`removing ${machine.id} was answered ${String(answer.status)}`);
    this.#leaving = null;
    return true;
  }
}
