import { setImmediate } from 'node:timers/promises';
import { requireStrongPassphrase } from '../custody/index.ts';
import { Fault } from '../faults.ts';
import { append } from '../ledger/index.ts';
import { Secret } from '../lib/secret.ts';
import { newId } from '../lib/ulid.ts';
import type { Authority } from '../storage/entry.ts';
import { oneAtATime } from './one-at-a-time.ts';
import type { Parts } from './parts.ts';
import { secretOf, type SlotSecretText } from './slot-wire.ts';

/** What becomes of each slot: it stays, with its secret, or it goes; and new ones. */
export interface RekeyRequest {
  readonly keep: readonly NamedSecretText[];
  readonly drop: readonly string[];
  readonly add: readonly NamedSecretText[];
}

/** A slot and its secret. */
export interface NamedSecretText {
  readonly name: string;
  readonly secret: SlotSecretText;
}

/** What was done. */
export interface RekeyReport {
  /** Slots that open the new key. */
  readonly slots: readonly string[];
  /** Slots exchanged or removed, key files sealed anew, and the one unit that wraps data and index keys. */
  readonly steps: number;
}

type RekeyParts = Pick<Parts, 'custody' | 'directory' | 'log' | 'random' | 'time' | 'work'>;

/**
 * Replaces the key-encryption key while requests are served.
 * 1. The new key and its slots, in memory: whatever is wrong is said here. 2. The entry. 3. One file that holds the new slots,
 * and the old key wrapped by the new one: from here on the new one counts. 4. Slots, key files, data and index keys, one after
 * the other. Stop anywhere after 3: the rest is done by the next start.
 * @throws Fault VALIDATION_FAILED, NOT_FOUND, CONFLICT, SLOT_SECRET_WRONG, KEY_STORAGE, DISK_FULL
 */
export function rekey(parts: RekeyParts, authority: Authority, request: RekeyRequest): Promise<RekeyReport> {
  return oneAtATime(parts, 'the key-encryption key is being replaced', async () => {
    const { custody, time, work } = parts;
    if (custody.rekeying) {
      throw new Fault(
        'CONFLICT',
        'the key-encryption key is being replaced already: restart the appliance to finish that',
      );
    }
    for (const { secret } of request.add) {
      if (secret.kind === 'passphrase') requireStrongPassphrase(new Secret(secret.passphrase));
    }
    const prepared = await custody.prepareRekey({
      keep: request.keep.map(named),
      drop: request.drop,
      add: request.add.map(named),
      now: time.now(),
    });
    const facts = { slots: [...request.keep, ...request.add].map(({ name }) => name).join(' ') };
    await work.run(authority, (tx) => {
      append(tx, { realm: null, action: 'kek.replacing', target: { kind: 'kek', id: prepared.id }, facts });
    });
    custody.beginRekey(prepared);
    const steps = await finish(parts, authority);
    return { slots: custody.listSlots().map(({ name }) => name), steps };
  });
}

/**
 * Finishes what a process that died had begun, before anything is served. What cannot be finished is left for the next start: both
 * keys are in memory until then, and everything opens.
 */
export async function finishRekey(parts: RekeyParts): Promise<void> {
  const { custody, log, time, random } = parts;
  if (!custody.rekeying) return;
  const actor = { kind: 'system', id: 'rekey', via: 'job' } as const;
  try {
    await finish(parts, { actor, requestId: newId('request', time.now(), random), realm: null });
    log.info('the key-encryption key was replaced');
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    log.error('the key-encryption key could not be replaced everywhere', { error });
  }
}

async function finish({ custody, work }: RekeyParts, authority: Authority): Promise<number> {
  let steps = 0;
  await custody.finishRekey({ work, authority }, async () => {
    steps++;
    await setImmediate(); // each step is a write to disk: others have their turn in between
  });
  return steps;
}

function named({ name, secret }: NamedSecretText) {
  return { name, secret: secretOf(secret) };
}
