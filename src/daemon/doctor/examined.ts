import type { Config } from '../../config/index.ts';
import type { Custody } from '../../custody/index.ts';
import type { Clock } from '../../lib/clock.ts';
import type { DataPaths } from '../../storage/data-paths.ts';
import type { Reader } from '../../storage/tx.ts';

/** An appliance that is looked at, running or not. Nothing is written. */
export interface Examined {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly reader: Reader;
  readonly clock: Clock;
  /** Unsealed; or why the keys stay shut. */
  readonly custody: Custody | { readonly shut: string };
  /** Lets others have their turn. */
  readonly pause: () => Promise<void>;
}
