import { z } from 'zod';
import { readStateFile, writeStateFile } from './state-file.ts';

const place = z.strictObject({ path: z.string(), bytes: z.int().min(0) });
const count = z.int().min(0);

const importState = z.strictObject({
  version: z.literal(1),
  /** What is imported, how, and to where; all must be the same to go on. */
  input: z.string(),
  settings: z.string(),
  target: z.string(),
  run: z.string(),
  /** The batch that comes next; of all before it is known what became of them. */
  batch: count,
  /** Numbers of rows of that batch that are left out. */
  leftOut: z.array(count),
  /** When that batch was first sent, if nothing is known of its answer; ISO 8601. */
  sentAt: z.iso.datetime().nullable(),
  rows: count,
  created: count,
  repeated: count,
  refused: count,
  keys: place.nullable(),
  errors: place.nullable(),
  finished: z.boolean(),
});

/** How far an import is. Holds no key and nothing of a row. */
export type ImportState = z.infer<typeof importState>;

const KIND = { schema: importState, what: 'import', remedy: 'Name another file with --state.' };

/** Reads the state of an import; undefined when there is none. @throws CliError when it cannot be understood */
export function readState(path: string): ImportState | undefined {
  return readStateFile(path, KIND);
}

/** Writes the state: after a kill or a power cut the old or the new one is there. */
export function writeState(path: string, state: ImportState): void {
  writeStateFile(path, state);
}
