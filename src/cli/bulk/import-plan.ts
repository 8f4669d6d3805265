import { HOUR } from '../../lib/clock.ts';
import { CliError, EXIT } from '../exit-code.ts';
import type { ImportState } from './import-state.ts';

/** What makes one import the same as another. */
export type ImportIdentity = Pick<ImportState, 'input' | 'settings' | 'target' | 'run'>;

/** What the person wants. */
export interface ImportWish {
  readonly identity: ImportIdentity;
  readonly resume: boolean;
  /** What became of a batch of which nothing is known any more. */
  readonly pending: 'created' | 'missing' | undefined;
  readonly now: number;
  /** As the person knows them. */
  readonly names: { readonly input: string; readonly state: string };
}

/** The appliance knows idempotency keys for 24 hours of its own time; clocks differ. */
const REPEATABLE_MS = 20 * HOUR;

const DIFFERENCES: readonly (readonly [keyof ImportIdentity, string, string])[] = [
  [
    'input',
    'the file has been changed since',
    'Put it back as it was; import what is new from a file of its own.',
  ],
  [
    'target',
    'it went to another appliance, tenant, environment or API key, or the appliance was restored from a backup since',
    'Resume with the same; after a restore look which rows are there, and import the others from a file of their own.',
  ],
  ['run', 'it was another run (--run)', 'Name the same run.'],
  [
    'settings',
    'columns, product, policy or another option that shapes its licences was different',
    'Give the same options.',
  ],
];

/**
 * Where an import begins: at its beginning, or where an earlier process stopped.
 * @param found the state that an earlier process left, if any
 * @throws CliError when going on could make something twice, and when beginning anew could
 */
export function planImport(found: ImportState | undefined, wish: ImportWish): ImportState {
  if (wish.resume) return resumed(found, wish);
  if (found === undefined) return fresh(wish.identity);
  const { input, state } = wish.names;
  if (isUntouched(found)) return { ...fresh(wish.identity), ...filesOf(found) };
  if (!found.finished) {
    const message = `an import of ${input} was begun and has not ended (${state})`;
    throw new CliError(EXIT.usage, message, 'Go on with --resume.');
  }
  if (DIFFERENCES.some(([name]) => found[name] !== wish.identity[name])) return fresh(wish.identity);
  const message = `${input} has been imported already (${state})`;
  throw new CliError(EXIT.usage, message, 'To make all its licences once more, name the run: --run <name>.');
}

/** Nothing was created, nor may have been: the file can be corrected and begun anew. */
function isUntouched({ batch, leftOut, sentAt }: ImportState): boolean {
  return batch === 0 && leftOut.length === 0 && sentAt === null;
}

/** Its files hold nothing yet that is worth keeping. */
function filesOf({ keys, errors }: ImportState): Pick<ImportState, 'keys' | 'errors'> {
  return { keys: keys && { ...keys, bytes: 0 }, errors: errors && { ...errors, bytes: 0 } };
}

function fresh(identity: ImportIdentity): ImportState {
  const counts = { batch: 0, rows: 0, created: 0, repeated: 0, refused: 0 };
  return {
    version: 1,
    ...identity,
    ...counts,
    leftOut: [],
    sentAt: null,
    keys: null,
    errors: null,
    finished: false,
  };
}

function resumed(found: ImportState | undefined, wish: ImportWish): ImportState {
  const { identity, names } = wish;
  if (found === undefined) {
    const message = `there is no interrupted import of ${names.input} (${names.state})`;
    throw new CliError(EXIT.usage, message, 'Begin it without --resume.');
  }
  const different = DIFFERENCES.find(([name]) => found[name] !== identity[name]);
  if (different !== undefined) {
    const [, what, remedy] = different;
    throw new CliError(EXIT.refused, `the import of ${names.input} cannot be resumed: ${what}`, remedy);
  }
  return settled(found, wish);
}

/** A batch whose answer was lost can be asked for again as long as the appliance remembers it; after that only people know. */
function settled(found: ImportState, { pending, now }: ImportWish): ImportState {
  if (found.sentAt === null || now - Date.parse(found.sentAt) < REPEATABLE_MS) return found;
  if (pending === 'missing') return { ...found, sentAt: null };
  if (pending === 'created') return { ...found, sentAt: null, batch: found.batch + 1, leftOut: [] };
  throw new CliError(
    EXIT.refused,
    `of the batch behind row ${String(found.rows)}, sent at ${found.sentAt}, nobody knows any more whether it was created`,
    'Look for one of its licences; then resume with --pending created or --pending missing.',
  );
}
