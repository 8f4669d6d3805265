import type { Permit, RealmName } from '../access/index.ts';
import type { SigningKey } from '../custody/keyring.ts';
import { Fault } from '../faults.ts';
import { type EpochMs, DAY } from '../lib/clock.ts';
import { present } from '../lib/invariant.ts';
import { newId } from '../lib/ulid.ts';
import {
  type Components,
  dayOf,
  decide,
  type DecisionFacts,
  findPolicy,
  isPublisher,
  notFound,
  prepareMachine,
  type PreparedMachine,
  type PrepareDeps,
  readStanding,
  realmOf,
  type Standing,
  type StandingDeps,
  withTermBegun,
} from '../licensing/index.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { RealmReader } from '../storage/tx.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import type { PreparedFile } from './certificate.ts';
import { entitlementEnds, machineFacts, type MachineInFile } from './checkout-dataset.ts';
import { type CheckoutForm, encodeCheckout } from './checkout-encode.ts';
import { type Terms, type TermsBasis, termsOf } from './checkout-terms.ts';
import { type FileQuestion, refuseByHolder, refuseByTenant, refuseClosed } from './checkout-limits.ts';
import { readFileStanding } from './checkout-limits-store.ts';
import type { FileMeta, LedgerAnchor } from './file-meta.ts';
import { licenseKeySigns } from './issued-files-store.ts';

/** Which file is wanted. */
export interface CheckoutRequest {
  readonly licenseId: string;
  /** The machine it is bound to, activated if it is not; null: a licence file. */
  readonly fingerprint: string | null;
  readonly components: Components | undefined;
  /** Who uses the machine, if this activates it. */
  readonly userEmail?: string | undefined;
  readonly ttlSeconds: number | undefined;
  readonly form: CheckoutForm;
  /** False: anyone can read the file, and the key in it is masked. Tokens and signed keys are never encrypted. */
  readonly encrypt: boolean;
  /** Whether the answer is to be the bare file. */
  readonly raw: boolean;
}

/** Who issues. */
export interface Issuer {
  /** As files name it, e.g. `Mintmark`; `MINTMARK DEV` on a dev appliance. */
  readonly name: string;
  readonly dev: boolean;
}

/** Numbers of files, each given once in the life of a branch. */
export interface FileNumbers {
  readonly branch: string;
  next(): number;
}

/** What preparing a file needs. */
export interface PrepareCheckoutDeps extends StandingDeps, PrepareDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
  /** The keyring, by kid. */
  readonly signingKeys: { find(kid: string): SigningKey | undefined };
  readonly fileNumbers: FileNumbers;
  /** The published head of the ledger. */
  readonly ledgerAnchor: () => LedgerAnchor;
  /** Number of the newest revocation list of a realm; 0 before the first. */
  readonly epoch: (realm: RealmId) => number;
  readonly issuer: Issuer;
  readonly realmName: (realm: RealmId) => RealmName | null;
}

/** The versions a prepared file relies on; the commit compares them. */
export interface Versions {
  readonly license: number;
  readonly policy: number;
  readonly product: number;
  /** What {@link machineMark} says; null: the machine is not there yet. */
  readonly machine: string | null;
  /** Whether the key that the product names signs. */
  readonly keySigns: boolean;
}

/** A file that lacks its signature and its commit. Pure data: dropping it leaves no trace but a gap in the numbers. */
export interface PreparedCheckout {
  readonly realm: RealmId;
  readonly request: CheckoutRequest;
  readonly fileId: string;
  readonly branch: string;
  readonly branchSeq: number;
  readonly kid: string;
  /** Number of the newest revocation list when it was prepared. */
  readonly epoch: number;
  readonly terms: Terms;
  readonly versions: Versions;
  /** Null: a licence file. */
  readonly machine: {
    readonly id: string;
    readonly fingerprintHash: Buffer;
    /** What the file opens with: the machine's own, also when it was recognised by its components. */
    readonly fingerprint: string;
  } | null;
  /** The machine to be activated by the commit; null: it is active already, or there is none. */
  readonly activation: PreparedMachine | null;
  readonly file: PreparedFile;
}

/**
 * Reads one snapshot, decides, and lays out the exact bytes to sign. Synchronous: nothing changes in between.
 * @throws Fault NOT_FOUND; the code of a validation that is not valid; OFFLINE_NOT_ALLOWED, WEAK_KEY, FILE_TOO_LARGE,
 *   FILE_LIMIT_EXCEEDED, TENANT_LIMIT, TENANT_SUSPENDED, SIGNED_KEY_NOT_ALLOWED, VALIDATION_FAILED, SIGNER_UNAVAILABLE,
 *   SEALED
 */
export function prepareCheckout(
  deps: PrepareCheckoutDeps,
  permit: Permit,
  request: CheckoutRequest,
): PreparedCheckout {
  const realm = realmOf(permit);
  const reader = deps.work.read.in(realm);
  const issuedAt = deps.time.now();
  const standing = standingOf(deps, reader, { realm, request });
  if (standing === undefined) throw notFound('licence', request.licenseId);
  requireIssuable(standing, request, issuedAt);
  refuseEarly(reader, { permit, now: issuedAt }, standing);
  const activation = activationOf(deps, realm, { request, standing });
  const key = signingKeyOf(deps, standing);
  const begun = withTermBegun({ standing, from: issuedAt });
  const terms = termsOf(termsBasis(begun, request, issuedAt));
  const place = { realm, standing: begun, activation, key, terms };
  return { ...numbered(deps, place, request), versions: versionsOf(deps, standing) };
}

/** The standing a checkout asks about, read anew by the commit. */
export function standingOf(
  deps: StandingDeps,
  reader: RealmReader,
  { realm, request }: { readonly realm: RealmId; readonly request: CheckoutRequest },
): Standing | undefined {
  const { licenseId, components } = request;
  const fingerprint = request.fingerprint ?? undefined;
  return readStanding(deps, reader, { realm, licenseId, fingerprint, components });
}

/**
 * Why no file may be issued; nothing when one may. A machine that is not there yet counts as activated: the commit
 * activates it or refuses.
 */
export function whyNot(standing: Standing, request: CheckoutRequest, now: EpochMs): Fault | null {
  const { policy, license } = standing;
  const question = { fingerprint: request.fingerprint !== null, entitlements: [] };
  const decision = decide(factsOf(standing, request, now), question, now);
  const { code } = decision;
  if (!decision.valid && code !== 'VALID') {
    return new Fault(code, `no file is issued for licence ${license.id}: its validation says ${code}`);
  }
  if (!policy.offlineAllowed) {
    return new Fault('OFFLINE_NOT_ALLOWED', `the policy of licence ${license.id} allows no offline use`);
  }
  if (request.form === 'signed-key' && policy.revocationMaxAgeDays !== null) return demandsList(license.id);
  if (!request.encrypt || license.weakKey === 0) return null;
  return new Fault('WEAK_KEY', `the key of licence ${license.id} can be guessed and encrypts no file`);
}

/** The format of a signed key has no place for it, and a reader would take the key for good without any list. */
function demandsList(licenseId: string): Fault {
  const message = `the policy of licence ${licenseId} demands a revocation list, which no signed key can`;
  return new Fault('SIGNED_KEY_NOT_ALLOWED', message);
}

function requireIssuable(standing: Standing, request: CheckoutRequest, now: EpochMs): void {
  const fault = whyNot(standing, request, now);
  if (fault !== null) throw fault;
}

/**
 * Refuses a holder before anything is signed for him. The commit decides; and it tells of the holder or tenant at his limit,
 * so that the first one a day goes on to it.
 */
function refuseEarly(
  reader: RealmReader,
  { permit, now }: Omit<FileQuestion, 'files'>,
  standing: Standing,
): void {
  if (isPublisher(permit)) return;
  const files = readFileStanding(reader, standing.license.id);
  const question = { permit, files, now };
  const ofHolder = files.toldDay === dayOf(now) ? refuseByHolder(question, standing) : null;
  const ofTenant = files.tenantTold === dayOf(now) ? refuseByTenant(question) : null;
  const refused = refuseClosed(question) ?? ofTenant ?? ofHolder;
  if (refused !== null) throw refused.refused;
}

function factsOf({ facts, machine }: Standing, request: CheckoutRequest, now: EpochMs): DecisionFacts {
  if (request.fingerprint === null || machine !== null) return facts;
  return { ...facts, machine: { alive: true, lastSeenAt: now, componentsMatch: true } };
}

function activationOf(
  deps: PrepareCheckoutDeps,
  realm: RealmId,
  { request, standing }: { readonly request: CheckoutRequest; readonly standing: Standing },
): PreparedMachine | null {
  const { licenseId, fingerprint, components = {}, userEmail = null } = request;
  if (fingerprint === null || standing.machine !== null) return null;
  const personal = { name: null, hostname: null, userEmail, metadata: {} };
  const described = { publicKey: null, proof: null, platform: null, cores: null, personal };
  return prepareMachine(deps, { realm, licenseId }, { fingerprint, components, ...described });
}

function signingKeyOf(deps: PrepareCheckoutDeps, { license }: Standing): SigningKey {
  const key = deps.signingKeys.find(license.signingKid);
  if (key !== undefined) return key;
  throw new Fault('SIGNER_UNAVAILABLE', `signing key ${license.signingKid} of the product is not known`);
}

function termsBasis(standing: Standing, { ttlSeconds }: CheckoutRequest, now: EpochMs): TermsBasis {
  const { policy, license } = standing;
  const ends = policy.expirationStrategy !== 'ALLOW_ACCESS' && license.expiresAt !== null;
  const licenseEndsAt = ends ? present(license.expiresAt, 'looked at above') + policy.graceDays * DAY : null;
  const { offlineMaxDays } = policy;
  return { now, ttlSeconds, offlineMaxDays, licenseEndsAt, entitlementEnds: entitlementEnds(standing, now) };
}

/** The versions a standing shows, and whether the key of its product signs. */
export function versionsOf(deps: Pick<PrepareCheckoutDeps, 'work'>, standing: Standing): Versions {
  const { version, policyVersion, productVersion, signingKid } = standing.license;
  return {
    license: version,
    policy: policyVersion,
    product: productVersion,
    machine: machineMark(standing),
    keySigns: licenseKeySigns(deps.work.read, signingKid),
  };
}

/**
 * What a file rests on of its machine: which it is, and its key. What is only said of it (name, metadata) may be as it was
 * when the file was prepared: the holder of a licence edits that as often as he likes, and would keep the machine from its
 * files.
 */
export function machineMark({ machine }: Pick<Standing, 'machine'>): string | null {
  return machine === null ? null : `${machine.id} ${machine.publicKey?.toString('hex') ?? 'no key'}`;
}

interface Place {
  readonly realm: RealmId;
  readonly standing: Standing;
  readonly activation: PreparedMachine | null;
  readonly key: SigningKey;
  readonly terms: Terms;
}

function numbered(
  deps: PrepareCheckoutDeps,
  place: Place,
  request: CheckoutRequest,
): Omit<PreparedCheckout, 'versions'> {
  const { realm, standing, activation, key, terms } = place;
  const fileId = newId('file', terms.issuedAt, deps.random);
  const [branch, branchSeq] = [deps.fileNumbers.branch, deps.fileNumbers.next()];
  const epoch = deps.epoch(realm);
  const meta = metaOf(deps, place, { fileId, branch, branchSeq, epoch });
  const machine = machineFacts(deps, { standing, activation, issuedAt: terms.issuedAt });
  const { form, encrypt } = request;
  const { tenantId } = nameOf(deps, realm);
  const policyCode = policyCodeOf(deps, standing);
  const file = encodeCheckout(deps, { form, encrypt, standing, tenantId, key, meta, machine, policyCode });
  const bound = standing.machine ?? activation?.row ?? null;
  return {
    ...{ realm, request, fileId, branch, branchSeq, kid: key.kid, epoch, terms, activation, file },
    machine: bound === null || machine === null ? null : boundTo(bound, machine),
  };
}

function boundTo(
  { id, fingerprintHash }: { readonly id: string; readonly fingerprintHash: Buffer },
  { fingerprint }: MachineInFile,
): PreparedCheckout['machine'] {
  return { id, fingerprintHash, fingerprint };
}

function metaOf(
  deps: PrepareCheckoutDeps,
  { realm, standing, terms }: Place,
  number: {
    readonly fileId: string;
    readonly branch: string;
    readonly branchSeq: number;
    readonly epoch: number;
  },
): FileMeta {
  const { policy, license } = standing;
  const { tenantCode, environment } = nameOf(deps, realm);
  return {
    ...{ issuedAt: terms.issuedAt, expiresAt: terms.expiresAt },
    ...{ jti: number.fileId, branch: number.branch, seq: number.branchSeq },
    ...{ anchor: deps.ledgerAnchor(), epoch: number.epoch, tenantCode, environment },
    ...{ issuer: deps.issuer.name, dev: deps.issuer.dev, productCode: license.productCode },
    crlMaxAgeDays: policy.revocationMaxAgeDays,
    enforcement: policy.enforcement,
    graceDays: policy.graceDays,
  };
}

function policyCodeOf({ work }: PrepareCheckoutDeps, { realm, license }: Standing): string {
  return present(findPolicy(work.read.in(realm), license.policyId), 'a living licence has a living policy')
    .code;
}

function nameOf(deps: PrepareCheckoutDeps, realm: RealmId): RealmName {
  return present(deps.realmName(realm), 'a realm with licences belongs to a tenant');
}
