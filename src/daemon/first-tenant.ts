import {
  API_KEY_SCOPES,
  DEFAULT_ISSUE_LIMIT,
  makeApiKey,
  prepareTenant,
  storeTenant,
  type Tier,
} from '../access/index.ts';
import type { Config } from '../config/index.ts';
import type { Unsealing } from '../custody/index.ts';
import { Fault } from '../faults.ts';
import { present } from '../lib/invariant.ts';
import type { Secret } from '../lib/secret.ts';
import { newId } from '../lib/ulid.ts';
import { openDataDirectory } from '../storage/data-directory.ts';
import type { Authority } from '../storage/entry.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import { NO_LIMITS } from '../storage/realms.ts';
import { featureDeps } from './features.ts';
import { initialiseAppliance, type Initialised } from './initialise.ts';
import { custodiansOf, openParts, type Parts, type Surroundings } from './parts.ts';

/** The first tenant's name and code. */
export interface NewTenantChoices {
  readonly name: string;
  readonly code: string;
}

/** What an appliance with its first tenant is made with. */
export interface InitialiseGiven {
  readonly config: Config;
  readonly tenant: NewTenantChoices;
  /** What the first tenant and its first key may ask for, until an operator says otherwise. */
  readonly tier: Tier;
  readonly credentialPath?: string | undefined;
  readonly passphrase?: Secret | undefined;
  readonly dev: boolean;
  /** As {@link NewAppliance.withoutCopy}. */
  readonly withoutCopy?: boolean;
}

/** What `init` shows once. */
export interface InitialisedTenant {
  readonly applianceId: string;
  readonly recoveryCode: Secret;
  readonly rootFingerprint: string;
  /** The first ledger key in its one-line form. */
  readonly ledgerKey: string;
  /** The first secret key of the live realm, with every scope that a key can carry. */
  readonly secretKey: Secret;
}

/**
 * Makes an appliance, its first tenant and its first API key.
 * 1. The appliance. Stop here: it serves, and tenants are made at the operator's socket.
 * 2. The tenant with its realms and keys. Stop here: `mintmark api-key create` makes the first key.
 * 3. The key.
 * @throws Fault DATA_DIRECTORY_INVALID, KEY_STORAGE, VALIDATION_FAILED
 */
export async function initialise(given: InitialiseGiven, around: Surroundings): Promise<InitialisedTenant> {
  const { config } = given;
  demandCopiesPossible(given, custodiansOf(config, around.clock));
  const made = await initialiseWithoutTenant(given, around);
  const unsealing: Unsealing = { with: 'recovery', code: made.recoveryCode };
  const directory = await openDataDirectory(config.data.directory, { dev: given.dev });
  try {
    const parts = await openParts({ config, directory, unsealing }, around);
    const tenant = await makeFirstTenant(parts, given.tenant, given.tier);
    const [secretKey] = await makeKeys(parts, tenant.live, [
      { kind: 'sk', name: 'first key', tier: given.tier, issueLimitPerDay: DEFAULT_ISSUE_LIMIT },
    ]);
    await close(parts);
    const rootFingerprint = present(tenant.roots[0], 'a tenant has a root from the start');
    return { ...made, rootFingerprint, secretKey: present(secretKey, 'one key was asked for') };
  } finally {
    directory.close();
  }
}

/** Said before anything is made, and before a token is asked. @throws Fault KEY_NOT_COPIED */
function demandCopiesPossible(
  { withoutCopy }: Pick<InitialiseGiven, 'withoutCopy'>,
  { pkcs11, makesIn }: ReturnType<typeof custodiansOf>,
): void {
  if (makesIn !== 'pkcs11' || withoutCopy === true || pkcs11?.copy !== undefined) return;
  throw new Fault(
    'KEY_NOT_COPIED',
    'the keys would be in one token and nowhere else: name a second token (pkcs11.copyToken), or give --no-backup with its sentence',
  );
}

/** Makes an appliance that serves and has no tenant: the keys of the first one are made in a ceremony. @throws as {@link initialise} */
export async function initialiseWithoutTenant(
  given: Omit<InitialiseGiven, 'tenant' | 'tier'>,
  around: Surroundings,
): Promise<Initialised> {
  const { config, credentialPath, passphrase, dev } = given;
  const root = config.data.directory;
  const issuer = config.issuing.issuer;
  const custodians = custodiansOf(config, around.clock);
  if (!custodians.inFiles?.includes('ledger')) demandCopiesPossible(given, custodians);
  return initialiseAppliance(
    { root, credentialPath, passphrase, issuer, dev, custodians, withoutCopy: given.withoutCopy === true },
    around,
  );
}

/** A tenant that was just made. */
export interface FirstTenant {
  readonly live: RealmId;
  readonly test: RealmId;
  /** Fingerprints of its root keys. */
  readonly roots: readonly string[];
}

/** Makes the first tenant, in one unit. */
export async function makeFirstTenant(
  parts: Parts,
  choices: NewTenantChoices,
  tier: Tier,
): Promise<FirstTenant> {
  const deps = featureDeps(parts);
  const limits = { tier, ...NO_LIMITS, contact: null };
  const prepared = await prepareTenant(deps, { ...choices, ...limits });
  const { realms, roots } = await parts.work.run(authority(parts), (tx) => {
    const stored = storeTenant(deps, tx, prepared);
    return { realms: stored.realms, roots: stored.shown.view.roots };
  });
  parts.realms.reload();
  return { ...realms, roots };
}

/** A key to be made for a realm. */
export interface FirstKey {
  readonly kind: 'sk' | 'pk';
  readonly name: string;
  readonly tier: Tier;
  readonly issueLimitPerDay: number | null;
}

/** Makes keys for a realm, in one unit: secret ones with every scope that a key can carry. */
export function makeKeys(parts: Parts, realm: RealmId, keys: readonly FirstKey[]): Promise<Secret[]> {
  const { custody, random, outbox, realms } = parts;
  const deps = { indexer: custody.indexer, random, outbox };
  const environment = realms.environmentOf(realm);
  return parts.work.run(authority(parts), (tx) =>
    keys.map(({ kind, name, tier, issueLimitPerDay }) => {
      const scopes = kind === 'sk' ? API_KEY_SCOPES : [];
      const given = {
        scopes,
        allowedCidrs: [],
        expiresAt: null,
        tier,
        issueLimitPerDay,
        issueLimitTotal: null,
        allowedProducts: [],
      } as const;
      return makeApiKey(deps, tx, { realm, environment, kind, name, authority: given }).text;
    }),
  );
}

/** Closes parts that never served. */
export async function close(parts: Parts): Promise<void> {
  await parts.checkpointer.sign();
  await parts.sequence.close();
  await parts.custody.stopCounting();
  await parts.work.stop();
  await parts.custody[Symbol.asyncDispose]();
}

/** The local administrator, as the ledger names whoever runs `init`. */
function authority({ time, random }: Parts): Authority {
  const actor = { kind: 'operator', id: 'local', via: 'init' } as const;
  return { actor, requestId: newId('request', time.now(), random), realm: null };
}
