import type { Permit } from '../access/index.ts';
import type { Outbox } from '../delivery/outbox.ts';
import { append } from '../ledger/append.ts';
import { isoTime } from '../lib/clock.ts';
import {
  bookMachineCheckout,
  claimMachine,
  type ClaimDeps,
  type Outcome,
  type Refusal,
  refusal,
  STALE,
  type Standing,
  type StandingDeps,
  startTerm,
} from '../licensing/index.ts';
import type { Tx } from '../storage/tx.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import type { CheckoutForm } from './checkout-encode.ts';
import { machineMark, type PreparedCheckout, standingOf, type Versions, whyNot } from './checkout-prepare.ts';
import type { SignedCheckout } from './checkout-sign.ts';
import type { Bound } from './checkout-terms.ts';
import {
  bookFile,
  refuseByHolder,
  refuseByTenant,
  refuseClosed,
  tellOfHolder,
  tellOfTenant,
} from './checkout-limits.ts';
import { readFileStanding } from './checkout-limits-store.ts';
import {
  fileDecides,
  insertIssuedFile,
  type IssuedFile,
  type IssuedKind,
  licenseKeySigns,
} from './issued-files-store.ts';
import { findListHead, noteFileEpoch } from './revocations/revocation-list-store.ts';

/**
 * Counts one more file against what a credential may issue, in the unit that issues; the last thing the unit decides.
 * @returns the refusal; undefined: it may
 */
export type CountIssue = (tx: Tx, permit: Permit) => Refusal | undefined;

/** What committing a file needs. */
export interface CommitCheckoutDeps extends StandingDeps, ClaimDeps {
  readonly work: Pick<UnitOfWork, 'run'>;
  readonly outbox: Outbox;
  readonly countIssue: CountIssue;
}

/** A file that was issued: durable, and free to go out. */
export interface IssuedCheckout {
  readonly certificate: string;
  readonly algorithm: string;
  readonly kid: string;
  readonly issuedAt: string;
  readonly expiresAt: string;
  readonly fileId: string;
  readonly licenseId: string;
  readonly machineId: string | null;
  /** What the file opens with; null: a licence file, which opens with the key alone. */
  readonly binding: { readonly mode: 'exact'; readonly fingerprint: string } | null;
  /** Which bound gave `expiresAt`. */
  readonly bound: Bound;
  /** Which form it has, and whether the answer is to be the bare file. */
  readonly form: CheckoutForm;
  readonly raw: boolean;
}

/**
 * Makes a signed file true in ONE unit: activates its machine if need be, remembers the file, writes ledger entry and
 * event. Stale when a version it relied on has changed; the signature is then dropped and never leaves the process.
 */
export function commitCheckout(
  deps: CommitCheckoutDeps,
  permit: Permit,
  signed: SignedCheckout,
): Promise<Outcome<IssuedCheckout>> {
  return deps.work.run(permit, (tx) => commit(deps, tx, { permit, signed }));
}

interface Committing {
  readonly permit: Permit;
  readonly signed: SignedCheckout;
}

function commit(deps: CommitCheckoutDeps, tx: Tx, { permit, signed }: Committing): Outcome<IssuedCheckout> {
  const { prepared } = signed;
  const { request, realm } = prepared;
  const question = { permit, files: readFileStanding(tx.in(realm), request.licenseId), now: tx.now };
  const closed = refuseClosed(question);
  if (closed !== null) return closed;
  const most = refuseByTenant(question);
  if (most !== null) {
    tellOfTenant(deps, tx, { realm, tenantId: question.files.tenantId, perDay: most.perDay });
    return most;
  }
  const standing = standingOf(deps, tx.in(realm), prepared);
  if (standing === undefined) return refusal('NOT_FOUND', `there is no licence ${request.licenseId}`);
  const { version, policyVersion, productVersion, signingKid } = standing.license;
  const now: Versions = {
    ...{ license: version, policy: policyVersion, product: productVersion },
    machine: machineMark(standing),
    keySigns: licenseKeySigns(tx, signingKid),
  };
  if (!sameVersions(prepared.versions, now)) return STALE;
  // A list was made meanwhile that refuses what names so old a list.
  if (prepared.epoch < (findListHead(tx.in(realm))?.minEpoch ?? 0)) return STALE;
  // What has no version (uses, heartbeats, time) is decided again: what has ended while it was signed is made anew.
  if (prepared.terms.expiresAt <= tx.now) return STALE;
  const fault = whyNot(standing, request, tx.now);
  if (fault !== null) return { refused: fault };
  // Before anything is done: a machine must not be activated for a file that is refused.
  const enough = refuseByHolder(question, standing);
  if (enough !== null) {
    tellOfHolder(deps, tx, { ...standing, perDay: enough.perDay });
    return enough;
  }
  const refused = activate(deps, tx, { permit, prepared, standing });
  if (refused !== null) return refused;
  const over = deps.countIssue(tx, permit);
  // Thrown: what the unit has activated by now must go with it.
  if (over !== undefined) throw over.refused;
  beginTerm(deps, tx, { prepared, standing });
  bookFile(tx, { ...question, until: prepared.terms.expiresAt }, standing);
  return { done: issue(deps, tx, { permit, signed }) };
}

function sameVersions(relied: Versions, now: Versions): boolean {
  return (
    relied.license === now.license &&
    relied.policy === now.policy &&
    relied.product === now.product &&
    relied.machine === now.machine &&
    relied.keySigns &&
    now.keySigns
  );
}

interface Prepared {
  readonly prepared: PreparedCheckout;
  readonly standing: Standing;
}

function activate(
  deps: CommitCheckoutDeps,
  tx: Tx,
  { permit, prepared, standing }: Prepared & { readonly permit: Permit },
): Refusal | null {
  const { activation, terms } = prepared;
  if (activation === null) return null;
  const claimed = claimMachine(deps, tx, {
    permit,
    prepared: activation,
    standing,
    termFrom: terms.issuedAt,
  });
  return 'refused' in claimed ? claimed : null;
}

/**
 * The first file of any kind begins a term that waits, as the file says already: it carries its validation with it, and
 * one without a machine is what the licence is used with from now on. An activation in this unit has begun its own.
 */
function beginTerm(deps: CommitCheckoutDeps, tx: Tx, { prepared, standing }: Prepared): void {
  const { startsOn } = standing.license;
  if (startsOn === null || (startsOn === 'activation' && prepared.activation !== null)) return;
  startTerm(deps, tx, { standing, from: prepared.terms.issuedAt });
}

function issue(deps: CommitCheckoutDeps, tx: Tx, { permit, signed }: Committing): IssuedCheckout {
  const { prepared } = signed;
  const { realm, machine } = prepared;
  const file = fileOf(prepared);
  insertIssuedFile(tx.in(realm), file);
  noteFileEpoch(tx.in(realm), { number: prepared.epoch, until: file.expiresAt });
  if (machine !== null) bookMachineCheckout(tx.in(realm), machine.id, tx.now);
  append(tx, {
    ...{ realm, action: 'license.file_issued', target: { kind: 'file', id: file.id } },
    after: fileDecides(file),
    // In clear: whoever has the file proves with it that the file stands in the log, or that it does not.
    facts: { enc: file.digest.toString('hex'), licenseId: file.licenseId, machineId: file.machineId },
  });
  deps.outbox.emit(tx, { type: 'license.file_issued', realm, data: eventOf(prepared, file) });
  const issued = issuedOf(signed);
  permit.remember(tx, issued);
  return issued;
}

function fileOf(prepared: PreparedCheckout): IssuedFile {
  const { fileId: id, branch, branchSeq, kid, machine, terms, request } = prepared;
  return {
    ...{ id, branch, branchSeq, kid },
    kind: kindOf(prepared),
    licenseId: request.licenseId,
    machineId: machine?.id ?? null,
    fingerprintHash: machine?.fingerprintHash ?? null,
    digest: prepared.file.encDigest,
    issuedAt: terms.issuedAt,
    expiresAt: terms.expiresAt,
  };
}

const KINDS: Readonly<Record<Exclude<CheckoutForm, 'file'>, IssuedKind>> = {
  jwt: 'token',
  'signed-key': 'signed-key',
};

function kindOf({ request, machine }: PreparedCheckout): IssuedKind {
  if (request.form !== 'file') return KINDS[request.form];
  return machine === null ? 'license' : 'machine';
}

function eventOf({ terms }: PreparedCheckout, file: IssuedFile) {
  const { id, kind, licenseId, machineId, kid } = file;
  const times = { issuedAt: isoTime(terms.issuedAt), expiresAt: isoTime(terms.expiresAt) };
  return { id, kind, licenseId, machineId, kid, ...times, bound: terms.bound };
}

function issuedOf({ prepared, certificate }: SignedCheckout): IssuedCheckout {
  const { terms, kid, fileId, machine, file, request } = prepared;
  return {
    ...{ certificate, algorithm: file.algorithm, kid },
    issuedAt: isoTime(terms.issuedAt),
    expiresAt: isoTime(terms.expiresAt),
    ...{
      fileId,
      licenseId: request.licenseId,
      machineId: machine?.id ?? null,
      binding: machine === null ? null : { mode: 'exact', fingerprint: machine.fingerprint },
      bound: terms.bound,
      form: request.form,
      raw: request.raw,
    },
  };
}
