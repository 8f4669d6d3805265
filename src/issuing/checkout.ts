import type { Permit } from '../access/index.ts';
import { Fault } from '../faults.ts';
import {
  type Challenges,
  type Components,
  holderOf,
  holdsScope,
  notFound,
  openFingerprint,
  ownMachine,
  readStanding,
  realmOf,
  requireMachineSignature,
  requireSameSigner,
  type SeenSignature,
  settle,
  type SignedRequest,
} from '../licensing/index.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import { commitCheckout, type CommitCheckoutDeps, type IssuedCheckout } from './checkout-commit.ts';
import {
  type CheckoutRequest,
  prepareCheckout,
  type PrepareCheckoutDeps,
  type PreparedCheckout,
} from './checkout-prepare.ts';
import { SignedCheckout, type Signer } from './checkout-sign.ts';

/** What issuing a file needs. */
export interface CheckoutDeps extends Omit<PrepareCheckoutDeps, 'work'>, Omit<CommitCheckoutDeps, 'work'> {
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
  readonly signer: Signer;
  readonly challenges: Challenges;
  /** @throws the fault of a state of the appliance in which nothing is issued (its clock is suspect, its disk full…) */
  readonly admit: (activity: 'issue') => void;
}

/** How long and in which form, whatever the file is for. */
export interface CheckoutOptions {
  readonly ttlSeconds: number | undefined;
  readonly form: 'file' | 'jwt';
  readonly encrypt: boolean;
  /** The machine's signature over the request, if it has a key. */
  readonly signed: SignedRequest | null;
  /** Whether the answer is to be the bare file. */
  readonly raw: boolean;
}

/**
 * Issues a file for a licence: a machine file with a fingerprint (activating the machine if need be), else a licence
 * file.
 * @throws Fault as {@link issueFile}
 */
export async function checkoutLicense(
  deps: CheckoutDeps,
  permit: Permit,
  asked: CheckoutOptions & {
    readonly licenseId: string;
    readonly fingerprint: string | null;
    readonly components: Components | undefined;
    readonly userEmail?: string | undefined;
  },
): Promise<IssuedCheckout> {
  const { licenseId, fingerprint, signed, ...rest } = asked;
  const holder = holderOf(permit);
  if (holder !== null && holder !== licenseId) throw notFound('licence', licenseId);
  const seen = requireSigned(deps, permit, { ...asked, signed });
  return issueFile(deps, permit, { request: { licenseId, fingerprint, ...rest }, seen });
}

/**
 * Issues a machine file for a machine that is active.
 * @throws Fault as {@link issueFile}; MACHINE_SIGNATURE_REQUIRED
 */
export async function checkoutMachine(
  deps: CheckoutDeps,
  permit: Permit,
  asked: CheckoutOptions & { readonly machineId: string },
): Promise<IssuedCheckout> {
  const { machineId, signed, ttlSeconds, form, encrypt, raw } = asked;
  const realm = realmOf(permit);
  const machine = ownMachine(deps.work.read.in(realm), permit, machineId);
  const seen = requireMachineSignature(deps, permit, { machine, signed });
  const fingerprint = openFingerprint(deps.sealer, realm, machine);
  const { licenseId } = machine;
  const request = { licenseId, fingerprint, components: undefined, ttlSeconds, form, encrypt, raw };
  return issueFile(deps, permit, { request, seen });
}

/**
 * Issues a signed licence key: a file in one line, bound to no machine and readable by anyone, with no key and no person in
 * it. It counts, ends and is decided like a licence file.
 * @throws Fault as {@link issueFile}
 */
export function issueSignedKey(
  deps: CheckoutDeps,
  permit: Permit,
  { licenseId, ttlSeconds }: { readonly licenseId: string; readonly ttlSeconds: number | undefined },
): Promise<IssuedCheckout> {
  const unbound = { fingerprint: null, components: undefined } as const;
  const request = {
    licenseId,
    ...unbound,
    ttlSeconds,
    form: 'signed-key',
    encrypt: false,
    raw: false,
  } as const;
  return issueFile(deps, permit, { request, seen: { key: null } });
}

/**
 * The one path of every file (architecture.md): each step takes what only the step before can make.
 *
 * 1. Admitted and permitted. Stop here: nothing happened.
 * 2. Prepared: one synchronous read, one decision, the exact bytes. Stop here: a file number is burned, nothing else;
 *    gaps in the numbers are normal.
 * 3. Signed: by the custodian, outside any transaction, however long it takes. Stop here: a signature over a file that
 *    no table knows died with the process; nobody has seen it.
 * 4. Committed: versions compared, what has no version decided again; machine, file row, ledger entry and event in one
 *    unit. Stale: the signature is dropped and all begins again at 2, three times at most. Stop before the COMMIT: as
 *    after 3. Stop after it: the file is issued, in the ledger and outstanding; the caller asks again with his
 *    `Idempotency-Key` and gets this very answer, or without one and gets a new file beside it.
 * 5. Answered: only now does the certificate leave.
 *
 * @throws Fault NOT_FOUND; the code of a validation that is not valid; OFFLINE_NOT_ALLOWED, WEAK_KEY, FILE_TOO_LARGE,
 *   VALIDATION_FAILED, INSUFFICIENT_SCOPE; MACHINE_LIMIT_EXCEEDED, FINGERPRINT_LIMIT_EXCEEDED,
 *   FINGERPRINT_TAKEN, FILE_LIMIT_EXCEEDED, CHANGE_LIMIT_EXCEEDED, TENANT_LIMIT, TENANT_SUSPENDED; SIGNER_UNAVAILABLE,
 *   SIGNER_BUSY, CLOCK_SUSPECT, DISK_FULL; CONFLICT after three stale attempts
 */
async function issueFile(
  deps: CheckoutDeps,
  permit: Permit,
  { request, seen }: { readonly request: CheckoutRequest; readonly seen: SeenSignature },
): Promise<IssuedCheckout> {
  deps.admit('issue'); // 1
  requirePlainScope(permit, request);
  return settle(`licence ${request.licenseId} or what it rests on`, async () => {
    const prepared = prepareCheckout(deps, permit, request); // 2
    requireSameKey(deps, permit, { prepared, seen });
    const signed = await SignedCheckout.sign(deps.signer, prepared); // 3
    return commitCheckout(deps, permit, signed); // 4
  }); // 5
}

/**
 * A file that anyone can read has a scope of its own, and no holder of a licence has it. Tokens and signed keys say nothing
 * that needs it: no name, no metadata, no fingerprint.
 */
function requirePlainScope(permit: Permit, { form, encrypt }: CheckoutRequest): void {
  if (form !== 'file' || encrypt || holdsScope(permit, 'licenses:checkout-plain')) return;
  throw new Fault('INSUFFICIENT_SCOPE', 'an unencrypted file needs the scope licenses:checkout-plain');
}

interface Signing {
  readonly licenseId: string;
  readonly fingerprint: string | null;
  readonly components: Components | undefined;
  readonly signed: SignedRequest | null;
}

/** The holder of a licence checks out a machine with a key only together with the machine. */
function requireSigned(deps: CheckoutDeps, permit: Permit, asked: Signing): SeenSignature {
  const { licenseId, fingerprint, components, signed } = asked;
  if (holderOf(permit) === null || fingerprint === null) return { key: null };
  const realm = realmOf(permit);
  const standing = readStanding(deps, deps.work.read.in(realm), {
    realm,
    licenseId,
    fingerprint,
    components,
  });
  const machine = standing?.machine ?? null;
  return machine === null ? { key: null } : requireMachineSignature(deps, permit, { machine, signed });
}

/** Prepared anew, the file may be for a machine that has a key since: no signature by that one was ever seen. */
function requireSameKey(
  deps: CheckoutDeps,
  permit: Permit,
  { prepared, seen }: { readonly prepared: PreparedCheckout; readonly seen: SeenSignature },
): void {
  if (prepared.machine === null || prepared.activation !== null) return;
  const machine = ownMachine(deps.work.read.in(prepared.realm), permit, prepared.machine.id);
  requireSameSigner(permit, machine, seen);
}
