import { createHash } from 'node:crypto';
import { z } from 'zod';
import { CliError, EXIT } from '../exit-code.ts';
import { readStateFile, type StateKind } from './state-file.ts';

const exportState = z.strictObject({
  version: z.literal(1),
  /** What is exported, how, and from where; all must be the same to go on. */
  what: z.string(),
  format: z.string(),
  shown: z.string(),
  filters: z.string(),
  columns: z.string(),
  target: z.string(),
  /** Where the list goes on; null: the export is whole. */
  cursor: z.string().nullable(),
  /** Up to here the partial file is on disk, and holds all rows before the cursor and no other. */
  bytes: z.int().min(0),
  /** SHA-256 of these bytes, hexadecimal. */
  digest: z.string(),
  /** Rows before the cursor. */
  count: z.int().min(0),
});

/** How far an export is. Holds no key and nothing of a row; filters are a digest. */
export type ExportState = z.infer<typeof exportState>;

/** What must be the same for an export to go on. */
export type ExportIdentity = Pick<
  ExportState,
  'what' | 'format' | 'shown' | 'filters' | 'columns' | 'target'
>;

const KIND: StateKind<ExportState> = {
  schema: exportState,
  what: 'export',
  remedy: 'Begin the export anew, without --resume.',
};

const SAME_OPTIONS = 'Give the same options, or begin it anew without --resume.';
const ANEW = 'Begin it anew, without --resume.';

const DIFFERENCES: readonly (readonly [keyof ExportIdentity, string, string])[] = [
  ['what', 'it was an export of something else', 'Name its own file.'],
  ['format', 'its format was different (--format)', SAME_OPTIONS],
  ['shown', 'keys and persons were shown differently (--reveal)', SAME_OPTIONS],
  ['filters', 'its filters were different', SAME_OPTIONS],
  ['columns', 'another version of the program began it, with other columns', ANEW],
  [
    'target',
    'it came from another appliance, tenant, environment or API key, or the appliance was restored from a backup since',
    `Resume with the same; after a restore: ${ANEW.toLowerCase()}`,
  ],
];

/**
 * The state that an interrupted export has left.
 * @param output the file it is to become
 * @throws CliError when there is none, or when it is of another export
 */
export function stateToResume(path: string, output: string, identity: ExportIdentity): ExportState {
  const found = readStateFile(path, KIND);
  if (found === undefined) {
    const message = `there is no interrupted export of ${output} (${path})`;
    throw new CliError(EXIT.usage, message, 'Begin it without --resume.');
  }
  const different = DIFFERENCES.find(([name]) => found[name] !== identity[name]);
  if (different === undefined) return found;
  const [, what, remedy] = different;
  throw new CliError(EXIT.refused, `the export of ${output} cannot be resumed: ${what}`, remedy);
}

/** A digest of options or columns, the same in any order in which options were typed. */
export function digestOf(value: Readonly<Record<string, string>> | readonly string[]): string {
  const said = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(said)).digest('hex');
}
