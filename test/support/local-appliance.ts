import { join } from 'node:path';
import { loadConfig } from '../../src/config/index.ts';
import { type Daemon, initialise, type InitialisedTenant, startDaemon } from '../../src/daemon.ts';
import type { Unsealing } from '../../src/custody/index.ts';
import type { Surroundings } from '../../src/daemon/parts.ts';
import { silentLog } from '../../src/http/log.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { Secret } from '../../src/lib/secret.ts';

/** A real appliance in the process of the test: its files, and what `init` showed once. */
export interface LocalAppliance extends InitialisedTenant {
  readonly root: string;
  readonly data: string;
  /** Opens the appliance at its start; undefined for one that waits for a person. */
  readonly credential: string | undefined;
}

const around: Surroundings = {
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  onFatal: (error) => {
    throw error;
  },
};

/** Settings of a small appliance on ports that the system chooses. */
function configOf(root: string, sets: Readonly<Record<string, unknown>>) {
  const { config } = loadConfig({
    file: null,
    environment: {},
    flags: {
      'data.directory': join(root, 'data'),
      'data.ballastMiB': 0,
      'data.reserveMiB': 1,
      'http.port': 0,
      'metrics.port': 0,
      ...sets,
    },
  });
  return config;
}

/** Makes an appliance below `root`. */
export async function makeLocalAppliance(
  root: string,
  { attended = false, passphrase }: { readonly attended?: boolean; readonly passphrase?: string } = {},
): Promise<LocalAppliance> {
  const credential = attended ? undefined : join(root, 'kek');
  const made = await initialise(
    {
      config: configOf(root, {}),
      tenant: { name: 'Site One', code: 'site-one' },
      tier: 'unlimited',
      credentialPath: credential,
      passphrase: passphrase === undefined ? undefined : new Secret(passphrase),
      dev: false,
    },
    around,
  );
  return { ...made, root, data: join(root, 'data'), credential };
}

/** Starts it, as `mintmark serve` would. */
export async function startLocal(
  { root, credential }: LocalAppliance,
  given: {
    readonly unsealing?: Unsealing;
    readonly sets?: Readonly<Record<string, unknown>>;
    readonly clock?: Clock;
  } = {},
): Promise<Daemon> {
  const {
    unsealing = credential === undefined ? null : { with: 'credential', path: credential },
    sets = {},
  } = given;
  const config = configOf(root, sets);
  const { clock = systemClock } = given;
  return startDaemon({ config, unsealing, dev: false, changed: [] }, { ...around, clock });
}
