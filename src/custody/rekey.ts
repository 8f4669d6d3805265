import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { Fault } from '../faults.ts';
import type { EpochMs } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { equalBytes } from '../lib/secret.ts';
import { readJobState, writeJobState } from '../storage/job-state-store.ts';
import type { Reader, Tx } from '../storage/tx.ts';
import { listDataKeys, listIndexKeys, rewriteDataKey, rewriteIndexKey } from './data-key-store.ts';
import { dataKeyPlace } from './data-keys.ts';
import { readSmallFile, removeDurably, writeDurably } from './durable-file.ts';
import { indexKeyPlace } from './index-keys.ts';
import { Kek } from './kek.ts';
import { makeSlotFile, rewrapSlotFile, SLOT_NAME } from './slots/slot-file.ts';
import { SLOT_KINDS, type SlotSecret } from './slots/slot-secret.ts';
import { discardSlot, MAX_SLOTS, readSlotFiles, replaceSlot, type SlotFile } from './slots/slots.ts';

/** What becomes of the slots when the key-encryption key is replaced: each stays, with its secret, or goes. */
export interface RekeyPlan {
  readonly keep: readonly NamedSecret[];
  readonly drop: readonly string[];
  /** New ones; one may have the name of one that goes. */
  readonly add: readonly NamedSecret[];
  readonly now: EpochMs;
}

/** A slot and what opens it. */
export interface NamedSecret {
  readonly name: string;
  readonly secret: SlotSecret;
}

/** A replacement that is ready to begin. */
export interface PreparedRekey {
  readonly id: string;
  /** The new key, which opens what the old one wraps, too. */
  readonly kek: Kek;
  /** The bytes of `rekey.json`. */
  readonly journal: Buffer;
}

/**
 * `rekey.json`: JSON, LF at the end; there while a key-encryption key is being replaced. Written in one go, it is the moment
 * from which the new key counts: only the slots in it open, and give the new key, which leads to the old one. Nothing in it
 * helps whoever has the old key: against that one the key is replaced.
 *
 *     previous  the old key, wrapped by the new one at the place rekey-previous/<id>
 *     slots     the slot files that there will be
 *     mac       HMAC-SHA-256 under the new key's key for rekey-mac/<id>, over the JSON of all members before it
 */
const JOURNAL = z.strictObject({
  v: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{32}$/),
  previous: z.base64(),
  slots: z.array(z.strictObject({ name: z.string().regex(SLOT_NAME), file: z.base64() })),
  mac: z.base64(),
});

/** A replacement that was begun. */
export type RekeyJournal = z.infer<typeof JOURNAL>;

const ID_BYTES = 16;

/** Makes the new key and the slots that open it; nothing is written. @throws Fault as `Custody.prepareRekey` */
export async function prepareRekey(
  { directory, random, kek: old }: { readonly directory: string; readonly random: Random; readonly kek: Kek },
  plan: RekeyPlan,
): Promise<PreparedRekey> {
  if (readRekey(directory) !== undefined) {
    throw new Fault('CONFLICT', 'the key-encryption key is being replaced already; finish that first');
  }
  const files = readSlotFiles(directory);
  demandWhole(files, plan);
  const kek = Kek.generate(random);
  const slots: SlotFile[] = [];
  for (const { name, secret } of plan.keep) {
    const bytes = files.find((file) => file.name === name)?.bytes ?? Buffer.alloc(0);
    slots.push({ name, bytes: await rewrapSlotFile({ name, bytes, secret }, kek) });
  }
  for (const { name, secret } of plan.add) {
    slots.push({ name, bytes: await makeSlotFile({ name, secret, kek, now: plan.now }, random) });
  }
  const id = random.bytes(ID_BYTES).toString('hex');
  return { id, kek: kek.replacing(old), journal: journalOf({ id, old, kek, slots }) };
}

/** Every slot is spoken of, once, and one that recovers is left. @throws Fault NOT_FOUND, VALIDATION_FAILED, CONFLICT */
function demandWhole(files: readonly SlotFile[], { keep, drop, add }: RekeyPlan): void {
  const there = files.map(({ name }) => name);
  const spoken = [...keep.map(({ name }) => name), ...drop];
  const unknown = spoken.find((name) => !there.includes(name));
  if (unknown !== undefined) throw new Fault('NOT_FOUND', `there is no slot ${unknown}`);
  const silent = there.filter((name) => !spoken.includes(name));
  if (silent.length > 0) {
    throw new Fault('VALIDATION_FAILED', `give the secret of ${silent.join(', ')}, or say that it is to go`);
  }
  const after = [...keep, ...add].map(({ name }) => name);
  const bad = after.find((name) => !SLOT_NAME.test(name));
  if (bad !== undefined || new Set([...spoken]).size < spoken.length || new Set(after).size < after.length) {
    throw new Fault(
      'VALIDATION_FAILED',
      'each slot is named once, with up to 32 small letters, digits and dashes',
    );
  }
  if (after.length > MAX_SLOTS) throw new Fault('CONFLICT', `there would be more than ${MAX_SLOTS} slots`);
  if ([...keep, ...add].some(({ secret }) => SLOT_KINDS[secret.kind].recovers)) return;
  throw new Fault('CONFLICT', 'no slot that recovers would be left; keep one, or add one');
}

function journalOf(given: {
  readonly id: string;
  readonly old: Kek;
  readonly kek: Kek;
  readonly slots: readonly SlotFile[];
}): Buffer {
  const { id, old, kek, slots } = given;
  const body = {
    v: 1 as const,
    id,
    previous: kek.wrapKek(`rekey-previous/${id}`, old).toString('base64'),
    slots: slots.map(({ name, bytes }) => ({ name, file: bytes.toString('base64') })),
  };
  return Buffer.from(`${JSON.stringify({ ...body, mac: macOf(kek, body) })}\n`, 'utf8');
}

function macOf(kek: Kek, body: Omit<RekeyJournal, 'mac'>): string {
  return createHmac('sha256', kek.sealingKey(`rekey-mac/${body.id}`))
    .update(JSON.stringify(body))
    .digest('base64');
}

/** The replacement that was begun; undefined: none was. @throws Fault KEY_STORAGE when its file cannot be read */
export function readRekey(directory: string): RekeyJournal | undefined {
  const bytes = readSmallFile(pathOf(directory));
  if (bytes === undefined) return undefined;
  try {
    return JOURNAL.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw damaged(cause);
  }
}

/** Begins it: durable when this returns. */
export function writeRekey(directory: string, journal: Buffer): void {
  writeDurably(pathOf(directory), journal, { replace: false });
}

/** Everything is done. */
export function removeRekey(directory: string): void {
  removeDurably(pathOf(directory));
}

/** The slot files that open: those on disk, or while the key-encryption key is being replaced, those that there will be. */
export function openingSlots(directory: string): readonly SlotFile[] {
  const rekey = readRekey(directory);
  return rekey === undefined ? readSlotFiles(directory) : slotsOf(rekey);
}

function slotsOf({ slots }: RekeyJournal): SlotFile[] {
  return slots.map(({ name, file }) => ({ name, bytes: Buffer.from(file, 'base64') }));
}

/** Both keys, from the new one. @throws Fault KEY_STORAGE when the file is not of this appliance, or was changed */
export function bothKeks({ mac, ...body }: RekeyJournal, opened: Kek): Kek {
  const old = opened.unwrapKek(`rekey-previous/${body.id}`, Buffer.from(body.previous, 'base64'));
  const authentic = equalBytes(Buffer.from(macOf(opened, body), 'base64'), Buffer.from(mac, 'base64'));
  if (old === undefined || !authentic) throw damaged();
  return opened.replacing(old);
}

/** Exchanges the slots on disk, one after the other. */
export async function installSlots(
  directory: string,
  rekey: RekeyJournal,
  step: () => Promise<void>,
): Promise<void> {
  const slots = slotsOf(rekey);
  for (const slot of slots) {
    replaceSlot(directory, slot);
    await step();
  }
  const stay = new Set(slots.map(({ name }) => name));
  for (const { name } of readSlotFiles(directory)) {
    if (stay.has(name)) continue;
    discardSlot(directory, name);
    await step();
  }
}

const DONE = 'rekey';

/** Notes, in the unit that wraps the keys, that a replacement is done but for removing its file. */
export function noteRekeyDone(tx: Tx, { id }: RekeyJournal): void {
  writeJobState(tx, DONE, id);
}

/** Whether a replacement was done before: its file was left by a stop just then, or was put back, and counts no more. */
export function wasRekeyDone(reader: Reader, { id }: RekeyJournal): boolean {
  return readJobState(reader, DONE) === id;
}

/** Wraps every data and index key by the new key that is not yet. @returns how many */
export function rewrapKeys(tx: Tx, kek: Kek): number {
  const tables = [
    { rows: listDataKeys(tx), placeOf: dataKeyPlace, rewrite: rewriteDataKey },
    { rows: listIndexKeys(tx), placeOf: indexKeyPlace, rewrite: rewriteIndexKey },
  ];
  let count = 0;
  for (const { rows, placeOf, rewrite } of tables) {
    for (const row of rows) {
      const place = placeOf(row);
      if (kek.wraps(place, row.wrapped)) continue;
      const key = kek.unwrap(place, row.wrapped);
      rewrite(tx, { ...row, wrapped: kek.wrap(place, key) });
      key.fill(0);
      count++;
    }
  }
  return count;
}

function pathOf(directory: string): string {
  return join(directory, 'rekey.json');
}

function damaged(cause?: unknown): Fault {
  const message =
    'rekey.json is damaged, or of another appliance; restore the newest backup into a new directory';
  return new Fault('KEY_STORAGE', message, { cause });
}
