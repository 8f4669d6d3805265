import type { Command } from 'commander';
import type { JsonObject } from '../verify/index.ts';
import { addDataKeys } from './data-keys.ts';
import { CliError, EXIT } from './exit-code.ts';
import { addKeyLife, addStandby } from './key-life.ts';
import { column, type WithClient } from './resource.ts';
import { writeNewFile } from './secret-file.ts';
import { globalFlags } from './settings.ts';
import { addSlotCommands } from './slot.ts';
import { type Output, table } from './terminal.ts';

interface SigningKeyView {
  readonly kid: string;
  readonly purpose: string;
  readonly environment: string | null;
  readonly tenantId: string | null;
  /** Code of the tenant; null: the appliance's own. */
  readonly tenant: string | null;
  readonly state: string;
  readonly publicKey: string;
  readonly jwk: JsonObject;
}

interface Fetched {
  readonly keys: readonly SigningKeyView[];
  readonly out: Output;
}

/** Runs `body` with every signing key of the appliance. */
type WithKeys = (command: Command, body: (fetched: Fetched) => void | Promise<void>) => Promise<void>;

/** Everybody may check what was signed. */
const PUBLIC = 0o644;

const COLUMNS = [
  column('KID', 'kid'),
  column('PURPOSE', 'purpose'),
  column('TENANT', 'tenant'),
  column('ENVIRONMENT', 'environment'),
  column('ALGORITHM', 'algorithm'),
  column('STATE', 'state'),
  column('CUSTODIAN', 'custodian'),
  column('COPY', 'copy'),
];

/** Adds `keys list|export-public`, `keys slot …` and `trust export|fingerprint`. */
export function addKeys(program: Command, withClient: WithClient): void {
  const withKeys: WithKeys = (command, body) =>
    withClient(command, async ({ client, out }) => {
      const data = await client.data({ method: 'GET', path: '/system/signing-keys' });
      await body({ keys: data as SigningKeyView[], out }); // the route's answer
    });
  const keys = program.command('keys').description('signing keys, and what opens them');
  const list = keys.command('list').description('every signing key and its state');
  list.action(() =>
    withKeys(list, ({ keys: rows, out }) => {
      out.result({ data: rows }, () =>
        table(
          COLUMNS,
          rows.map((row) => ({ ...row })),
        ),
      );
    }),
  );
  addExportPublic(keys, withKeys);
  addKeyLife(keys, withClient);
  addSlotCommands(keys, withClient);
  addDataKeys(keys, withClient);
  addTrust(program, { withClient, withKeys });
}

function addExportPublic(keys: Command, withKeys: WithKeys): void {
  const command = keys
    .command('export-public')
    .description('print a public key')
    .argument('<kid>', 'name of the key: `mintmark keys list` shows it')
    .option('--format <format>', 'hex (raw key), pem or jwk', 'hex');
  command.action((kid: string, { format }: { format: string }) =>
    withKeys(command, ({ keys: rows, out }) => {
      const key = rows.find((row) => row.kid === kid);
      if (key === undefined)
        throw new CliError(EXIT.refused, `there is no signing key ${kid}`, 'See `mintmark keys list`.');
      out.result({ data: key }, () => publicText(key, format));
    }),
  );
}

function publicText(key: SigningKeyView, format: string): string {
  if (format === 'jwk') return JSON.stringify(key.jwk);
  if (format === 'pem') {
    const lines = key.publicKey.match(/.{1,64}/g) ?? [];
    return ['-----BEGIN PUBLIC KEY-----', ...lines, '-----END PUBLIC KEY-----'].join('\n');
  }
  if (format !== 'hex') throw new CliError(EXIT.usage, '--format is hex, pem or jwk');
  const { x, y } = key.jwk as { x: string; y?: string }; // RFC 8037, RFC 7518 section 6.2
  const hex = (part: string): string => Buffer.from(part, 'base64url').toString('hex');
  return y === undefined ? hex(x) : `04${hex(x)}${hex(y)}`;
}

function addTrust(
  program: Command,
  given: {
    readonly withClient: WithClient;
    readonly withKeys: WithKeys;
  },
): void {
  const trust = program.command('trust').description('what applications pin and check files with');
  const exporting = trust
    .command('export')
    .description('print the trust bundle of the tenant')
    .option('--out <file>', 'write it to this new file');
  exporting.action(({ out: file }: { out?: string }) =>
    given.withClient(exporting, async ({ client, out }) => {
      const { tenant } = globalFlags(exporting);
      const path =
        tenant === undefined ? '/trust-bundle' : `/tenants/${encodeURIComponent(tenant)}/trust-bundle`;
      const { body } = await client.send({ method: 'GET', path });
      const text = Buffer.isBuffer(body) ? body.toString('utf8') : JSON.stringify(body);
      if (file === undefined) out.result({ data: text }, () => text);
      else {
        writeNewFile(file, `${text}\n`, PUBLIC);
        out.result({ data: { file } }, () => `written to ${file}`);
      }
    }),
  );
  addFingerprint(trust, given.withKeys);
  addStandby(trust, given.withClient);
}

const ROOT_COLUMNS = [
  column('TENANT', 'tenant'),
  column('STATE', 'state'),
  column('FINGERPRINT', 'fingerprint'),
];

/** Whoever pins a neighbour's root takes his files for his own: without --tenant every root is shown with its tenant. */
function addFingerprint(trust: Command, withKeys: WithKeys): void {
  const command = trust
    .command('fingerprint')
    .description(
      'print the root fingerprints that applications pin: of --tenant, or of every tenant with its code',
    );
  command.action(() =>
    withKeys(command, async ({ keys, out }) => {
      const { rootFingerprint } = await import('../verify/index.ts');
      const { tenant: asked } = globalFlags(command);
      const roots = keys
        .filter(({ purpose, tenant }) => purpose === 'root' && (asked === undefined || tenant === asked))
        .map(({ jwk, tenant, tenantId, state }) => {
          return { tenant, tenantId, state, fingerprint: rootFingerprint(jwk) };
        });
      const plain = new Set(roots.map(({ tenant }) => tenant)).size === 1;
      out.result({ data: roots }, () =>
        plain ? roots.map((root) => root.fingerprint).join('\n') : table(ROOT_COLUMNS, roots),
      );
    }),
  );
}
