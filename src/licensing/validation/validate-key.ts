import type { KnownLicenseKey, LicenseKeys, Permit, RealmName } from '../../access/index.ts';
import { Fault } from '../../faults.ts';
import { invariant } from '../../lib/invariant.ts';
import { equalBytes, Secret } from '../../lib/secret.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import { countValidation } from '../analytics/validation-counts.ts';
import { licenseKeyForms } from '../licenses/license-key.ts';
import { openLicenseKey } from '../licenses/license-sealing.ts';
import { NOT_FOUND } from './decide.ts';
import type { Decoy } from './decoy.ts';
import { readStanding, type Standing } from './standing.ts';
import { judge, type ValidateDeps } from './validate.ts';
import type { KeyValidationInput } from './validation-schema.ts';
import { validationView, type ValidationView } from './validation-view.ts';

/** What validating by key needs. */
export interface ValidateKeyDeps extends ValidateDeps {
  readonly licenseKeys: Pick<LicenseKeys, 'find'>;
  /** Which tenant and environment a realm stands for; null: its tenant is erased. */
  readonly realmName: (realm: RealmId) => RealmName | null;
  /** What an unknown key is worked on, so that it costs what a known one costs. */
  readonly decoy: Decoy;
  /** Charges the address with an unknown key, more if it is easily guessed. @throws Fault RATE_LIMITED after too many */
  readonly unknownKey: (address: string, typed: string) => void | Promise<void>;
}

/** The question, and the address it came from. */
export interface KeyQuestion {
  readonly input: KeyValidationInput;
  readonly address: string;
}

/**
 * Validates a licence by its key: in the realm of the caller's credential, else in the one realm of the asked
 * environment that has the key. An unknown key is an answer (`NOT_FOUND`), not a fault, and costs the same work.
 * @throws Fault REALM_REQUIRED when several tenants have the key; RATE_LIMITED
 */
export async function validateKey(
  deps: ValidateKeyDeps,
  permit: Permit,
  { input, address }: KeyQuestion,
): Promise<ValidationView> {
  deps.admit('validate');
  const known = deps.licenseKeys.find(input.key);
  const place = choose(deps, permit, { found: known.places, environment: input.environment });
  const { realm, licenseId } = place ?? deps.decoy.place(permit.realm);
  const asked = { ...questionOf(input), realm, licenseId };
  const standing = readStanding(deps, deps.work.read.in(realm), asked);
  checkKey(deps, standing, { known, typed: input.key });
  if (place !== undefined && standing !== undefined) return judge(deps, permit, { standing, asked });
  await deps.unknownKey(address, input.key);
  const now = deps.time.now();
  // Without a credential an unknown key belongs to no realm, and is counted in none.
  if (permit.realm !== null)
    countValidation(deps.validationCounts, permit.realm, { code: NOT_FOUND.code, at: now });
  return validationView(deps, { standing: null, decision: NOT_FOUND, full: false, now });
}

function questionOf({ fingerprint, components, entitlements }: KeyValidationInput) {
  return { fingerprint, components, entitlements };
}

interface Found {
  readonly realm: RealmId;
  readonly licenseId: string;
}

/** The one place the key may lead this caller to; undefined: none. */
function choose(
  deps: ValidateKeyDeps,
  permit: Permit,
  {
    found,
    environment,
  }: { readonly found: readonly Found[]; readonly environment: RealmName['environment'] | undefined },
): Found | undefined {
  if (permit.realm !== null) {
    requireSameEnvironment(deps, permit.realm, environment);
    return found.find(({ realm }) => realm === permit.realm);
  }
  const wanted = environment ?? 'live';
  const candidates = found.filter(({ realm }) => deps.realmName(realm)?.environment === wanted);
  if (candidates.length <= 1) return candidates[0];
  throw new Fault(
    'REALM_REQUIRED',
    'several tenants have this key; send a publishable key of the one you mean',
  );
}

function requireSameEnvironment(
  deps: ValidateKeyDeps,
  realm: RealmId,
  asked: RealmName['environment'] | undefined,
): void {
  const own = deps.realmName(realm)?.environment;
  if (asked === undefined || asked === own) return;
  const message = `the credential is of the ${own ?? 'erased'} environment, the body asks for ${asked}`;
  throw new Fault('VALIDATION_FAILED', message, {
    errors: [{ path: 'environment', code: 'ENVIRONMENT', message }],
  });
}

/**
 * Compares what was typed with the sealed key of the row that the directory led to: a directory row turned to another
 * licence by who can write the file is found here. An unknown key opens a decoy, so that it costs what a new one costs.
 */
function checkKey(
  deps: ValidateKeyDeps,
  standing: Standing | undefined,
  { known, typed }: { readonly known: KnownLicenseKey; readonly typed: string },
): void {
  const sealed = standing?.license.keySealed ?? null;
  if (standing === undefined || sealed === null) {
    deps.decoy.open();
    return;
  }
  if (known.proven?.equals(sealed) === true) return;
  const stored = new Secret(openLicenseKey(deps, standing.realm, standing.license));
  const same = licenseKeyForms(typed).some((form) =>
    equalBytes(Buffer.from(form), Buffer.from(stored.expose())),
  );
  invariant(same, 'the directory leads a licence key to the licence that has it');
  known.proven = sealed;
}
