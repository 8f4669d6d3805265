import { isoTime, SECOND, type EpochMs } from '../lib/clock.ts';

/** Which half of a tenant a file belongs to. */
export type Environment = 'live' | 'test';

/** What the application is advised to do with a verdict that is not valid (policy `enforcement`). */
export type Enforcement = 'BLOCK' | 'DEGRADE' | 'LOG_ONLY';

/** Where the ledger stood when the file was issued: how a rolled-back appliance is found out. */
export interface LedgerAnchor {
  /** Number of entries. */
  readonly size: number;
  /** Tree head (RFC 6962); its first 16 bytes go into the file. */
  readonly root: Buffer;
}

/** What is said about a file itself rather than about the licence in it. */
export interface FileMeta {
  readonly issuedAt: EpochMs;
  /** Always finite: stock readers cannot take null. */
  readonly expiresAt: EpochMs;
  /** File id, `file_…`; revocation lists name files by it. */
  readonly jti: string;
  /** 64 random bits as 16 hexadecimal digits, new at init, restore and accepted move. */
  readonly branch: string;
  /** Counts up per branch; gaps are normal. */
  readonly seq: number;
  readonly anchor: LedgerAnchor;
  /** Number of the newest revocation list known at issue; 0 before the first. */
  readonly epoch: number;
  readonly tenantCode: string;
  readonly environment: Environment;
  /** Issuer name, e.g. `Mintmark`; `MINTMARK DEV` on a dev appliance. */
  readonly issuer: string;
  readonly productCode: string;
  /** Days after which a revocation list is too old for this file; null when none is demanded. */
  readonly crlMaxAgeDays: number | null;
  readonly enforcement: Enforcement;
  /** Days of grace in the policy. They are contained in `expiresAt` already; a reader is only told. */
  readonly graceDays: number;
  /** Whether a dev appliance issued it: release builds of an application refuse such files. */
  readonly dev: boolean;
}

/** Bytes of a ledger root that a file carries: enough to tell two histories apart. */
const ANCHOR_ROOT_BYTES = 16;

const META_VERSION = 1;

/**
 * The `meta` member in its fixed order: first the three members every reader of this format knows, then our signed
 * extensions. `binding` is present in machine files alone; `dev` is present only when true.
 */
export function encodeFileMeta(meta: FileMeta, kid: string, binding?: { readonly mode: 'exact' }): object {
  return {
    issued: isoTime(meta.issuedAt),
    expiry: isoTime(meta.expiresAt),
    ttl: Math.floor((meta.expiresAt - meta.issuedAt) / SECOND),
    v: META_VERSION,
    kid,
    jti: meta.jti,
    branch: meta.branch,
    seq: meta.seq,
    anchor: encodeAnchor(meta.anchor),
    epoch: meta.epoch,
    tenant: meta.tenantCode,
    env: meta.environment,
    iss: meta.issuer,
    product: meta.productCode,
    ...(meta.crlMaxAgeDays === null ? {} : { crlMaxAgeDays: meta.crlMaxAgeDays }),
    enforcement: meta.enforcement,
    grace: meta.graceDays,
    ...(binding === undefined ? {} : { binding }),
    ...(meta.dev ? { dev: true } : {}),
  };
}

function encodeAnchor(anchor: LedgerAnchor): object {
  return { size: anchor.size, root: anchor.root.subarray(0, ANCHOR_ROOT_BYTES).toString('base64url') };
}
