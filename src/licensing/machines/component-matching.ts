import type { PolicySettings } from '../policies/policy-settings.ts';

/** What a policy tolerates of the hardware of a machine. */
export type Matching = PolicySettings['fingerprintMatching'];

/**
 * Values that manufacturers and hypervisors leave in a field without a number: the same on many machines, so they
 * identify none.
 */
const FILLERS =
  /^(?:[0:. -]+|[fx:. -]+|none|null|n\/?a|unknown|default(?: string)?|not (?:specified|available|applicable)|to be filled.*|system serial number|o\.?e\.?m\.?)$/i;

/** Whether a value says nothing of the machine it came from. */
export function isFiller(value: string): boolean {
  return FILLERS.test(value.trim());
}

/** How many of `count` components have to be the same: all, more than half, two, one. */
function share(matching: Matching, count: number): number {
  switch (matching) {
    case 'MATCH_ALL':
      return count;
    case 'MATCH_MOST':
      return Math.floor(count / 2) + 1;
    case 'MATCH_TWO':
      return Math.min(2, count);
    case 'MATCH_ANY':
      return Math.min(1, count);
  }
}

/**
 * Whether a machine with the right fingerprint is the same machine. What was sent is compared with what is stored under
 * the same name; what is not there on one side says nothing.
 * @param seen identifying components that could be compared, and how many of them were equal
 */
export function agrees(
  matching: Matching,
  seen: { readonly compared: number; readonly equal: number },
): boolean {
  return seen.compared === 0 || seen.equal >= share(matching, seen.compared);
}

/**
 * How many stored components must be equal for a machine with *another* fingerprint to be recognised; null: it is not,
 * whatever is equal. Here everything stored counts: who leaves a component out has not shown it. `MATCH_ALL` tolerates
 * nothing. `MATCH_MOST` and `MATCH_TWO` need two stored components: one alone would be `MATCH_ANY` by another name.
 * @param stored identifying components of the machine
 */
export function neededToRecognise(matching: Matching, stored: number): number | null {
  if (matching === 'MATCH_ALL' || stored === 0) return null;
  if (matching !== 'MATCH_ANY' && stored < 2) return null;
  return share(matching, stored);
}
