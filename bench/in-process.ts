import { authorise, type Permit } from '../src/access/index.ts';
import { loadConfig } from '../src/config/index.ts';
import { close as closeParts } from '../src/daemon/first-tenant.ts';
import { featureDeps, type FeatureDeps } from '../src/daemon/features.ts';
import { openParts, type Parts } from '../src/daemon/parts.ts';
import { silentLog } from '../src/http/log.ts';
import { systemClock } from '../src/lib/clock.ts';
import { systemRandom } from '../src/lib/random.ts';
import { newId } from '../src/lib/ulid.ts';
import { openDataDirectory } from '../src/storage/data-directory.ts';
import type { RealmId } from '../src/storage/realm-scope.ts';
import type { MadeAppliance } from './appliance.ts';

/** An appliance opened in this process: everything of it but HTTP and jobs. */
export interface OpenedAppliance extends AsyncDisposable {
  readonly parts: Parts;
  readonly deps: FeatureDeps;
  /** The live realm of its tenant. */
  readonly realm: RealmId;
  /** The local operator may do everything; each request has an id of its own. */
  permit(): Permit;
}

/** Opens the data directory of a stopped appliance as the daemon does. */
export async function openAppliance(made: MadeAppliance): Promise<OpenedAppliance> {
  const { config } = loadConfig({
    file: '/dev/null',
    environment: {},
    flags: { 'data.directory': made.data, 'data.ballastMiB': 0, 'data.reserveMiB': 1 },
  });
  const directory = await openDataDirectory(made.data, { dev: false });
  const onFatal = (error: Error): never => {
    throw error;
  };
  const around = { clock: systemClock, random: systemRandom, log: silentLog, onFatal };
  const unsealing = { with: 'credential', path: made.credential } as const;
  const parts = await openParts({ config, directory, unsealing }, around);
  const realm = parts.realms.all().find((one) => parts.realms.environmentOf(one) === 'live');
  if (realm === undefined) throw new Error('the tenant has a live realm');
  return {
    parts,
    deps: featureDeps(parts),
    realm,
    permit: () => operatorPermit(parts, realm),
    [Symbol.asyncDispose]: async () => {
      await closeParts(parts);
      directory.close();
    },
  };
}

function operatorPermit({ time, random }: Parts, realm: RealmId): Permit {
  const actor = { kind: 'operator', id: 'local', via: 'socket' } as const;
  const requestId = newId('request', time.now(), random);
  const demand = { scope: null, also: [] };
  const decision = authorise({ kind: 'operator', actor, realm }, demand, { action: 'BENCH', requestId });
  if (!decision.allowed) throw new Error(`the operator may not: ${decision.rule}`);
  return decision.permit;
}
