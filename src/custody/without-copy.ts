import { Fault } from '../faults.ts';

/** What somebody types who lets keys in a token sign although no other token holds them. */
export const WITHOUT_COPY = 'if this token is lost, the keys in it are lost';

/**
 * States that somebody has accepted the consequences, to the letter: nobody types them by mistake.
 * @throws Fault VALIDATION_FAILED, which says them
 */
export function demandSentence(typed: string): void {
  if (typed.trim() === WITHOUT_COPY) return;
  throw new Fault(
    'VALIDATION_FAILED',
    `keys without a copy die with their token: no file can be signed any more, every customer needs a new root of trust, ` +
      `and no backup of the appliance brings them back; to accept that, type: ${WITHOUT_COPY}`,
  );
}
