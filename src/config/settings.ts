import { isIP } from 'node:net';
import { z } from 'zod';

/** One setting: what it accepts, what it is when nobody says otherwise, and why one would change it. */
export interface Setting<T extends z.ZodType = z.ZodType> {
  readonly accepts: T;
  readonly default: z.output<T>;
  readonly reason: string;
}

function setting<T extends z.ZodType>(accepts: T, byDefault: z.output<T>, reason: string): Setting<T> {
  return { accepts, default: byDefault, reason };
}

const port = z.int().min(0).max(65_535);
const path = z.string().min(1).max(4096);
const optionalPath = path.nullable();
const host = z.string().min(1).max(255);
const cidr = z.string().refine(isCidr, 'must be an address range such as 10.20.0.0/16');
const proxy = z.string().refine((text) => isIP(text) !== 0 || isCidr(text), 'must be an address or a range');

function isCidr(text: string): boolean {
  const [address, bits, ...rest] = text.split('/');
  if (address === undefined || bits === undefined || rest.length > 0 || !/^\d{1,3}$/.test(bits)) return false;
  const version = isIP(address);
  return version !== 0 && Number(bits) <= (version === 4 ? 32 : 128);
}

/** What a tier may ask for in a minute: see docs/http.md, Limits. `burst`: management in a second. */
const FREE = { validate: 30, heartbeat: 30, activate: 5, activateRealm: 60, management: 60, burst: 10 };
const STANDARD = {
  validate: 60,
  heartbeat: 60,
  activate: 10,
  activateRealm: 600,
  management: 120,
  burst: 40,
};
const PREMIUM = {
  validate: 120,
  heartbeat: 120,
  activate: 20,
  activateRealm: 6000,
  management: 1200,
  burst: 200,
};

/** A tier's numbers; those that are left out keep their default. */
function tierOf(byDefault: typeof STANDARD) {
  const count = (otherwise: number) => z.int().min(1).max(1_000_000).default(otherwise);
  return z.strictObject({
    validate: count(byDefault.validate),
    heartbeat: count(byDefault.heartbeat),
    activate: count(byDefault.activate),
    activateRealm: count(byDefault.activateRealm),
    management: count(byDefault.management),
    burst: count(byDefault.burst),
  });
}

/** Every setting there is, by section. The example file, the documentation and the checks are made from this table. */
export const SETTINGS = {
  data: {
    directory: setting(
      path,
      './var/mintmark',
      'Database, sealed keys and slots. Must be on a local disk that honours fsync; the package sets /var/lib/mintmark.',
    ),
    ballastMiB: setting(
      z.int().min(0).max(4096),
      64,
      'Space kept aside and freed when the disk is full, because deleting rows needs space too.',
    ),
    reserveMiB: setting(
      z.int().min(0).max(65_536),
      128,
      'Below this much free space writes stop, so that there is room left to shut down and clean up.',
    ),
  },
  http: {
    host: setting(
      host,
      '127.0.0.1',
      'Address of the API. Anything but loopback needs allowPlain, because this version has no TLS of its own.',
    ),
    port: setting(port, 7420, 'Port of the API; 0 lets the system choose (the log says which).'),
    socket: setting(
      optionalPath,
      null,
      'Also serve the API on this Unix socket, for a reverse proxy on the same host.',
    ),
    unseal: setting(
      z.boolean(),
      false,
      'Let a sealed appliance be unsealed over HTTP too, one attempt at a time; the local socket always can.',
    ),
    allowPlain: setting(
      z.array(cidr).max(16),
      [],
      'Networks that may be served without TLS, by range. Each start warns while this is not empty.',
    ),
    trustedProxies: setting(
      z.array(proxy).max(16),
      [],
      'Proxies whose Forwarded headers name the client. Everybody else could write what he likes in them.',
    ),
    maxConnections: setting(
      z.int().min(8).max(65_536),
      512,
      'Connections at a time; more are refused, not queued.',
    ),
    maxConnectionsPerAddress: setting(
      z.int().min(1).max(65_536),
      128,
      'Connections at a time from one address, so that one client cannot take them all.',
    ),
  },
  apiKeys: {
    rotationReminderDays: setting(
      z.int().min(1).max(3650),
      90,
      'Age of a secret at which an event asks for another one, and how long until it asks again.',
    ),
    maxAgeDays: setting(
      z.int().min(1).max(3650).nullable(),
      null,
      'Age at which a secret is no longer accepted; announced 30, 14, 7 and 1 days before. Null: none, keys live until they expire.',
    ),
  },
  limits: {
    free: setting(tierOf(FREE), FREE, 'Requests of the tier free; docs/http.md says what each number is.'),
    standard: setting(
      tierOf(STANDARD),
      STANDARD,
      'Requests of the tier standard, which tenants and keys have when nobody says otherwise.',
    ),
    premium: setting(
      tierOf(PREMIUM),
      PREMIUM,
      'Requests of the tier premium; the tier unlimited has no limits.',
    ),
    keptAnswers: setting(
      z.int().min(100).max(100_000_000),
      50_000,
      'Answers kept 24 hours for repeated requests (Idempotency-Key) of one API key; of a realm ten times as many.',
    ),
    keptAnswersMiB: setting(
      z.int().min(1).max(1_048_576),
      64,
      'Space for those answers of one API key; of a realm ten times as much.',
    ),
    overloadDelayMs: setting(
      z.int().min(50).max(60_000),
      1000,
      'How late timers may come before management is turned away; validation at twice, heartbeats at four times that.',
    ),
  },
  metrics: {
    host: setting(
      host,
      '127.0.0.1',
      'Address of GET /metrics (Prometheus); keep it on loopback or a management network.',
    ),
    port: setting(port, 7421, 'Port of GET /metrics; 0 lets the system choose (the log says which).'),
    enabled: setting(z.boolean(), true, 'Whether GET /metrics is served at all.'),
  },
  operator: {
    socketMode: setting(
      z.enum(['0600', '0660']),
      '0600',
      'Who may open run/operator.sock. Whoever can open it is the local administrator; 0660 adds the service group.',
    ),
  },
  custody: {
    credential: setting(
      optionalPath,
      './var/credentials/kek',
      'File with the credential that opens the key-encryption key at start, outside the data directory and every backup; the package sets /etc/mintmark/credentials/kek.',
    ),
    custodian: setting(
      z.enum(['file', 'pkcs11']),
      'file',
      'What new signing keys are made in: sealed files, or the token of [pkcs11]. Keys there are stay where they are.',
    ),
    inFiles: setting(
      z.array(z.enum(['root', 'revocation', 'license', 'response', 'token', 'ledger'])).max(6),
      [],
      'Purposes whose new keys are made in sealed files although custodian is pkcs11, such as response, which signs most.',
    ),
  },
  signingKeys: {
    leadDays: setting(
      z.int().min(0).max(3650),
      90,
      'How long a new key is in the trust bundle before it signs: as long as the slowest verifier takes to get a bundle.',
    ),
    reminderDays: setting(
      z.int().min(1).max(3650),
      365,
      'Age of a licence key at which status and an event ask for another one, and how long until they ask again. It is never rotated by itself.',
    ),
    rotateDays: setting(
      z.int().min(30).max(3650).nullable(),
      null,
      'Age at which response, token and revocation keys get a successor by themselves. Null: never.',
    ),
  },
  pkcs11: {
    module: setting(
      optionalPath,
      null,
      'Module of the vendor of an HSM, loaded by the signer agent and by nothing else. Setting it allows that file to be run.',
    ),
    parameters: setting(
      z.string().min(1).max(2048).nullable(),
      null,
      "What the module is initialised with, as NSS wants it: configdir='sql:/…' and so on (docs/hsm/nss.md). Most want nothing.",
    ),
    token: setting(
      z.string().min(1).max(2048).nullable(),
      null,
      'Token in it: a PKCS#11 URI (RFC 7512) such as pkcs11:token=…;serial=…, or its label. It must fit one token alone.',
    ),
    pinSource: setting(
      optionalPath,
      null,
      'File with the PIN of the token, readable by the service alone; a wrong one is tried once and then never again.',
    ),
    copyToken: setting(
      z.string().min(1).max(2048).nullable(),
      null,
      'A second token, with copies of the keys that its vendor’s tool made: a PKCS#11 URI with its serial, of the same module.',
    ),
    copyPinSource: setting(optionalPath, null, 'File with the PIN of the second token.'),
    environment: setting(
      z.array(z.string().max(4096)).max(16),
      [],
      'Variables for the module, NAME=value. It sees no others.',
    ),
  },
  issuing: {
    issuer: setting(
      z.string().min(1).max(100),
      'Mintmark',
      'Name of the issuer as it stands in every licence file.',
    ),
  },
  ledger: {
    checkpointSeconds: setting(
      z.int().min(1).max(3600),
      60,
      'Longest time between signed checkpoints: what a writer to the disk could still rewrite unnoticed.',
    ),
    checkpointEntries: setting(
      z.int().min(1).max(100_000),
      1000,
      'Entries after which a checkpoint is signed earlier.',
    ),
    anchors: setting(
      z.array(z.string().max(4096).startsWith('/', 'must be an absolute path')).max(8),
      [],
      'Further files that the newest signed head is written to: on a stick, on another machine. A database that was put back is noticed by them.',
    ),
  },
  clock: {
    maxDowntimeDays: setting(
      z.int().min(1).max(3650),
      30,
      'A clock that is further ahead than this at start is suspect; raise it for an appliance that rests for months.',
    ),
    settleHours: setting(
      z.int().min(0).max(720),
      24,
      'Nothing irreversible is done by time until the clock has given no cause for suspicion for this long.',
    ),
  },
  retention: {
    deletedDays: setting(
      z.int().min(1).max(3650),
      30,
      'How long something deleted can be restored; after that it is gone for good, and nothing brings it back.',
    ),
    eventDays: setting(
      z.int().min(1).max(3650),
      30,
      'How long events can be read. A reader that stays away longer misses some.',
    ),
    usageDays: setting(z.int().min(1).max(3650), 90, 'How long the usage log says who asked for what.'),
    usageRows: setting(
      z.int().min(1000).max(1_000_000_000),
      10_000_000,
      'Rows of the usage log of one realm; beyond them the oldest go earlier. A million rows take about 200 MB.',
    ),
  },
  backup: {
    directory: setting(
      path,
      './var/backups',
      'Where `mintmark backup create` writes when it is not told otherwise.',
    ),
    warnAfterDays: setting(
      z.int().min(1).max(365),
      7,
      'Age of the last good backup at which `mintmark status` warns.',
    ),
  },
  log: {
    level: setting(
      z.enum(['debug', 'info', 'warn', 'error']),
      'info',
      'Least severe level written to standard output, one JSON object a line.',
    ),
  },
} as const satisfies Record<string, Record<string, Setting>>;

type Sections = typeof SETTINGS;

/** The configuration in force: every setting has a value. */
export type Config = {
  readonly [S in keyof Sections]: {
    readonly [K in keyof Sections[S]]: Sections[S][K] extends Setting<infer T> ? z.output<T> : never;
  };
};

/** One setting with its place: `http.port` and the environment variable that overrides it. */
export interface SettingRow {
  readonly section: string;
  readonly key: string;
  /** `section.key`. */
  readonly name: string;
  /** `MINTMARK_SECTION_KEY`. */
  readonly variable: string;
  readonly setting: Setting;
}

/** All settings in the order of the table. */
export const SETTING_ROWS: readonly SettingRow[] = Object.entries(SETTINGS).flatMap(([section, keys]) =>
  Object.entries(keys).map(([key, row]: [string, Setting]) => ({
    section,
    key,
    name: `${section}.${key}`,
    variable: `MINTMARK_${section.toUpperCase()}_${snake(key)}`,
    setting: row,
  })),
);

/** Whether a setting names a file or directory. */
export function isPath({ setting: { accepts } }: SettingRow): boolean {
  return accepts === path || accepts === optionalPath;
}

function snake(key: string): string {
  return key
    .replace(/MiB$/, 'Mib')
    .replace(/[A-Z]/g, (letter) => `_${letter}`)
    .toUpperCase();
}
