import { requireStrongPassphrase, type SlotInfo } from '../custody/index.ts';
import { Fault } from '../faults.ts';
import { append } from '../ledger/index.ts';
import { Secret } from '../lib/secret.ts';
import type { Authority } from '../storage/entry.ts';
import { oneAtATime } from './one-at-a-time.ts';
import type { Parts } from './parts.ts';
import { secretOf, type SlotSecretText } from './slot-wire.ts';

/** A slot to add; without a name it is named by its kind. */
export interface SlotRequest {
  readonly name?: string | undefined;
  readonly secret: SlotSecretText;
}

type SlotParts = Pick<Parts, 'custody' | 'directory' | 'work' | 'time'>;

/**
 * Adds a slot while requests are served.
 * 1. Its file, in memory: whatever is wrong is said here. 2. The entry. 3. The file on disk. Stop between 2 and 3: the
 * ledger speaks of a slot that did not come to be, never the other way round.
 * @throws Fault CONFLICT, VALIDATION_FAILED, SLOT_SECRET_WRONG, DISK_FULL
 */
export function addSlot(parts: SlotParts, authority: Authority, { name, secret }: SlotRequest) {
  return alone(parts, async () => {
    const { custody, time } = parts;
    demandSettled(parts);
    if (secret.kind === 'passphrase') requireStrongPassphrase(new Secret(secret.passphrase));
    const chosen = name ?? custody.freeSlotName(secret.kind);
    const file = await custody.prepareSlot({ name: chosen, secret: secretOf(secret), now: time.now() });
    await record(parts, authority, { action: 'slot.added', name: chosen, kind: secret.kind });
    custody.writeSlot(file);
    return slotNamed(parts, chosen);
  });
}

/**
 * Removes a slot. Backups made before still open with it, and whoever copied its file and knows its secret still has the
 * key-encryption key: that ends with `mintmark rekey`.
 * @throws Fault CONFLICT for the last one that recovers; NOT_FOUND, DISK_FULL
 */
export function removeSlot(parts: SlotParts, authority: Authority, name: string) {
  return alone(parts, async () => {
    const { custody } = parts;
    demandSettled(parts);
    custody.demandRemovable(name);
    const slot = slotNamed(parts, name);
    const kind = slot.damaged ? undefined : slot.kind;
    await record(parts, authority, { action: 'slot.removed', name, kind });
    custody.removeSlot(name);
    return slot;
  });
}

/**
 * Proves that a secret opens a slot, and records that it was proven.
 * @throws Fault SLOT_SECRET_WRONG; KEY_STORAGE when the file of the slot is damaged; NOT_FOUND
 */
export function testSlot(
  parts: SlotParts,
  authority: Authority,
  { name, secret }: { readonly name: string; readonly secret: SlotSecretText },
) {
  return alone(parts, async () => {
    await parts.custody.testSlot(name, secretOf(secret));
    await record(parts, authority, { action: 'slot.tested', name, kind: secret.kind });
    return slotNamed(parts, name);
  });
}

/** Stretching a passphrase takes 128 MB, and a backup must not be made of slots that change. */
function alone<T>(parts: SlotParts, body: () => Promise<T>): Promise<T> {
  return oneAtATime(parts, 'another slot is being worked on', body);
}

/** What is left of a replacement puts its own slots in the place of whatever there is. @throws Fault CONFLICT */
function demandSettled({ custody }: SlotParts): void {
  if (!custody.rekeying) return;
  throw new Fault(
    'CONFLICT',
    'the key-encryption key is being replaced: restart the appliance to finish that',
  );
}

async function record(
  { work }: SlotParts,
  authority: Authority,
  {
    action,
    name,
    kind,
  }: { readonly action: string; readonly name: string; readonly kind?: string | undefined },
): Promise<void> {
  const facts = kind === undefined ? {} : { kind };
  await work.run(authority, (tx) => {
    append(tx, { realm: null, action, target: { kind: 'slot', id: name }, facts });
  });
}

function slotNamed({ custody }: SlotParts, name: string): SlotInfo {
  const slot = custody.listSlots().find((one) => one.name === name);
  if (slot === undefined) throw new Fault('NOT_FOUND', `there is no slot ${name}`);
  return slot;
}
