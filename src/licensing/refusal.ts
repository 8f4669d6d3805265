import { Fault, type FaultCode } from '../faults.ts';

/** A business refusal found inside a unit: a value, so that the unit commits what tells of it. */
export interface Refusal {
  readonly refused: Fault;
}

/** What a unit of work answers: what it did, why not, or that what was prepared rests on an older version. */
export type Outcome<T> = { readonly done: T } | Refusal | Stale;

/** The rows have other versions than those the preparation relied on: prepare again. */
export interface Stale {
  readonly stale: true;
}

/** The one `Stale`. */
export const STALE: Stale = { stale: true };

/** Makes a refusal; the message says what was wrong with what. */
export function refusal(code: FaultCode, message: string): Refusal {
  return { refused: new Fault(code, message) };
}

/** Others may change the same rows in between; whoever loses this often gives up. */
const ATTEMPTS = 3;

/**
 * Prepares and commits until the commit finds the versions that the preparation relied on.
 * @param attempt reads, prepares and commits once; what it throws is final
 * @returns what was done
 * @throws Fault CONFLICT after three stale attempts; the fault of a refusal
 */
export async function settle<T>(what: string, attempt: () => Promise<Outcome<T>>): Promise<T> {
  for (let count = 0; count < ATTEMPTS; count++) {
    const outcome = await attempt();
    if ('done' in outcome) return outcome.done;
    if ('refused' in outcome) throw outcome.refused;
  }
  throw new Fault('CONFLICT', `${what} was changed by somebody else at the same time; read it and try again`);
}

/**
 * Compares the version of a row with those the caller's `If-Match` accepts.
 * @param accepted null: any
 * @throws Fault PRECONDITION_FAILED
 */
export function requireVersion(what: string, version: number, accepted: readonly number[] | null): void {
  if (accepted === null || accepted.includes(version)) return;
  throw new Fault('PRECONDITION_FAILED', `${what} has changed since it was read`);
}

/** The fault for an id that this realm does not have (or has no longer). */
export function notFound(noun: string, id: string): Fault {
  return new Fault('NOT_FOUND', `there is no ${noun} ${id}`);
}
