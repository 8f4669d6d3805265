import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Permit } from '../../access/index.ts';
import { Fault } from '../../faults.ts';
import { present } from '../../lib/invariant.ts';
import { newId } from '../../lib/ulid.ts';
import type { RealmReader } from '../../storage/tx.ts';
import { realmOf } from '../caller.ts';
import { createdEntry, createdEvent, type CreateLicenseDeps, readGround } from '../licenses/create.ts';
import type { LicenseInput } from '../licenses/license-schema.ts';
import {
  entitlementsNamed,
  type LicenseGround,
  prepareLicense,
  type PreparedLicense,
} from '../licenses/prepare.ts';
import type { BatchInput } from './batch-schema.ts';
import { isAboutItem, type ItemProblem } from './item-problem.ts';
import { isKeyTaken } from './taken-key-store.ts';

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

/** A batch ready to be inserted, if it has no problems. */
export interface PreparedBatch {
  readonly id: string;
  readonly grounds: readonly LicenseGround[];
  /** Those that can be created, in the order of the request. */
  readonly items: readonly PreparedItem[];
  /** Those that cannot, in the order of the request. */
  readonly problems: readonly ItemProblem[];
}

/**
 * Prepares every licence of a batch, a slice in each turn of the event loop. Nothing is stored; what it rests on is
 * compared again by the unit that inserts.
 * @throws Fault what is wrong with a template: NOT_FOUND, VALIDATION_FAILED, CARD_DATA_REFUSED; SEALED. What is wrong
 *   with items is a list in the answer.
 */
export async function prepareBatch(
  deps: CreateLicenseDeps,
  permit: Permit,
  request: BatchInput,
): Promise<PreparedBatch> {
  const inputs = inputsOf(request);
  const grounds = readGrounds(deps, permit, inputs);
  const keys = new Keys(deps.work.read.in(realmOf(permit)), request.allowWeakKeys ?? true);
  const items: PreparedItem[] = [];
  const problems: ItemProblem[] = [];
  for (const [index, input] of inputs.entries()) {
    try {
      items.push(prepareItem(deps, { ground: grounds.get(groundOf(input)), keys }, { request, input }));
    } catch (error) {
      if (request.items === undefined || !isAboutItem(error)) throw error;
      problems.push({ index, fault: error });
    }
    if ((index + 1) % SLICE === 0) await nextTurn();
  }
  const read = [...grounds.values()].flatMap((ground) => (ground instanceof Fault ? [] : [ground]));
  return { id: newId('batch', deps.time.now(), deps.random), grounds: read, items, problems };
}

function prepareItem(
  deps: CreateLicenseDeps,
  given: { readonly ground: LicenseGround | Fault | undefined; readonly keys: Keys },
  { request, input }: { readonly request: BatchInput; readonly input: LicenseInput },
): PreparedItem {
  const ground = present(given.ground, 'the ground of each licence was read');
  if (ground instanceof Fault) throw ground;
  const license = prepareLicense(deps, ground, input);
  if (input.key !== undefined) given.keys.claim(license);
  const event = request.events === 'each' ? createdEvent(license) : null;
  return { license, entry: createdEntry(license), event };
}

/** The licences a batch asks for, in order. */
export function inputsOf({ template, count, items }: BatchInput): readonly LicenseInput[] {
  return items ?? Array.from({ length: count ?? 0 }, () => present(template, 'count comes with template'));
}

/** One snapshot (or why there is none) for each pair of product and policy, all read in this turn of the event loop. */
function readGrounds(
  deps: CreateLicenseDeps,
  permit: Permit,
  inputs: readonly LicenseInput[],
): ReadonlyMap<string, LicenseGround | Fault> {
  const entitlementIds = [...new Set(inputs.flatMap(entitlementsNamed))];
  if (entitlementIds.length > ENTITLEMENTS_LIMIT) {
    const limit = String(ENTITLEMENTS_LIMIT);
    throw new Fault('VALIDATION_FAILED', `a batch names at most ${limit} different entitlements; send less`);
  }
  const grounds = new Map<string, LicenseGround | Fault>();
  for (const input of inputs) {
    const { productId, policyId } = input;
    const name = groundOf(input);
    if (grounds.has(name)) continue;
    grounds.set(
      name,
      groundOrFault(() => readGround(deps, permit, { productId, policyId, entitlementIds })),
    );
  }
  return grounds;
}

const groundOf = ({ productId, policyId }: LicenseInput): string => JSON.stringify([productId, policyId]);

function groundOrFault(read: () => LicenseGround): LicenseGround | Fault {
  try {
    return read();
  } catch (error) {
    if (!isAboutItem(error)) throw error;
    if (error.errors.length > 0) return error;
    const { code, message } = error;
    return new Fault(code, message, { cause: error, errors: [{ path: 'policyId', code, message }] });
  }
}

/** The imported keys of a batch: each must be strong enough, used by no licence, and in the batch once. */
class Keys {
  readonly #reader: RealmReader;
  readonly #allowWeak: boolean;
  readonly #claimed = new Set<string>();

  constructor(reader: RealmReader, allowWeak: boolean) {
    this.#reader = reader;
    this.#allowWeak = allowWeak;
  }

  /** The unit that inserts decides again: others may import the same key in between. @throws Fault CONFLICT, WEAK_KEY */
  claim({ stored }: PreparedLicense): void {
    if (stored.weakKey === 1 && !this.#allowWeak) throw ofKey('WEAK_KEY', 'this key is too easily guessed');
    const { digest } = stored.keyDigest;
    const name = digest.toString('base64');
    if (this.#claimed.has(name) || isKeyTaken(this.#reader, digest)) throw keyInUse();
    this.#claimed.add(name);
  }
}

/** The fault of an imported key that leads to another licence already. */
export function keyInUse(): Fault {
  return ofKey('CONFLICT', 'this key is in use by another licence');
}

function ofKey(code: 'CONFLICT' | 'WEAK_KEY', message: string): Fault {
  return new Fault(code, message, { errors: [{ path: 'key', code, message }] });
}
