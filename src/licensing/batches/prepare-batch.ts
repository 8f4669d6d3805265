import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Permit } from '../../access/index.ts';
import { Fault } from '../../faults.ts';
import { present } from '../../lib/invariant.ts';
import { newId } from '../../lib/ulid.ts';
import { createdEntry, createdEvent, type CreateLicenseDeps, readGround } from '../licenses/create.ts';
import type { LicenseInput } from '../licenses/license-schema.ts';
import { type LicenseGround, prepareLicense, type PreparedLicense } from '../licenses/prepare.ts';
import type { BatchInput } from './batch-schema.ts';

/** Licences prepared in one turn of the event loop: a few milliseconds, then others are served. */
const SLICE = 50;
/** Different entitlements that one batch may name: all of them are looked up by one statement. */
const ENTITLEMENTS_LIMIT = 1000;

/** One licence of a batch with what is said of it. */
export interface PreparedItem {
  readonly license: PreparedLicense;
  readonly entry: ReturnType<typeof createdEntry>;
  /** Null: the event of the batch stands for it. */
  readonly event: ReturnType<typeof createdEvent> | null;
}

/** A batch ready to be inserted. */
export interface PreparedBatch {
  readonly id: string;
  readonly grounds: readonly LicenseGround[];
  readonly items: readonly PreparedItem[];
}

/**
 * Prepares every licence of a batch, a slice in each turn of the event loop. Nothing is stored; what it rests on is
 * compared again by the unit that inserts.
 * @throws Fault NOT_FOUND, VALIDATION_FAILED, CARD_DATA_REFUSED, which name the item; SEALED
 */
export async function prepareBatch(
  deps: CreateLicenseDeps,
  permit: Permit,
  request: BatchInput,
): Promise<PreparedBatch> {
  const inputs = inputsOf(request);
  const grounds = readGrounds(deps, permit, inputs);
  const items: PreparedItem[] = [];
  while (items.length < inputs.length) {
    for (const input of inputs.slice(items.length, items.length + SLICE)) {
      const ground = present(grounds.get(groundOf(input)), 'the ground of each licence was read');
      const license = naming(request, items.length, () => prepareLicense(deps, ground, input));
      const event = request.events === 'each' ? createdEvent(license) : null;
      items.push({ license, entry: createdEntry(license), event });
    }
    await nextTurn();
  }
  return { id: newId('batch', deps.time.now(), deps.random), grounds: [...grounds.values()], items };
}

/** The licences a batch asks for, in order. */
export function inputsOf({ template, count, items }: BatchInput): readonly LicenseInput[] {
  return items ?? Array.from({ length: count ?? 0 }, () => present(template, 'count comes with template'));
}

/** One snapshot for each pair of product and policy, all read in this turn of the event loop. */
function readGrounds(
  deps: CreateLicenseDeps,
  permit: Permit,
  inputs: readonly LicenseInput[],
): ReadonlyMap<string, LicenseGround> {
  const entitlementIds = [...new Set(inputs.flatMap((input) => input.entitlementIds ?? []))];
  if (entitlementIds.length > ENTITLEMENTS_LIMIT) {
    const limit = String(ENTITLEMENTS_LIMIT);
    throw new Fault('VALIDATION_FAILED', `a batch names at most ${limit} different entitlements; send less`);
  }
  const grounds = new Map<string, LicenseGround>();
  for (const input of inputs) {
    const { productId, policyId } = input;
    const name = groundOf(input);
    if (grounds.has(name)) continue;
    grounds.set(name, readGround(deps, permit, { productId, policyId, entitlementIds }));
  }
  return grounds;
}

const groundOf = ({ productId, policyId }: LicenseInput): string => JSON.stringify([productId, policyId]);

/** Says which item a refusal is about; a template has no number. */
function naming<T>(request: BatchInput, index: number, prepare: () => T): T {
  try {
    return prepare();
  } catch (error) {
    if (request.items === undefined || !(error instanceof Fault)) throw error;
    throw faultOfItem(error, index);
  }
}

/** A fault of one licence, as a fault of the request that lists it. */
export function faultOfItem(fault: Fault, index: number): Fault {
  const at = `items.${String(index)}`;
  const errors = fault.errors.map((one) => ({ ...one, path: `${at}.${one.path}` }));
  const { retryAfterMs } = fault;
  const details = { cause: fault, errors, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  return new Fault(fault.code, `${at}: ${fault.message}`, details);
}
