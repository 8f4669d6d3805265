import { demandFilled, demandGiven, demandText, demandTime, demandTrust, memberOf } from './call.ts';
import type {
  Enforcement,
  EntitlementContent,
  FileContent,
  LicenseContent,
  MachineContent,
} from './content.ts';
import { placeOf } from './place.ts';
import type { RevocationList } from './revocation-list.ts';
import type { VerdictCode } from './refusal.ts';
import type { SignatureVerifiers } from './signature.ts';
import type { VerifierState } from './state.ts';
import type { Environment, Trust } from './trust.ts';

/** How to judge a licence file or signed key. */
export interface VerifyOptions {
  /** From `verifyTrustBundle` or `pinPublicKeys`. */
  readonly trust: Trust;
  /** Code or id of the product the application is; `'any'` must be written out. */
  readonly product: string;
  /** Default `live`: test files are refused. */
  readonly environment?: Environment | undefined;
  /** As the user typed it; needed to open an encrypted file. */
  readonly licenseKey?: string | undefined;
  /** Tenant code to insist on; a trust bundle pins it by itself. */
  readonly tenant?: string | undefined;
  /** Issuer name to insist on. */
  readonly issuer?: string | undefined;
  /** The newest revocation list held. */
  readonly revocations?: RevocationList | undefined;
  /** What the last call returned. */
  readonly state?: VerifierState | undefined;
  /** Milliseconds since the epoch; default: the clock of this machine. */
  readonly now?: number | undefined;
  /** Set this in release builds: files of a development appliance are refused. */
  readonly refuseDev?: boolean | undefined;
  readonly verifiers?: SignatureVerifiers | undefined;
}

/** How to judge a machine file. */
export interface VerifyMachineOptions extends VerifyOptions {
  /** The fingerprint of this machine, exactly as it was activated. */
  readonly fingerprint: string;
}

/** What was not looked at, because nothing to look with was given. */
export type Unchecked = 'product' | 'root' | 'revocations';

/** The answer. `valid` decides; `code` says why, and may be other than `VALID` although valid. */
export interface Verdict {
  readonly valid: boolean;
  readonly code: VerdictCode;
  /** For a log, in English. */
  readonly message: string;
  /** What the licensor signed into the file about an invalid verdict; known as soon as the file is genuine. */
  readonly enforcement: Enforcement | undefined;
  /** Whether a development appliance issued it. */
  readonly dev: boolean;
  /** Whether the trust bundle is due for replacement. */
  readonly trustStale: boolean;
  readonly unchecked: readonly Unchecked[];
  /** The rest is known as soon as the file is genuine, also when it is not valid here. */
  readonly fileId: string | undefined;
  readonly expiresAtMs: number | undefined;
  readonly license: LicenseContent | undefined;
  readonly machine: MachineContent | undefined;
  readonly entitlements: readonly EntitlementContent[];
  readonly content: FileContent | undefined;
  /** To be stored by the host and given to the next call. */
  readonly state: VerifierState;
}

/** How to judge, with every default filled in. */
export interface Session {
  readonly trust: Trust;
  readonly product: string;
  readonly environment: Environment;
  readonly licenseKey: string | undefined;
  readonly tenant: string | undefined;
  readonly issuer: string | undefined;
  /** Only a list of the same tenant and environment. */
  readonly revocations: RevocationList | undefined;
  readonly state: VerifierState;
  readonly now: number;
  readonly refuseDev: boolean;
  readonly verifiers: SignatureVerifiers;
}

/** How far two honest clocks may be apart. */
export const CLOCK_SLACK_MS = 5 * 60 * 1000;

/** The time to judge by, in milliseconds since the epoch. @throws TypeError when `now` is not that */
export function clockOf({ now }: { readonly now?: number | undefined }): number {
  // eslint-disable-next-line no-restricted-syntax -- the library runs inside applications, which have no Clock of ours
  const clockMs = Date.now();
  const timeMs = now ?? clockMs;
  demandTime(timeMs, clockMs);
  return timeMs;
}

/** Demands a product to judge by. @throws TypeError when it was left out, as plain JavaScript can */
export function requireProduct(product: string): void {
  demandFilled(product, 'product', "its code or id, or 'any'");
}

/** What of product and root nothing was given to look at with. */
export function uncheckedOf({
  product,
  trust,
}: Pick<VerifyOptions, 'product' | 'trust'>): Exclude<Unchecked, 'revocations'>[] {
  return [...(product === 'any' ? (['product'] as const) : []), ...(trust.rooted ? [] : (['root'] as const))];
}

/** Texts that may be left out. */
const TEXTS = ['licenseKey', 'tenant', 'issuer'] as const;

/**
 * Fills in the defaults.
 * @throws TypeError for a mistake in the options, which would otherwise be blamed on the file; when the product was left out:
 *   forgetting it would accept any product
 */
export function openSession(options: VerifyOptions): Session {
  demandTrust(options);
  const { trust, product, revocations } = options;
  requireProduct(product);
  for (const name of TEXTS) demandText(options[name] ?? '', name);
  const { environment, state } = placeOf(options);
  const isList = revocations == null || typeof memberOf(revocations, 'names') === 'function';
  demandGiven(isList, 'revocations', '`list` of a revocation list answer');
  const tenant = trust.tenant ?? options.tenant;
  const fits =
    revocations?.environment === environment && revocations.tenant === (tenant ?? revocations.tenant);
  return {
    trust,
    product,
    environment,
    licenseKey: options.licenseKey ?? undefined,
    tenant: options.tenant ?? trust.tenant,
    issuer: options.issuer ?? undefined,
    revocations: fits ? revocations : undefined,
    state,
    now: clockOf(options),
    refuseDev: options.refuseDev ?? false,
    verifiers: options.verifiers ?? {},
  };
}

/** What is known without looking at what is to be judged. */
export type BlankAnswer = Pick<
  Verdict,
  'valid' | 'code' | 'message' | 'dev' | 'trustStale' | 'unchecked' | 'state'
>;

/** An answer before anything is known. */
export function blankAnswer(session: Session): BlankAnswer {
  const { trust, revocations, now, state } = session;
  const unchecked: Unchecked[] = uncheckedOf(session);
  if (revocations === undefined) unchecked.push('revocations');
  return {
    valid: false,
    code: 'MALFORMED',
    message: '',
    dev: false,
    trustStale: Math.max(now, state.newestTimeMs) > trust.nextUpdateMs,
    unchecked,
    state,
  };
}

/** A verdict before anything of the file is known. */
export function blankVerdict(session: Session): Verdict {
  return {
    ...blankAnswer(session),
    enforcement: undefined,
    fileId: undefined,
    expiresAtMs: undefined,
    license: undefined,
    machine: undefined,
    entitlements: [],
    content: undefined,
  };
}
