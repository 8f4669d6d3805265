import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/index.ts';
import { realmScope } from '../custody/index.ts';
import { Fault } from '../faults.ts';
import { present } from '../lib/invariant.ts';
import { startDaemon } from '../daemon.ts';
import { openDataDirectory } from '../storage/data-directory.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import { close, makeFirstTenant, makeKeys } from './first-tenant.ts';
import { initialiseAppliance } from './initialise.ts';
import { openParts, type Parts, type Surroundings } from './parts.ts';

/** Credentials of one realm, as `mintmark dev --json` prints them. */
interface DevRealm {
  readonly secretKey: string;
  readonly publishableKey: string;
  readonly publicKey: { readonly kid: string; readonly hex: string };
}

/** The one line of `mintmark dev --json`; documented in docs/cli.md. */
export interface DevLine {
  readonly url: string;
  readonly dir: string;
  readonly tenant: string;
  readonly live: DevRealm;
  readonly test: DevRealm;
}

/** Where and how a development appliance is opened. */
export interface DevOpening {
  /** Made when it is not there; holds `data/`, the credential that opens it, and `dev.json`. */
  readonly root: string;
  /** 0: the system chooses. */
  readonly port: number;
  readonly config: Config;
}

/** A running development appliance. */
export interface DevAppliance {
  readonly line: DevLine;
  stop(): Promise<void>;
}

type Kept = Omit<DevLine, 'url'>;

const TENANT = { name: 'Development', code: 'dev' };
const OWNER_ONLY = 0o600;
const MIB_OF_RESERVE = 1;

/**
 * Opens a development appliance, making it first when the directory is empty. Loopback only, whatever is configured.
 * @throws Fault DATA_DIRECTORY_INVALID when the directory holds something else
 */
export async function openDevAppliance(opening: DevOpening, around: Surroundings): Promise<DevAppliance> {
  const { root } = opening;
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const config = devConfig(opening);
  const keptIn = join(root, 'dev.json');
  const unsealing = { with: 'credential', path: join(root, 'kek') } as const;
  if (!existsSync(keptIn)) {
    refuseOccupied(root);
    const kept = await makeDev({ root, config, credentialPath: unsealing.path }, around);
    writeFileSync(keptIn, JSON.stringify(kept), { mode: OWNER_ONLY, flag: 'wx' });
  }
  const kept = JSON.parse(readFileSync(keptIn, 'utf8')) as Kept; // written by the line above, or by an earlier run
  const daemon = await startDaemon({ config, unsealing, dev: true, changed: [] }, around);
  return { line: { ...kept, url: daemon.places.api, dir: root }, stop: () => daemon.stop() };
}

/** Everything below one directory, on loopback, with no space kept aside: it is thrown away. */
function devConfig({ root, port, config }: DevOpening): Config {
  return {
    ...config,
    data: { directory: join(root, 'data'), ballastMiB: 0, reserveMiB: MIB_OF_RESERVE },
    http: { ...config.http, host: '127.0.0.1', port, socket: null, allowPlain: [], trustedProxies: [] },
    metrics: { ...config.metrics, enabled: false },
    // A token that is configured is a real one.
    custody: { ...config.custody, custodian: 'file', inFiles: [] },
    pkcs11: {
      ...{ module: null, parameters: null, token: null, pinSource: null },
      ...{ copyToken: null, copyPinSource: null, environment: [] },
    },
  };
}

function refuseOccupied(root: string): void {
  if (readdirSync(root).length === 0) return;
  throw new Fault('DATA_DIRECTORY_INVALID', `${root} is not empty and holds no development appliance`);
}

async function makeDev(
  given: { readonly root: string; readonly config: Config; readonly credentialPath: string },
  around: Surroundings,
): Promise<Kept> {
  const { root, config, credentialPath } = given;
  const data = config.data.directory;
  await initialiseAppliance({ root: data, credentialPath, issuer: config.issuing.issuer, dev: true }, around);
  const directory = await openDataDirectory(data, { dev: true });
  try {
    const parts = await openParts(
      { config, directory, unsealing: { with: 'credential', path: credentialPath } },
      around,
    );
    const tenant = await makeFirstTenant(parts, TENANT, 'unlimited');
    const live = await devRealm(parts, tenant.live);
    const test = await devRealm(parts, tenant.test);
    await close(parts);
    return { dir: root, tenant: TENANT.code, live, test };
  } finally {
    directory.close();
  }
}

async function devRealm(parts: Parts, realm: RealmId): Promise<DevRealm> {
  const [secret, publishable] = await makeKeys(parts, realm, [
    { kind: 'sk', name: 'dev secret', tier: 'unlimited', issueLimitPerDay: null },
    { kind: 'pk', name: 'dev publishable', tier: 'unlimited', issueLimitPerDay: null },
  ]);
  const key = parts.keyring.activeKey('license', realmScope(realm));
  return {
    secretKey: present(secret, 'two keys were asked for').expose(),
    publishableKey: present(publishable, 'two keys were asked for').expose(),
    publicKey: { kid: key.kid, hex: Buffer.from(key.jwk.x, 'base64url').toString('hex') },
  };
}
