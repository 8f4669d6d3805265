/** What a fault code means to a caller: HTTP status, title, and what to do about it. */
export interface FaultRow {
  readonly status: number;
  readonly title: string;
  readonly remedy: string;
}

const row = (status: number, title: string, remedy: string): FaultRow => ({ status, title, remedy });

/**
 * Every code a caller can meet, once. Codes are stable: clients branch on them (RFC 9457 `code` member).
 * Statuses: 400 malformed, 401 unauthenticated, 403 scope, 404 absent or another realm's, 409 state, 412 stale,
 * 422 business rule, 429 rate, 503 not now.
 */
export const FAULTS = {
  BACKUP_INVALID: row(
    422,
    'Backup cannot be used',
    'Use another backup; `mintmark backup verify` says whether one is whole.',
  ),
  BODY_TOO_LARGE: row(413, 'Request body too large', 'Send at most 64 KB.'),
  CARD_DATA_REFUSED: row(
    422,
    'Payment card number refused',
    'Leave payment card numbers out; this system never stores them.',
  ),
  CHANGE_LIMIT_EXCEEDED: row(
    422,
    'Machines of the licence were changed as often today as its holder may',
    'Wait for the next day (UTC) as Retry-After says; with an API key the publisher changes more. Removal and heartbeats go on.',
  ),
  CLOCK_SUSPECT: row(
    503,
    'Clock is suspect',
    'Set the clock right, then run `mintmark clock set-trusted --reason …` on the appliance.',
  ),
  CLONE_SUSPECT: row(
    503,
    'Appliance may be a copy',
    'Find out whether another one runs; stop this one and run `mintmark instance accept --reason …` on the one that goes on.',
  ),
  CONFIG_INVALID: row(
    500,
    'Configuration is not valid',
    'Correct what is named; `mintmark config show` prints every setting in force.',
  ),
  CONFIRMATION_REQUIRED: row(
    422,
    'Confirm what this entails',
    'Send the sentence of the message, to the letter, as `confirm`.',
  ),
  CONFLICT: row(409, 'Conflicts with the present state', 'Read the resource again and decide anew.'),
  CURSOR_INVALID: row(400, 'Cursor is not valid for this list', 'Start again without a cursor.'),
  DATA_DIRECTORY_IN_USE: row(
    503,
    'Data directory is in use',
    'Stop the other daemon first; one process owns a data directory.',
  ),
  DATA_DIRECTORY_INVALID: row(
    500,
    'Data directory cannot be used',
    'Correct what is named, or choose another directory.',
  ),
  DATABASE_TOO_NEW: row(
    500,
    'Database is newer than this program',
    'Run the version that wrote it, or a later one.',
  ),
  DATA_KEY_EXHAUSTED: row(
    503,
    'Data key is used up',
    'Look at `mintmark status`: the realm should have been given a new data key long ago.',
  ),
  DEV_APPLIANCE: row(
    422,
    'Development appliance',
    'Begin anew with `mintmark init`; a dev appliance never becomes a real one.',
  ),
  DISK_FULL: row(503, 'Disk is full', 'Free space on the appliance; writes resume by themselves.'),
  ENTITLEMENTS_MISSING: row(
    422,
    'Entitlements are missing',
    'Attach the entitlements to the licence or its policy.',
  ),
  EXPIRED: row(422, 'Licence has expired', 'Renew the licence.'),
  FILE_EXISTS: row(409, 'Nothing is written over', 'Name a file or directory that does not exist yet.'),
  FILE_LIMIT_EXCEEDED: row(
    422,
    'Licence has had as many files today as its holder may have',
    'Use a file there is, or wait for the next day (UTC) as Retry-After says; with an API key the publisher issues more.',
  ),
  FILE_TOO_LARGE: row(
    422,
    'Licence file would be too large',
    'Shorten metadata, or leave out included resources.',
  ),
  FINGERPRINT_LIMIT_EXCEEDED: row(
    422,
    'Licence has had as many machines as it may',
    'Use one of the machines it has had before, or raise maxUniqueFingerprints.',
  ),
  FINGERPRINT_NOT_FOUND: row(422, 'Machine is not activated', 'Activate the machine first.'),
  FINGERPRINT_REQUIRED: row(422, 'Fingerprint required', 'Send the fingerprint of the machine.'),
  FINGERPRINT_TAKEN: row(
    422,
    'Machine is activated elsewhere',
    'Deactivate it where it is activated first; the policy allows one machine once.',
  ),
  HAS_DEPENDENTS: row(409, 'Still in use', 'Delete what depends on it first.'),
  HEARTBEAT_REQUIRED: row(422, 'Heartbeat required', 'Send a heartbeat for the machine first.'),
  HEADERS_TOO_LARGE: row(431, 'Request headers too large', 'Send at most 8 KB of headers.'),
  IDEMPOTENCY_KEY_REUSED: row(
    422,
    'Idempotency key was used for another request',
    'Use a new key for a new request.',
  ),
  IDEMPOTENCY_IN_PROGRESS: row(
    409,
    'The same request is still running',
    'Wait for it, then send it again with the same key.',
  ),
  INDEX_BUILDING: row(
    409,
    'Index is being built',
    'Try again when metadataIndexing of the product no longer names the key, or leave the filter out.',
  ),
  IDEMPOTENCY_LIMIT: row(
    429,
    'Too many answers are kept for repeated requests',
    'Send what may be done twice without Idempotency-Key, or wait: answers are kept for 24 hours.',
  ),
  INSUFFICIENT_SCOPE: row(403, 'Not allowed', 'Use a credential that has the named scope.'),
  INTERNAL: row(
    500,
    'Internal error',
    'Try again; if it persists, look at the log entry with this request id.',
  ),
  ISSUE_LIMIT: row(
    422,
    'Issue limit of the API key is reached',
    'Wait for the next day (UTC), or have an operator raise the limit of the key.',
  ),
  KEY_NOT_COPIED: row(
    409,
    'The second token does not hold a copy of a key that is in a token, and nobody said that it may sign without one.',
    'Copy it with the tool of the vendor and run `mintmark hsm copies`, or make the appliance with --no-backup (docs/custody.md).',
  ),
  KEY_STORAGE: row(
    500,
    'Key storage cannot be opened',
    'Use another slot, or restore the named file from a backup.',
  ),
  LEDGER_INVALID: row(
    422,
    'Ledger data cannot be read',
    'Keep the damaged copy as evidence and take a fresh export, or restore what is named from a backup.',
  ),
  MACHINE_KEY_MISMATCH: row(
    409,
    'Machine is registered with another key',
    'Prove the old key, or have an operator rekey the machine.',
  ),
  MACHINE_LIMIT_EXCEEDED: row(422, 'No seat is free', 'Deactivate a machine, or raise the limit.'),
  MACHINE_SIGNATURE_REQUIRED: row(
    403,
    'Signature of the machine required',
    'Sign the request with the key of the machine, over a fresh nonce from its challenge route.',
  ),
  MALFORMED: row(400, 'Request is malformed', 'Correct what is named and send it again.'),
  METHOD_NOT_ALLOWED: row(405, 'Method not allowed', 'Use one of the methods in the Allow header.'),
  NOT_FOUND: row(
    404,
    'Not found',
    'Check the id, and that the credential belongs to the same tenant and environment.',
  ),
  NOT_READY: row(503, 'Not ready', 'Look at `mintmark status` on the appliance.'),
  NOT_YET_SUPPORTED: row(422, 'Not supported by this version', 'Leave the named field at its default.'),
  OFFLINE_NOT_ALLOWED: row(422, 'Offline use is not allowed', 'Allow it in the policy.'),
  OPERATOR_ONLY: row(
    403,
    'For the operator of the appliance only',
    'Run it on the appliance, over the operator socket; no API key can be given this right.',
  ),
  OVERLOADED: row(503, 'Too busy', 'Try again shortly.'),
  PRECONDITION_FAILED: row(412, 'The resource has changed', 'Read it again and send the new ETag.'),
  RATE_LIMITED: row(429, 'Too many requests', 'Wait as Retry-After says.'),
  REALM_MISMATCH: row(
    422,
    'Credential belongs to another realm',
    'Leave tenant and environment out, or use a credential of the realm you mean.',
  ),
  REALM_REQUIRED: row(
    422,
    'Realm is ambiguous',
    'Send a publishable key to name the tenant and environment.',
  ),
  REQUEST_TIMEOUT: row(408, 'Request took too long to arrive', 'Send it again, without pauses.'),
  ROLLED_BACK: row(
    503,
    'Appliance was rolled back',
    'Put the newest database back; or stop the appliance, and take this one with `mintmark restore accept --reason …`.',
  ),
  ROWS_DIFFER: row(
    500,
    'Rows are not what the ledger says',
    'Run `mintmark doctor --deep`. Restore a backup, or take a row as it stands with `mintmark doctor accept`.',
  ),
  SEALED: row(503, 'Appliance is sealed', 'Unseal it on the appliance: `mintmark unseal`.'),
  SIGNED_KEY_NOT_ALLOWED: row(
    422,
    'A signed key cannot demand a revocation list',
    'Check out a file or a token, or clear revocationMaxAgeDays in the policy.',
  ),
  SIGNER_BUSY: row(503, 'Signer is busy', 'Try again shortly.'),
  SIGNER_REFUSED: row(
    500,
    'Signer refuses',
    'Look at `mintmark status` and at the key on its token: it may not sign, or not this.',
  ),
  SIGNER_UNAVAILABLE: row(503, 'Signer is unavailable', 'Try again later; reads and validation go on.'),
  SLOT_SECRET_WRONG: row(
    422,
    'Secret does not open the slot',
    'Look for a typing mistake, name the right file, or open another slot.',
  ),
  SUSPENDED: row(422, 'Licence is suspended', 'Reinstate the licence.'),
  REVOCATION_LIST_TOO_LONG: row(
    503,
    'More is revoked than one list can name',
    'Issue files of shorter life (policy `offlineMaxDays`): what has expired leaves the list.',
  ),
  REVOKED: row(422, 'Licence is revoked', 'Issue a new licence.'),
  TENANT_SUSPENDED: row(
    403,
    'Tenant is suspended',
    'Ask whoever issued the licence; machines that are active go on.',
  ),
  TENANT_LIMIT: row(
    422,
    'Limit of the tenant reached',
    'Delete what is no longer used, or have an operator raise the limit of the tenant.',
  ),
  BANNED: row(422, 'Licence is banned', 'Issue a new licence.'),
  UNAUTHENTICATED: row(401, 'Credentials are missing or not valid', 'Send a valid API key or licence key.'),
  UNSUPPORTED_MEDIA_TYPE: row(415, 'Media type not supported', 'Send application/json.'),
  URI_TOO_LONG: row(414, 'Target is too long', 'Shorten the query.'),
  USES_EXCEEDED: row(422, 'Uses are exhausted', 'Raise the limit of the licence.'),
  VALIDATION_FAILED: row(422, 'Request is not valid', 'Correct what is named and send it again.'),
  WEAK_KEY: row(
    422,
    'Licence key is too weak to encrypt a file',
    'Issue a new key, or ask for an unencrypted file.',
  ),
} as const satisfies Record<string, FaultRow>;

/** A stable fault code. */
export type FaultCode = keyof typeof FAULTS;

/** One thing wrong in a request; `path` is a JSON path such as `metadata.color`, empty for the whole. */
export interface FieldError {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

/** What a fault may carry beside its code and message. */
export interface FaultDetails {
  readonly cause?: unknown;
  readonly errors?: readonly FieldError[];
  /** When to come back, in milliseconds; becomes `Retry-After`. */
  readonly retryAfterMs?: number;
}

/**
 * What goes wrong for a reason a caller can act on. The message is lower case, says what was wrong with what, and is
 * shown to the caller: never a secret in it.
 */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;
  readonly errors: readonly FieldError[];
  readonly retryAfterMs: number | undefined;

  constructor(code: FaultCode, message: string, details: FaultDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.errors = details.errors ?? [];
    this.retryAfterMs = details.retryAfterMs;
  }
}
