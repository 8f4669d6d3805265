import { Fault, FAULTS, type FieldError } from '../../faults.ts';

/** One licence of a batch that cannot be created, and why. */
export interface ItemProblem {
  readonly index: number;
  readonly fault: Fault;
}

/** Statuses from here on are about the appliance, not about an item. */
const SERVER_ERRORS = 500;

/** Whether a fault is about the licence that was asked for; others end the whole request. */
export function isAboutItem(error: unknown): error is Fault {
  return error instanceof Fault && FAULTS[error.code].status < SERVER_ERRORS;
}

/** A fault of one licence, as a fault of the request that lists it. */
export function faultOfItem(fault: Fault, index: number): Fault {
  const errors = errorsOfItem({ index, fault });
  const { retryAfterMs } = fault;
  const details = { cause: fault, errors, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  return new Fault(fault.code, `${nameOf(index)}: ${fault.message}`, details);
}

/** The faults of several licences as one: the code and words of the first, and a row for each. */
export function faultOfItems(problems: readonly [ItemProblem, ...ItemProblem[]]): Fault {
  const [{ index, fault }] = problems;
  const others = problems.length - 1;
  if (others === 0) return faultOfItem(fault, index);
  const message = `${nameOf(index)}: ${fault.message}; ${String(others)} more cannot be created either`;
  return new Fault(fault.code, message, { cause: fault, errors: problems.flatMap(errorsOfItem) });
}

/** What is wrong with one licence, at `items.<index>.<field>`. */
export function errorsOfItem({ index, fault }: ItemProblem): FieldError[] {
  const at = nameOf(index);
  if (fault.errors.length === 0) return [{ path: at, code: fault.code, message: fault.message }];
  return fault.errors.map((one) => ({ ...one, path: `${at}.${one.path}` }));
}

const nameOf = (index: number): string => `items.${String(index)}`;
