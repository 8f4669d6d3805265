import { countIssue, type Permit } from '../../access/index.ts';
import type { Fault, FieldError } from '../../faults.ts';
import type { Tx } from '../../storage/tx.ts';
import { realmOf } from '../caller.ts';
import { requireMayImport } from '../licenses/create.ts';
import { claimTenantLicense } from '../licenses/tenant-license-store.ts';
import type { BatchInput } from './batch-schema.ts';
import type { CreateBatchDeps } from './create-batch.ts';
import { errorsOfItem } from './item-problem.ts';
import { inputsOf, prepareBatch } from './prepare-batch.ts';

/** What a dry run of a batch finds. */
export interface BatchCheck {
  readonly dryRun: true;
  /** Licences asked for. */
  readonly count: number;
  /** Those of them that can be created as far as they themselves are concerned. */
  readonly good: number;
  /** Everything in the way: of items at `items.<index>.<field>`, of the whole at the empty path. */
  readonly errors: readonly FieldError[];
}

/**
 * Does everything that creating a batch does but insert it: prepares all licences, looks for their keys, and claims the
 * limits in a unit that is undone. Nothing is written, no id is promised.
 * @throws Fault what is wrong with a template; CONFLICT (a batch is running); INSUFFICIENT_SCOPE (import); SEALED
 */
export async function checkBatch(
  deps: CreateBatchDeps,
  permit: Permit,
  request: BatchInput,
): Promise<BatchCheck> {
  const inputs = inputsOf(request);
  for (const input of inputs) requireMayImport(permit, input);
  return deps.batches.run(realmOf(permit), async () => {
    const { items, problems } = await prepareBatch(deps, permit, request);
    const over = await limitInTheWay(deps, permit, items.length + (request.dryRunAfter ?? 0));
    const errors = [...problems.flatMap(errorsOfItem), ...(over === undefined ? [] : [ofTheWhole(over)])];
    return { dryRun: true, count: inputs.length, good: items.length, errors };
  });
}

const ofTheWhole = ({ code, message }: Fault): FieldError => ({ path: '', code, message });

/** Thrown by a unit so that it is undone; carries what it found. */
class Undone extends Error {
  readonly found: Fault | undefined;

  constructor(found: Fault | undefined) {
    super('a dry run leaves nothing');
    this.found = found;
  }
}

/** Claims what creating would claim, for real, and undoes it: a dry run cannot judge otherwise than the real one. */
async function limitInTheWay(
  deps: CreateBatchDeps,
  permit: Permit,
  count: number,
): Promise<Fault | undefined> {
  try {
    return await deps.work.run(permit, (tx): Fault | undefined => {
      throw new Undone(claim(tx, permit, count));
    });
  } catch (error) {
    if (error instanceof Undone) return error.found;
    throw error;
  }
}

function claim(tx: Tx, permit: Permit, count: number): Fault | undefined {
  const refused = claimTenantLicense(tx.in(realmOf(permit)), count) ?? countIssue(tx, permit, count);
  return refused?.refused;
}
