/** What is known of one event. */
export interface EventRow {
  /** What happened, in one line. */
  readonly about: string;
  /** What the member `data` holds. */
  readonly data: string;
  /** Whether this version announces it; the others are names that later features will use. */
  readonly emitted: boolean;
}

const emitted = (about: string, data: string): EventRow => ({ about, data, emitted: true });
const later = (about: string, data: string): EventRow => ({ about, data, emitted: false });

const LICENSE =
  'the licence as the API shows it, without `name` and `metadata`; key, e-mail address and user name masked';
const MACHINE =
  '`id`, `licenseId`, `fingerprintDigest`, `platform`, `status`, `createdAt`: no value of the device';
const KEY =
  '`id`, `kind`, `environment`, `name`, `masked`, `scopes`, `tier`, `createdBy`, `expiresAt`, `revokedAt`, `rotatedAt`';
const SIGNING_KEY = '`kid`, `purpose`, `algorithm`, `status`';
const PASS = '`id`, `templateId`, `status`';

/**
 * Every event there is, once. A subscription or filter with another name is refused with this list; the documents and
 * the OpenAPI document are written from it. Names never change their meaning.
 */
export const EVENTS = {
  'license.created': emitted('A licence was created.', LICENSE),
  'license.batch_created': emitted(
    'Licences were created in one batch; stands for `license.created` of each. A large batch is told in parts.',
    '`batch`: its id, `part` of `parts`, `count` of the whole batch, `licenseIds` of this part',
  ),
  'license.updated': emitted('Fields of a licence changed, or it moved to another policy.', LICENSE),
  'license.suspended': emitted('A licence was suspended; it is invalid until it is reinstated.', LICENSE),
  'license.reinstated': emitted('A suspended licence is active again.', LICENSE),
  'license.renewed': emitted('The expiry of a licence was moved.', LICENSE),
  'license.revoked': emitted('A licence was revoked, for good.', LICENSE),
  'license.banned': emitted('A licence was banned, for good.', LICENSE),
  'license.expired': emitted('A licence reached its expiry; told once.', LICENSE),
  'license.deleted': emitted('A licence was deleted, and its machines with it.', LICENSE),
  'license.restored': emitted('A deleted licence came back, and its machines with it.', LICENSE),
  'license.limit_reached': emitted(
    'A limit of a licence was reached: an activation was refused (repeated refusals are told together), took the first seat beyond `maxMachines` where the policy allows overage, or its holder had all the files he may have on a day, or changed its machines as often as he may (told once a day each).',
    '`id` of the licence, `limit` (`machines`: `maxMachines` and `seats` taken; `fingerprints`: `maxUniqueFingerprints` and `fingerprints` of its life; `files`, `changes`: `perDay`), `refusals` since the last event (0: none, a seat beyond the limit was given)',
  ),
  'tenant.limit_reached': emitted(
    'The files that the tenant may issue on a day in this environment are used up, or what is left is kept for the publisher and for licences that had few (told once a day).',
    '`id` of the tenant, `limit`: `files`, `perDay`',
  ),
  'license.expiring_soon': emitted(
    'A licence will expire: told 30, 14, 7 and 1 days before, each once in a term.',
    `${LICENSE}; \`withinDays\`: which of them`,
  ),
  'license.file_issued': emitted(
    'A licence file, a machine file, a token or a signed key was signed and given out.',
    '`id` of the file, `kind`, `licenseId`, `machineId`, `kid`, `issuedAt`, `expiresAt`, and the `bound` that gave it',
  ),
  'license.activated': emitted('The first machine of a licence was activated.', LICENSE),
  'machine.activated': emitted('A machine took a seat of a licence.', MACHINE),
  'machine.deactivated': emitted(
    'A machine gave up its seat.',
    `${MACHINE}; \`reason\`, and \`freesAt\`: when another machine can have the seat`,
  ),
  'machine.heartbeat': emitted(
    'A machine that was taken for dead sent a heartbeat and is alive again.',
    MACHINE,
  ),
  'machine.dead': emitted(
    'The heartbeat of a machine stayed away for longer than its policy allows.',
    MACHINE,
  ),
  'machine.clone_suspected': later('One file was renewed twice: two machines may share it.', MACHINE),
  'validation.success': later('A validation found a licence valid.', '`licenseId`, `machineId`, `code`'),
  'validation.failed': later('A validation found a licence not valid.', '`licenseId`, `machineId`, `code`'),
  'key.created': emitted('An API key was created.', KEY),
  'key.updated': emitted('What an API key may do was changed.', KEY),
  'key.rotated': emitted('An API key got a successor; the old one ends with the overlap.', KEY),
  'key.revoked': emitted('An API key was revoked.', KEY),
  'key.expiring_soon': emitted(
    'An API key will expire, or become older than `apiKeys.maxAgeDays`: told 30, 14, 7 and 1 days before, each once.',
    `${KEY}; \`withinDays\`: which of them, \`endsAt\`, \`because\`: \`expiry\` or \`age\``,
  ),
  'key.rotation_due': emitted(
    'The secret of an API key is 90 days old (`apiKeys.rotationReminderDays`), and again each time after as long.',
    KEY,
  ),
  'key.issue_limit_near': emitted(
    'An API key has issued 80 % of what it may; told once a day for the limit of a day, once for the limit in all.',
    `${KEY}; \`limit\`: \`day\` or \`total\`, \`issued\` of \`allowed\``,
  ),
  'signing_key.created': emitted('A signing key was made, and is published; it signs later.', SIGNING_KEY),
  'signing_key.activated': emitted('A signing key signs from now on.', SIGNING_KEY),
  'signing_key.retired': emitted('A signing key signs no more; what it signed stays valid.', SIGNING_KEY),
  'signing_key.compromised': emitted(
    'A signing key was declared compromised: what it signed counts only where the revocation list affirms it.',
    SIGNING_KEY,
  ),
  'signing_key.rotation_due': emitted(
    'A licence key has signed for `signingKeys.reminderDays`, and again each time after as long. It is never rotated by itself.',
    SIGNING_KEY,
  ),
  'exchange.imported': later(
    'A bundle from the other side of an air gap was taken in.',
    '`id`, `kind`, `digest`',
  ),
  'exchange.exported': later(
    'A bundle for the other side of an air gap was written.',
    '`id`, `kind`, `digest`',
  ),
  'exchange.grant_low': later('The budget of a site grant is nearly used up.', '`grantId`, `left`'),
  'exchange.grant_exhausted': later('The budget of a site grant is used up.', '`grantId`'),
  'pass.issued': later('A wallet pass was issued.', PASS),
  'pass.updated': later('A wallet pass changed.', PASS),
  'pass.redeemed': later('A wallet pass was redeemed.', PASS),
  'pass.voided': later('A wallet pass was made void.', PASS),
  'certificate.expiring_soon': later('A certificate will expire within days.', '`subject`, `expiresAt`'),
  'consumer.refresh_reused': later(
    'A refresh token was used a second time: somebody copied it, and the session was ended.',
    '`consumerId`, `sessionId`',
  ),
  'security.anomaly': later('Something happened that does not happen in normal use.', '`kind`, `count`'),
  'security.lockout': later('Sign-in was locked after failures.', '`kind`, `until`'),
  'system.backup_done': later('A backup was made and verified.', '`id`, `bytes`'),
  'system.backup_failed': later('A backup could not be made or verified.', '`reason`'),
  'system.clock_suspect': later(
    'The clock cannot be trusted; nothing is signed until it is set right.',
    '`reason`',
  ),
  'system.signer_unavailable': emitted(
    'The token that holds the licence key does not sign; told once each time it goes away.',
    '`kid`',
  ),
  'system.disk_low': later('Space on the disk is short.', '`freeBytes`'),
  'system.sweep_held': emitted(
    'A sweep would have ended too many machines or licences at once and waits for an operator.',
    '`job`, `dead`: how many it would end, `living`: of how many',
  ),
  'system.ledger_checkpoint': later('The head of the ledger was signed.', '`size`, `root`'),
  'endpoint.disabled': later(
    'Deliveries to an endpoint are held after days of failure.',
    '`endpointId`, `since`',
  ),
  'endpoint.recovered': later('An endpoint takes deliveries again.', '`endpointId`'),
} as const satisfies Readonly<Record<string, EventRow>>;

/** The name of an event. */
export type EventType = keyof typeof EVENTS;

/** Every event's name. */
// Object.keys is typed for objects that may have more members than their type says; this one is a constant.
export const EVENT_TYPES = Object.keys(EVENTS) as readonly EventType[];

/** What stands for every event. */
const ALL = '*';
/** What stands for every event of a group, after its name: `license.*`. */
const OF_GROUP = '.*';

/** Names that stand for several events: `*`, and one for each group, `license.*`. */
export const EVENT_WILDCARDS: readonly string[] = [
  ALL,
  ...new Set(EVENT_TYPES.map((type) => `${groupOf(type)}${OF_GROUP}`)),
];

/** The events that a name or wildcard of the catalogue stands for; none when it is not in the catalogue. */
export function eventsNamed(name: string): readonly EventType[] {
  if (name === ALL) return EVENT_TYPES;
  return EVENT_TYPES.filter((type) => type === name || `${groupOf(type)}${OF_GROUP}` === name);
}

function groupOf(type: EventType): string {
  return type.slice(0, type.indexOf('.'));
}
