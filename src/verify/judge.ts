import type { FileContent } from './content.ts';
import { Refusal, demand, type VerdictCode } from './refusal.ts';
import type { VerifierState } from './state.ts';
import { equalBytes, utf8Bytes } from './text.ts';
import type { TrustedKey } from './trust.ts';
import { CLOCK_SLACK_MS, type Session } from './verdict.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

const BLOCKED_STATUSES = ['SUSPENDED', 'REVOKED', 'BANNED'];

/** The times a file or signed key is measured by, in milliseconds; Infinity = never. */
export interface Validity {
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  /** When the licence itself ends; a file may outlive it by grace. */
  readonly licenseExpiresAtMs: number;
}

/** Step 6: issuer, environment, product, status. @throws Refusal */
export function checkIdentity(content: FileContent, key: TrustedKey, session: Session): void {
  const { meta, license } = content;
  const { tenant, issuer, environment } = session;
  demand(
    tenant === undefined || meta.tenant === tenant,
    'ISSUER_MISMATCH',
    `the file was issued by tenant ${meta.tenant}`,
  );
  demand(
    issuer === undefined || meta.issuer === issuer,
    'ISSUER_MISMATCH',
    `the file was issued by ${meta.issuer}`,
  );
  demand(
    meta.environment === environment,
    'ENVIRONMENT_MISMATCH',
    `the file is for the ${meta.environment} environment`,
  );
  checkDev(meta.dev, session);
  checkProduct({ code: meta.product, id: license.productId }, key, session);
  demand(!BLOCKED_STATUSES.includes(license.status), 'STATUS_BLOCKED', `the licence is ${license.status}`);
}

/** Refuses what a development appliance issued, when the application says so. */
export function checkDev(dev: boolean, session: Session): void {
  demand(!(dev && session.refuseDev), 'DEV_REFUSED', 'the file was issued by a development appliance');
}

/** Compares the product by code or id, and holds the key to the products it may sign for. */
export function checkProduct(
  product: { readonly code: string; readonly id: string | undefined },
  key: TrustedKey,
  session: Session,
): void {
  const asked = session.product;
  const matches = asked === 'any' || asked === product.code || asked === product.id;
  demand(matches, 'PRODUCT_MISMATCH', `the file is for product ${product.code}`);
  const mayState = key.products?.includes(product.code) ?? true;
  demand(mayState, 'PRODUCT_MISMATCH', `the key ${key.kid} does not sign for product ${product.code}`);
}

/** Step 7: the fingerprint, in constant time, also when encryption has bound the file to it already. @throws Refusal */
export function checkBinding(content: FileContent, fingerprint: string): void {
  const { machine, meta } = content;
  if (machine === undefined) return;
  demand(
    meta.bindingMode !== 'k-of-n',
    'BINDING_NOT_SUPPORTED',
    'the file is bound to a choice of components',
  );
  const same = equalBytes(utf8Bytes(machine.fingerprint), utf8Bytes(fingerprint));
  demand(same, 'FINGERPRINT_MISMATCH', 'the file belongs to another machine');
}

/** What step 8 found: the time that counts, and whether the licence is past its end but tolerated. */
export interface ClockFinding {
  readonly timeMs: number;
  readonly inGrace: boolean;
  readonly state: VerifierState;
}

/** Step 8: clock and validity. @throws Refusal */
export function checkClock(validity: Validity, session: Session): ClockFinding {
  const { now, state, trust, revocations } = session;
  const floor = Math.max(state.newestTimeMs, trust.issuedAtMs, revocations?.issuedAtMs ?? 0);
  demand(now + CLOCK_SLACK_MS >= floor, 'CLOCK_ROLLED_BACK', 'the clock of this machine was set back');
  demand(
    validity.issuedAtMs <= now + CLOCK_SLACK_MS,
    'NOT_YET_VALID',
    'the file was issued later than the clock of this machine says it is',
  );
  const timeMs = Math.max(now, floor);
  demand(validity.expiresAtMs > timeMs, 'EXPIRED', 'the file has expired');
  const newestTimeMs = Math.max(timeMs, validity.issuedAtMs);
  return { timeMs, inGrace: validity.licenseExpiresAtMs <= timeMs, state: { ...state, newestTimeMs } };
}

/** Refuses a file of a compromised key unless the issuer stands by it. */
export function checkAffirmed(kid: string, enc: string, session: Session): void {
  const affirmed = session.revocations?.affirms(kid, enc) ?? false;
  demand(
    affirmed,
    'KEY_COMPROMISED',
    `the key ${kid} is compromised and the issuer does not stand by this file`,
  );
}

/**
 * Step 9: revocation. A revoked file is refused also by an old list; only then does the list's age matter.
 * @returns LIST_STALE as a warning, or undefined
 * @throws Refusal
 */
export function checkRevocation(
  content: FileContent,
  enc: string,
  found: { readonly session: Session; readonly timeMs: number },
): VerdictCode | undefined {
  const { session, timeMs } = found;
  const { meta, license, machine } = content;
  const list = session.revocations;
  const days = meta.crlMaxAgeDays;
  if (list === undefined) {
    demand(days === undefined, 'LIST_REQUIRED', 'the file demands a revocation list');
    return undefined;
  }
  if (list.namesKey(meta.kid)) checkAffirmed(meta.kid, enc, session);
  demand(!list.names('files', meta.fileId), 'REVOKED', 'the file is revoked');
  demand(!list.names('licenses', license.id), 'REVOKED', 'the licence is revoked');
  demand(machine === undefined || !list.names('machines', machine.id), 'REVOKED', 'the machine is revoked');
  demand(
    meta.epoch >= list.minEpoch,
    'REVOKED_BY_EPOCH',
    'the file is older than anything the issuer still stands by',
  );
  const ageMs = timeMs - list.issuedAtMs;
  demand(
    days === undefined || ageMs <= days * DAY_MS,
    'LIST_REQUIRED',
    'the file demands a newer revocation list',
  );
  if (meta.epoch <= list.number) return undefined;
  if (days !== undefined)
    throw new Refusal('LIST_STALE', 'there is a newer revocation list than the one held');
  return 'LIST_STALE';
}
