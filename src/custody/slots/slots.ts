import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../faults.ts';
import { invariant } from '../../lib/invariant.ts';
import type { Random } from '../../lib/random.ts';
import type { Secret } from '../../lib/secret.ts';
import { readSmallFile, removeDurably, writeDurably } from '../durable-file.ts';
import type { Kek } from '../kek.ts';
import { parseShare, type Share, shareCheck } from './shares.ts';
import { makeSlotFile, type NewSlot, openSlotFile, readSlotFile, SLOT_NAME } from './slot-file.ts';
import { SLOT_KINDS, type SlotKind, type SlotSecret } from './slot-secret.ts';

/** A slot as `keys slot list` shows it. */
export type SlotInfo =
  | { readonly name: string; readonly damaged: false; readonly kind: SlotKind; readonly createdAt: string }
  | { readonly name: string; readonly damaged: true };

/** The bytes of a slot file under the slot's name. */
export interface SlotFile {
  readonly name: string;
  readonly bytes: Buffer;
}

/** A slot that was opened, and what was in it. */
export interface OpenedSlot {
  readonly slot: string;
  readonly kek: Kek;
}

const SUFFIX = '.json';
/** More slots than anybody has reasons for; `rekey.json` holds them all. */
export const MAX_SLOTS = 32;

/**
 * Adds a slot: durable when this resolves.
 * @throws Fault CONFLICT when there is one of that name; VALIDATION_FAILED when the name is not one; DISK_FULL
 */
export async function addSlot(directory: string, slot: NewSlot, random: Random): Promise<void> {
  writeSlot(directory, await prepareSlot(directory, slot, random));
}

/**
 * The file of a new slot, which is written by {@link writeSlot}: whatever can be wrong with it is found before it is.
 * @throws as {@link addSlot}; SLOT_SECRET_WRONG when the secret cannot be one of its kind
 */
export async function prepareSlot(directory: string, slot: NewSlot, random: Random): Promise<SlotFile> {
  const { name } = slot;
  if (!SLOT_NAME.test(name)) {
    throw new Fault('VALIDATION_FAILED', 'a slot is named with up to 32 small letters, digits and dashes');
  }
  const names = slotNames(directory);
  if (names.includes(name)) throw new Fault('CONFLICT', `there is a slot ${name} already; name another`);
  if (names.length >= MAX_SLOTS) {
    throw new Fault('CONFLICT', `there are ${MAX_SLOTS} slots already; remove one first`);
  }
  return { name, bytes: await makeSlotFile(slot, random) };
}

/** Writes the file of a slot that is not there yet; durable when this returns. @throws Fault KEY_STORAGE, DISK_FULL */
export function writeSlot(directory: string, { name, bytes }: SlotFile): void {
  writeDurably(pathOf(directory, name), bytes, { replace: false });
}

/** Writes the file of a slot, over the one of that name if there is one; durable when this returns. @throws Fault DISK_FULL */
export function replaceSlot(directory: string, { name, bytes }: SlotFile): void {
  writeDurably(pathOf(directory, name), bytes, { replace: true });
}

/** Removes the file of a slot that other slots have taken the place of. */
export function discardSlot(directory: string, name: string): void {
  removeDurably(pathOf(directory, name));
}

/** The name of a new slot of a kind when nobody chose one: the kind, or the kind with the next number. */
export function freeSlotName(directory: string, kind: SlotKind): string {
  const taken = new Set(slotNames(directory));
  for (let number = 2; ; number++) {
    const name = number === 2 && !taken.has(kind) ? kind : `${kind}-${number}`;
    if (!taken.has(name)) return name;
  }
}

/** Every slot, by name. A damaged one is listed as such. */
export function listSlots(directory: string): SlotInfo[] {
  return readSlotFiles(directory).map(({ name, bytes }) => {
    try {
      const { kind, createdAt } = readSlotFile(name, bytes);
      return { name, damaged: false, kind, createdAt };
    } catch (error) {
      invariant(error instanceof Fault, 'a slot that cannot be read is a fault');
      return { name, damaged: true };
    }
  });
}

/**
 * Opens the first slot that the secret opens, of slot files wherever they are: on disk, or in a backup's header.
 * @throws Fault SLOT_SECRET_WRONG when it opens none; KEY_STORAGE when there is none of its kind, or only damaged ones
 */
export async function openFirst(files: readonly SlotFile[], secret: SlotSecret): Promise<OpenedSlot> {
  let reason = new Fault('KEY_STORAGE', `there is no ${secret.kind} slot; open a slot of another kind`);
  for (const { name, bytes } of files) {
    try {
      if (readSlotFile(name, bytes).kind !== secret.kind) continue;
      return { slot: name, kek: await openSlotFile(name, bytes, secret) };
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      reason = error;
    }
  }
  throw reason;
}

/**
 * Proves that a secret opens a slot, and which; nothing else changes.
 * @throws Fault SLOT_SECRET_WRONG; KEY_STORAGE when the slot is damaged; NOT_FOUND
 */
export async function testSlot(directory: string, name: string, secret: SlotSecret): Promise<void> {
  const kek = await openSlotFile(name, requireSlot(directory, name), secret);
  kek.wipe();
}

/** Removes a slot, damaged or not. @throws as {@link demandRemovable} */
export function removeSlot(directory: string, name: string): void {
  demandRemovable(directory, name);
  removeDurably(pathOf(directory, name));
}

/**
 * Refuses the removal of a slot that must stay.
 * @throws Fault CONFLICT when it is the last one that recovers, or the last at all; NOT_FOUND
 */
export function demandRemovable(directory: string, name: string): void {
  requireSlot(directory, name);
  const others = listSlots(directory).filter((slot) => slot.name !== name);
  if (others.some((slot) => !slot.damaged && SLOT_KINDS[slot.kind].recovers)) return;
  throw new Fault('CONFLICT', `slot ${name} is the last way to recover; add another recovery slot first`);
}

/**
 * The slot that a share is of.
 * @throws Fault SLOT_SECRET_WRONG when it is of none, or not a share; KEY_STORAGE when there is no slot of shares
 */
export function slotOfShare(
  files: readonly SlotFile[],
  text: Secret,
): { readonly slot: string; readonly share: Share } {
  const share = parseShare(text);
  let reason = new Fault('KEY_STORAGE', 'there is no shares slot; open a slot of another kind');
  for (const { name, bytes } of files) {
    try {
      const { shares, salt } = readSlotFile(name, bytes);
      if (shares === undefined) continue;
      if (shares[share.index - 1] === shareCheck(share, Buffer.from(salt, 'base64')))
        return { slot: name, share };
      reason = new Fault('SLOT_SECRET_WRONG', `share ${share.index} is not one of this appliance`);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      reason = error;
    }
  }
  throw reason;
}

/** The slot files as they are, for a backup. */
export function readSlotFiles(directory: string): SlotFile[] {
  return slotNames(directory).map((name) => ({ name, bytes: requireSlot(directory, name) }));
}

function slotNames(directory: string): string[] {
  return slotDirectory(directory)
    .filter((file) => file.endsWith(SUFFIX) && !file.startsWith('.'))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort();
}

function slotDirectory(directory: string): string[] {
  try {
    return readdirSync(join(directory, 'slots'));
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    throw new Fault('KEY_STORAGE', 'the slots of the data directory cannot be read', { cause });
  }
}

function requireSlot(directory: string, name: string): Buffer {
  const bytes = SLOT_NAME.test(name) ? readSmallFile(pathOf(directory, name)) : undefined;
  if (bytes === undefined) throw new Fault('NOT_FOUND', `there is no slot ${name}`);
  return bytes;
}

function pathOf(directory: string, name: string): string {
  return join(directory, 'slots', `${name}${SUFFIX}`);
}
