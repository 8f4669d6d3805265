import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { invariant } from '../lib/invariant.ts';
import type { Random } from '../lib/random.ts';
import {
  type Bytes,
  damaged,
  ExactReader,
  readSealedStream,
  sealStream,
  type StreamKey,
} from './sealed-stream.ts';
import type { Secret } from '../lib/secret.ts';

/**
 * What is inside a sealed backup, one after the other:
 *
 *   for each file: name length (2) ‖ name ‖ size (8) ‖ bytes      (numbers big-endian)
 *   two zero bytes ‖ manifest length (4) ‖ manifest, JSON: { v, about, files: [{ name, size, sha256 }] }
 */
const NAME_LENGTH_BYTES = 2;
const SIZE_BYTES = 8;
const MANIFEST_LENGTH_BYTES = 4;
const MAX_MANIFEST_BYTES = 1024 * 1024;
const OWNER_ONLY = 0o600;
const OWNER_DIRECTORY = 0o700;
/** Relative, of plain segments: a name from a backup never leads out of the directory it is restored into. */
const NAME = /^(?!\.{1,2}(\/|$))[\w.-]+(\/(?!\.{1,2}(\/|$))[\w.-]+)*$/;

const MANIFEST = z.strictObject({
  v: z.literal(1),
  about: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  files: z.array(z.strictObject({ name: z.string().regex(NAME), size: z.int().min(0), sha256: z.string() })),
});

/** What a backup says of itself, proven by the seal. */
export type BackupManifest = z.infer<typeof MANIFEST>;
type Entry = BackupManifest['files'][number];

/** A file to be packed. */
export interface BackupFile {
  /** Its name in the backup, e.g. `keys/abc.key`. */
  readonly name: string;
  /** Where it lies now; it must not change while it is read. */
  readonly path: string;
}

/** What goes into a backup. */
export interface BackupContents {
  readonly files: readonly BackupFile[];
  /** When and of what: time, branch, size of the ledger, version of the program. */
  readonly about: BackupManifest['about'];
}

/** A backup file that could be read up to its key. */
export interface OpenedBackup {
  /** In clear: what custody needs to find the key with any slot. */
  readonly header: Buffer;
  /**
   * Proves the whole backup; with `into` restores its files there, each of mode 0600. What is there is to be used only
   * when this has returned.
   * @param into an empty directory; null only verifies
   * @throws Fault BACKUP_INVALID
   */
  unpack(key: Secret<Buffer>, into: string | null): Promise<BackupManifest>;
}

/**
 * Writes a sealed backup of some files. When this returns, the file and its name are on disk; before, there is nothing
 * under that name.
 */
export async function packBackup(
  contents: BackupContents,
  sealing: StreamKey,
  given: { readonly target: string; readonly random: Random },
): Promise<BackupManifest> {
  const { target, random } = given;
  const beside = `${target}.part`;
  const packed: Entry[] = [];
  try {
    const sealed = sealStream(framed(contents, packed), sealing, random);
    await pipeline(
      Readable.from(sealed),
      createWriteStream(beside, { mode: OWNER_ONLY, flags: 'w', flush: true }),
    );
    await rename(beside, target);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncDirectory(dirname(target));
  return { v: 1, about: contents.about, files: packed };
}

/** Opens a backup file as far as that goes without its key. @throws Fault BACKUP_INVALID */
export async function openBackup(path: string): Promise<OpenedBackup> {
  const stream = await readSealedStream(createReadStream(path) as Bytes); // no encoding is set: it gives buffers
  return {
    header: stream.header,
    unpack: (key, into) => unpack(new ExactReader(stream.open(key)), into),
  };
}

/** The inside of a backup; what was packed is noted while it is read. */
async function* framed({ files, about }: BackupContents, packed: Entry[]): AsyncGenerator<Buffer> {
  for (const { name, path } of files) {
    invariant(NAME.test(name), 'the name of a file in a backup is relative and plain');
    const { size } = await stat(path);
    yield entryFront(name, size);
    const digest = createHash('sha256');
    let read = 0;
    // No encoding is set: it gives buffers.
    for await (const part of createReadStream(path) as Bytes) {
      digest.update(part);
      read += part.length;
      yield part;
    }
    invariant(read === size, `${name} did not change while it was packed`);
    packed.push({ name, size, sha256: digest.digest('hex') });
  }
  yield manifestFrame({ v: 1, about, files: packed });
}

function entryFront(name: string, size: number): Buffer {
  const front = Buffer.alloc(NAME_LENGTH_BYTES + name.length + SIZE_BYTES);
  front.writeUInt16BE(name.length);
  front.write(name, NAME_LENGTH_BYTES, 'ascii');
  front.writeBigUInt64BE(BigInt(size), NAME_LENGTH_BYTES + name.length);
  return front;
}

function manifestFrame(manifest: BackupManifest): Buffer {
  const json = Buffer.from(JSON.stringify(manifest), 'utf8');
  const front = Buffer.alloc(NAME_LENGTH_BYTES + MANIFEST_LENGTH_BYTES);
  front.writeUInt32BE(json.length, NAME_LENGTH_BYTES);
  return Buffer.concat([front, json]);
}

async function unpack(reader: ExactReader, into: string | null): Promise<BackupManifest> {
  const found: Entry[] = [];
  for (let name = await readName(reader); name !== ''; name = await readName(reader)) {
    found.push(await unpackFile(reader, { name, into }));
  }
  const manifest = await readManifest(reader);
  if (JSON.stringify(manifest.files) !== JSON.stringify(found))
    throw damaged('its files are not those of its manifest');
  if ((await reader.some(1)) !== undefined) throw damaged('there is something behind its end');
  if (into !== null) await syncDirectory(into);
  return manifest;
}

async function readName(reader: ExactReader): Promise<string> {
  const length = (await reader.take(NAME_LENGTH_BYTES)).readUInt16BE();
  const name = (await reader.take(length)).toString('ascii');
  if (name !== '' && !NAME.test(name)) throw damaged('it holds a file whose name leads elsewhere');
  return name;
}

async function unpackFile(
  reader: ExactReader,
  { name, into }: { readonly name: string; readonly into: string | null },
): Promise<Entry> {
  const size = Number((await reader.take(SIZE_BYTES)).readBigUInt64BE());
  await using file = into === null ? null : await createFile(join(into, name));
  const digest = createHash('sha256');
  for (let left = size; left > 0;) {
    const part = await reader.some(left);
    if (part === undefined) throw damaged('it is cut off');
    digest.update(part);
    await file?.writeFile(part);
    left -= part.length;
  }
  await file?.sync();
  return { name, size, sha256: digest.digest('hex') };
}

async function createFile(path: string): Promise<FileHandle> {
  mkdirSync(dirname(path), { recursive: true, mode: OWNER_DIRECTORY });
  return open(path, 'wx', OWNER_ONLY);
}

async function readManifest(reader: ExactReader): Promise<BackupManifest> {
  const length = (await reader.take(MANIFEST_LENGTH_BYTES)).readUInt32BE();
  if (length > MAX_MANIFEST_BYTES) throw damaged('its manifest is too large');
  const json = (await reader.take(length)).toString('utf8');
  const parsed = MANIFEST.safeParse(parseJson(json));
  if (!parsed.success) throw damaged('its manifest cannot be read', parsed.error);
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A name survives a power cut only when its directory was written too. */
async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}
