import type { Indexer, KeyedDigest, Sealer } from '../../custody/sealer.ts';
import { Fault } from '../../faults.ts';
import { type EpochMs, isoTime } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { newId } from '../../lib/ulid.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import { refuseCardData } from '../metadata.ts';
import type { CachedPolicy } from '../policies/policy-cache.ts';
import type { EntitlementRef } from '../policies/policy.ts';
import type { IssueBasis } from './license-basis-store.ts';
import { indexedNames } from '../products/product.ts';
import { licenseKeyDigest } from './license-directory-store.ts';
import { gradeLicenseKey } from './license-key-strength.ts';
import { generateLicenseKey, importedLicenseKey, maskLicenseKey } from './license-key.ts';
import type { LicenseInput } from './license-schema.ts';
import { indexedValues } from './license-metadata.ts';
import { emailIndex, sealLicenseKey, sealPersonal } from './license-sealing.ts';
import { type LicenseFacets, type LicenseRow, licenseView, type LicenseView } from './license-view.ts';
import type { NewLicense } from './license-write-store.ts';
import type { LicensePersonal, OwnEntitlement } from './license.ts';
import { LATEST_EXPIRY, newTerm, type Term } from './term.ts';

/** What preparing licences needs. */
export interface PrepareLicenseDeps {
  readonly sealer: Sealer;
  readonly indexer: Indexer;
  readonly random: Random;
}

/** The snapshot that licences are prepared from. */
export interface LicenseGround {
  readonly realm: RealmId;
  readonly basis: IssueBasis;
  readonly policy: CachedPolicy;
  /** Living entitlements by id, at least those the requests name. */
  readonly entitlements: ReadonlyMap<string, EntitlementRef>;
  /** Whether the caller sees e-mail address and name in clear. */
  readonly reveal: boolean;
  /** Trusted time. */
  readonly now: EpochMs;
}

/** A licence ready to be inserted: ids, key, times and sealed values are fixed, nothing is stored yet. */
export interface PreparedLicense {
  readonly realm: RealmId;
  readonly basis: IssueBasis;
  readonly stored: NewLicense;
  /** As it will read once it is stored. */
  readonly row: LicenseRow;
  readonly facets: LicenseFacets;
  /** What it carries itself. */
  readonly own: readonly OwnEntitlement[];
  /** With the key in full: shown once more, in the answer to create. */
  readonly view: LicenseView;
}

/**
 * Prepares one licence. Pure but for ids and keys: costs no statement, runs outside any unit of work.
 * @throws Fault VALIDATION_FAILED, NOT_FOUND (entitlement), CARD_DATA_REFUSED; SEALED
 */
export function prepareLicense(
  deps: PrepareLicenseDeps,
  ground: LicenseGround,
  request: LicenseInput,
): PreparedLicense {
  const personal = personalOf(request);
  refuseCardData({ ...personal });
  refuseOverrides(ground.policy, request);
  const { realm, basis, now } = ground;
  const id = newId('license', now, deps.random);
  const key = keyOf(deps, basis, request);
  const row = newRow({ ground, request, id, key });
  const sealed = seal(deps, { realm, id }, { key: key.text, personal });
  const names = indexedNames(basis.indexedMetadata);
  const indexed = indexedValues(deps.indexer, realm, { names, metadata: personal.metadata });
  const own = ownEntitlementsOf(ground, request);
  const entitlements = codesOf(ground, own);
  const facets = { personal, entitlements, own, pending: undefined, reveal: ground.reveal, now };
  return {
    realm,
    basis,
    stored: { ...row, ...sealed, keyDigest: key.digest, indexed, now },
    row: { ...row, ...sealed },
    facets,
    own,
    view: { ...licenseView(row, facets), key: key.text },
  };
}

interface PreparedKey {
  readonly text: string;
  readonly origin: 'generated' | 'imported';
  readonly weak: boolean;
  readonly digest: KeyedDigest;
}

function keyOf(deps: PrepareLicenseDeps, basis: IssueBasis, request: LicenseInput): PreparedKey {
  const imported = request.key === undefined ? undefined : importedLicenseKey(request.key);
  const text = imported ?? generateLicenseKey(basis.keyPrefix, deps.random);
  const digest = licenseKeyDigest(deps.indexer, text);
  if (imported === undefined) return { text, digest, origin: 'generated', weak: false };
  return { text, digest, origin: 'imported', weak: gradeLicenseKey(text).weak };
}

function personalOf(request: LicenseInput): LicensePersonal {
  const { name = null, userEmail = null, userName = null, metadata = {} } = request;
  return { name, userEmail, userName, metadata };
}

function seal(
  deps: PrepareLicenseDeps,
  license: { readonly realm: RealmId; readonly id: string },
  plain: { readonly key: string; readonly personal: LicensePersonal },
) {
  const { userEmail } = plain.personal;
  return {
    keySealed: sealLicenseKey(deps.sealer, license, plain.key),
    personal: sealPersonal(deps.sealer, license, plain.personal),
    emailIndex: userEmail === null ? null : emailIndex(deps.indexer, license.realm, userEmail),
  };
}

function newRow(given: {
  readonly ground: LicenseGround;
  readonly request: LicenseInput;
  readonly id: string;
  readonly key: PreparedKey;
}): LicenseRow {
  const { ground, request, id, key } = given;
  const { now, basis } = ground;
  return {
    id,
    productId: basis.productId,
    policyId: basis.policyId,
    status: 'active',
    statusSince: null,
    ...termOf(ground, request),
    maxMachinesOverride: request.maxMachinesOverride ?? null,
    maxUsesOverride: request.maxUsesOverride ?? null,
    keySealed: null,
    keyMasked: maskLicenseKey(key.text),
    keyOrigin: key.origin,
    weakKey: key.weak ? 1 : 0,
    personal: null,
    ...{ firstActivatedAt: null, firstValidatedAt: null, lastValidatedAt: null, lastCheckedOutAt: null },
    ...{ seats: 0, uses: 0, version: 1, createdAt: now, updatedAt: now },
  };
}

/** What the request says, else what the policy says. */
function termOf({ policy, now }: LicenseGround, { expiresAt }: LicenseInput): Term {
  if (expiresAt === undefined) return newTerm(policy.settings, now);
  const until = expiresAt === null ? null : requireFuture('expiresAt', Date.parse(expiresAt), now);
  return { expiresAt: until, startsOn: null };
}

/**
 * A time that a request sets as an expiry.
 * @throws Fault VALIDATION_FAILED unless it lies after `now`, in a year of four digits
 */
export function requireFuture(path: string, at: EpochMs, now: EpochMs): EpochMs {
  if (at > LATEST_EXPIRY) throw invalid(path, `${path} is later than ${isoTime(LATEST_EXPIRY)}`);
  if (at > now) return at;
  throw invalid(path, `${path} is not in the future`);
}

/**
 * Refuses limits of a licence's own where its policy allows none.
 * @throws Fault VALIDATION_FAILED
 */
export function refuseOverrides(
  policy: Pick<CachedPolicy, 'id' | 'settings'>,
  limits: {
    readonly maxMachinesOverride?: number | null | undefined;
    readonly maxUsesOverride?: number | null | undefined;
  },
): void {
  if (policy.settings.overridable) return;
  for (const path of ['maxMachinesOverride', 'maxUsesOverride'] as const) {
    if ((limits[path] ?? null) === null) continue;
    throw invalid(path, `policy ${policy.id} does not let its licences override limits (${path})`);
  }
}

/** Ids of all entitlements that a request names, each as often as it does. */
export function entitlementsNamed(
  request: Pick<LicenseInput, 'entitlementIds' | 'ownEntitlements'>,
): string[] {
  return [...(request.entitlementIds ?? []), ...(request.ownEntitlements ?? []).map(({ id }) => id)];
}

/** What a request gives the licence itself, in order of the codes. @throws Fault NOT_FOUND, VALIDATION_FAILED */
function ownEntitlementsOf(ground: LicenseGround, request: LicenseInput): OwnEntitlement[] {
  const lasting = [...new Set(request.entitlementIds)].map((id) => {
    return { ...knownEntitlement(ground, 'entitlementIds', id), expiresAt: null };
  });
  const timed = (request.ownEntitlements ?? []).map(({ id, expiresAt = null }, i) => {
    const path = `ownEntitlements.${String(i)}`;
    return {
      ...knownEntitlement(ground, path, id),
      expiresAt: endOf(`${path}.expiresAt`, expiresAt, ground),
    };
  });
  const own = [...lasting, ...timed];
  refuseTwice(own);
  return own.sort((one, other) => (one.code < other.code ? -1 : 1));
}

function knownEntitlement({ entitlements }: LicenseGround, path: string, id: string): EntitlementRef {
  const known = entitlements.get(id);
  if (known !== undefined) return known;
  const message = `there is no entitlement ${id}`;
  throw new Fault('NOT_FOUND', message, { errors: [{ path, code: 'NOT_FOUND', message }] });
}

function endOf(path: string, expiresAt: string | null, { now }: LicenseGround): EpochMs | null {
  return expiresAt === null ? null : requireFuture(path, Date.parse(expiresAt), now);
}

/** Which of two ends would hold is not guessed. */
function refuseTwice(own: readonly OwnEntitlement[]): void {
  const ids = own.map(({ id }) => id);
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) throw invalid('ownEntitlements', `entitlement ${twice} is named twice`);
}

function codesOf({ policy }: LicenseGround, own: readonly OwnEntitlement[]): string[] {
  return [...new Set([...own, ...policy.entitlements].map(({ code }) => code))].sort();
}

function invalid(path: string, message: string): Fault {
  return new Fault('VALIDATION_FAILED', message, { errors: [{ path, code: 'LICENSE', message }] });
}
