import type { PolicySettings } from '../policies/policy-settings.ts';

/** How often the limit may be taken, as a fraction of whole numbers: no rounding but the one that is meant. */
const FACTORS = {
  NO_OVERAGE: { times: 1, by: 1 },
  ALLOW_1_25X: { times: 5, by: 4 },
  ALLOW_1_5X: { times: 3, by: 2 },
  ALLOW_2X: { times: 2, by: 1 },
  ALWAYS_ALLOW: null,
} as const satisfies Record<PolicySettings['overageStrategy'], { times: number; by: number } | null>;

/**
 * How many seats may be taken at all, the overage included: the limit times the factor, rounded down, so that nobody
 * gets a part of a seat (3 seats with `ALLOW_1_25X` are 3). null: any number.
 * @param maxMachines the effective limit; null: unlimited
 */
export function seatsAllowed(
  maxMachines: number | null,
  { overageStrategy }: Pick<PolicySettings, 'overageStrategy'>,
): number | null {
  const factor = FACTORS[overageStrategy];
  return maxMachines === null || factor === null
    ? null
    : Math.floor((maxMachines * factor.times) / factor.by);
}

/** Whether this seat is the first beyond the limit: what is told of once. @param seats taken, this one included */
export function crossesLimit(seats: number, maxMachines: number | null): boolean {
  return maxMachines !== null && seats === maxMachines + 1;
}
