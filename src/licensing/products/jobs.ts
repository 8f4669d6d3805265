import type { Job } from '../../jobs/schedule.ts';
import { SECOND } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import { INDEX_JOB, indexMetadata, type IndexMetadataDeps } from '../licenses/index-metadata.ts';

/** What the timed work of products needs. */
export interface ProductJobsDeps extends IndexMetadataDeps {
  /** The realms of all tenants. */
  readonly realms: () => readonly RealmId[];
  /** Whether the state of the appliance lets time-driven jobs run. */
  readonly mayRunJobs: () => boolean;
}

/** A key that was declared is used within this time, and that of indexing. */
const EVERY_MS = 5 * SECOND;

/** The timed work of products: licences get indexed by the keys of metadata that products declare. */
export function productJobs(deps: ProductJobsDeps): Job[] {
  return [
    {
      name: INDEX_JOB,
      everyMs: EVERY_MS,
      mayRun: deps.mayRunJobs,
      run: async () => {
        for (const realm of deps.realms()) await indexMetadata(deps, realm);
      },
    },
  ];
}
