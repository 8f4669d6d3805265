import type { Command } from 'commander';
import { type ApiClient, ApiRefusal, type ApiRequest } from './api-client.ts';
import { CliError, EXIT } from './exit-code.ts';
import { isTerminal } from './process.ts';
import { type ActionContext, column, type WithClient } from './resource.ts';
import { globalFlags } from './settings.ts';
import { askPlain, details, table } from './terminal.ts';

const PATH = '/system/signing-keys';
const KID = 'name of the key: `mintmark keys list` shows it';
const CONFIRM = [
  '--confirm <sentence>',
  'the sentence of the consequence, instead of typing it when asked',
] as const;

interface KeyView {
  readonly kid: string;
  readonly purpose: string;
  readonly tenant: string | null;
  readonly environment: string | null;
  readonly state: string;
  readonly custodian: string;
  readonly activatesAt: string | null;
}

/** Adds `keys generate|rotate|activate|retire|compromise|affected|verify` to the group of keys. */
export function addKeyLife(keys: Command, withClient: WithClient): void {
  addGenerate(keys, withClient);
  addRotate(keys, withClient);
  addStates(keys, withClient);
  addCompromise(keys, withClient);
  addVerify(keys, withClient);
}

/** Adds `trust standby`: a second root, to be kept elsewhere. */
export function addStandby(trust: Command, withClient: WithClient): void {
  const command = trust
    .command('standby')
    .description('make a standby root, which replaces the active one when that is lost: of --tenant');
  command.action(() =>
    withClient(command, async ({ client, out }) => {
      const data = await client.data({ method: 'POST', path: PATH, body: { purpose: 'root' } });
      const { key } = data as { key: KeyView }; // the route's answer
      const where =
        key.custodian === 'file'
          ? `Move keys/${key.kid}.key of the data directory to another medium: it is needed on the day of the rotation alone.`
          : 'Its private half is in the token.';
      out.result({ data }, () =>
        [
          `standby root ${key.kid}`,
          where,
          'Pin its fingerprint beside the other one: `mintmark trust fingerprint`.',
        ].join('\n'),
      );
    }),
  );
}

function addGenerate(keys: Command, withClient: WithClient): void {
  const command = keys
    .command('generate')
    .description('make a key and publish it as pending, for --tenant and --environment')
    .requiredOption('--purpose <purpose>', 'license, response, token, revocation or root')
    .addHelpText(
      'after',
      '\nExample:\n  mintmark keys generate --purpose token --tenant acme --environment live',
    );
  command.action(({ purpose }: { purpose: string }) =>
    withClient(command, async ({ client, out }) => {
      const data = await client.data({ method: 'POST', path: PATH, body: { purpose } });
      const { key } = data as { key: KeyView }; // the route's answer
      out.result({ data }, () => `${lineOf(key)}\n\`mintmark keys activate ${key.kid}\` has it sign.`);
    }),
  );
}

interface RotateOptions {
  readonly purpose?: string;
  readonly now?: boolean;
  readonly confirm?: string;
}

function addRotate(keys: Command, withClient: WithClient): void {
  const command = keys
    .command('rotate')
    .description('give a key a successor: published at once, signing after signingKeys.leadDays')
    .argument('[kid]', `${KID}; or name it by --purpose, --tenant and --environment`)
    .option('--purpose <purpose>', 'license, response, token, revocation, root or ledger')
    .option('--now', 'have the successor sign at once')
    .option(...CONFIRM)
    .addHelpText(
      'after',
      '\nExample:\n  mintmark keys rotate --purpose license --tenant acme --environment live',
    );
  command.action((kid: string | undefined, options: RotateOptions) =>
    withClient(command, async ({ client, out }) => {
      const old = kid ?? (await activeKid(client, command, options.purpose));
      const request = {
        path: `${PATH}/${encodeURIComponent(old)}/rotate`,
        body: { now: options.now === true },
      };
      const data = await confirmed(client, request, options.confirm);
      const rotated = data as { key: KeyView; replaces: string; products: Record<string, unknown>[] }; // the route's answer
      out.result({ data }, () => rotationText(rotated));
    }),
  );
}

const PRODUCT_COLUMNS = [column('PRODUCT', 'id'), column('CODE', 'code'), column('DELETED', 'deletedAt')];

function rotationText(rotated: {
  readonly key: KeyView;
  readonly replaces: string;
  readonly products: readonly Record<string, unknown>[];
}): string {
  const { key, replaces, products } = rotated;
  const first = `${lineOf(key)}; replaces ${replaces}`;
  if (products.length === 0) return first;
  return [
    first,
    '',
    `These products go on with ${replaces}. Once applications know the new key, move them:`,
    `mintmark product set-key <id> ${key.kid} --i-have-shipped-the-new-key`,
    '',
    table(PRODUCT_COLUMNS, [...products]),
  ].join('\n');
}

function addStates(keys: Command, withClient: WithClient): void {
  const activate = keys
    .command('activate')
    .description('have a pending key sign from now on')
    .argument('<kid>', KID)
    .option(...CONFIRM);
  activate.action((kid: string, { confirm }: { confirm?: string }) =>
    withClient(activate, async (context) => {
      const request = { path: `${PATH}/${encodeURIComponent(kid)}/activate`, body: {} };
      showChanged(context, await confirmed(context.client, request, confirm));
    }),
  );
  const retire = keys
    .command('retire')
    .description('end a key that signs no more, or take back a pending one; what it signed stays valid')
    .argument('<kid>', KID);
  retire.action((kid: string) =>
    withClient(retire, async (context) => {
      const path = `${PATH}/${encodeURIComponent(kid)}/retire`;
      showChanged(context, await context.client.data({ method: 'POST', path }));
    }),
  );
}

interface CompromisedView {
  readonly key: KeyView;
  readonly successor: KeyView | null;
  readonly productsMoved: number;
}

function addCompromise(keys: Command, withClient: WithClient): void {
  const command = keys
    .command('compromise')
    .description(
      'say that a key may be in other hands: a successor signs at once; then `keys affected` for the report',
    )
    .argument('<kid>', KID)
    .requiredOption('--since <time>', 'since when, as 2027-01-31T00:00:00Z')
    .addHelpText('after', '\nExample:\n  mintmark keys compromise kM3q… --since 2027-01-31T00:00:00Z');
  command.action((kid: string, { since }: { since: string }) =>
    withClient(command, async ({ client, out }) => {
      const path = `${PATH}/${encodeURIComponent(kid)}/compromise`;
      const data = await client.data({ method: 'POST', path, body: { since: isoOf(since) } });
      const { key, successor, productsMoved } = data as CompromisedView; // the route's answer
      out.result({ data }, () =>
        [
          lineOf(key),
          successor === null ? 'It had no place to be taken.' : `successor: ${lineOf(successor)}`,
          `${String(productsMoved)} products were moved: applications with the old key compiled in need a new build.`,
          `Whom to notify: \`mintmark keys affected ${kid}\``,
        ].join('\n'),
      );
    }),
  );
  addAffected(keys, withClient);
}

const AFFECTED_COLUMNS = [
  column('LICENCE', 'licenseId'),
  column('NAME', 'name'),
  column('E-MAIL', 'userEmail'),
  column('FILES', 'files'),
  column('LIVING', 'filesLiving'),
  column('SINCE', 'filesSince'),
  column('MACHINES', 'machines'),
];

interface AffectedView extends Record<string, unknown> {
  readonly userEmail: string | null;
  readonly files: number;
  readonly machineIds: readonly string[];
}

/** Only as a whole it can be worked through; it has one row for each licence with files of the key. */
function addAffected(keys: Command, withClient: WithClient): void {
  const command = keys
    .command('affected')
    .description('the report of a key: licences that have files of it, their machines, and whom to notify')
    .argument('<kid>', KID);
  command.action((kid: string) =>
    withClient(command, async ({ client, out }) => {
      const rows = await affectedBy(client, kid);
      const totals = {
        licenses: rows.length,
        files: rows.reduce((sum, { files }) => sum + files, 0),
        machines: new Set(rows.flatMap(({ machineIds }) => machineIds)).size,
        customers: new Set(rows.flatMap(({ userEmail }) => userEmail ?? [])).size,
      };
      out.result({ data: rows, totals }, () =>
        [
          details(totals),
          '',
          table(
            AFFECTED_COLUMNS,
            rows.map((row) => ({ ...row, machines: row.machineIds.length })),
          ),
        ].join('\n'),
      );
    }),
  );
}

async function affectedBy(client: ApiClient, kid: string): Promise<AffectedView[]> {
  const rows: AffectedView[] = [];
  let cursor: string | null = null;
  do {
    const query = cursor === null ? '' : `?cursor=${encodeURIComponent(cursor)}`;
    const path = `${PATH}/${encodeURIComponent(kid)}/affected${query}`;
    const { body } = await client.send({ method: 'GET', path });
    const page = body as { data: AffectedView[]; pagination: { nextCursor: string | null } }; // the route's answer
    rows.push(...page.data);
    cursor = page.pagination.nextCursor;
  } while (cursor !== null);
  return rows;
}

const PROOF_COLUMNS = [
  column('KID', 'kid'),
  column('PURPOSE', 'purpose'),
  column('TENANT', 'tenant'),
  column('ENVIRONMENT', 'environment'),
  column('STATE', 'state'),
  column('OUTCOME', 'outcome'),
  column('REASON', 'reason'),
];

function addVerify(keys: Command, withClient: WithClient): void {
  const command = keys
    .command('verify')
    .description(
      'have every key sign something fresh and check it with its public half; exit code 3 when one fails',
    );
  command.action(() =>
    withClient(command, async ({ client, out }) => {
      const data = await client.data({ method: 'POST', path: `${PATH}/verify` });
      const proofs = data as Record<string, unknown>[]; // the route's answer
      out.result({ data: proofs }, () => table(PROOF_COLUMNS, proofs));
      const failed = proofs.filter(({ outcome }) => outcome === 'failed').length;
      if (failed > 0) throw new CliError(EXIT.invalid, `${String(failed)} keys did not prove themselves`);
    }),
  );
}

/** Sends a change that may have a consequence; whoever sits at a terminal is asked to type it. */
async function confirmed(
  client: ApiClient,
  { path, body }: { readonly path: string; readonly body: Readonly<Record<string, unknown>> },
  given: string | undefined,
): Promise<unknown> {
  const request = (confirm: string | undefined): ApiRequest => ({
    method: 'POST',
    path,
    body: confirm === undefined ? body : { ...body, confirm },
  });
  try {
    return await client.data(request(given));
  } catch (error) {
    const asks = error instanceof ApiRefusal && error.code === 'CONFIRMATION_REQUIRED';
    if (!asks || given !== undefined || !isTerminal()) throw error;
    const typed = await askPlain(`${error.message}\nType the sentence`, '');
    return client.data(request(typed ?? ''));
  }
}

async function activeKid(client: ApiClient, command: Command, purpose: string | undefined): Promise<string> {
  if (purpose === undefined)
    throw new CliError(EXIT.usage, 'no key was named', 'Give its kid, or --purpose.');
  const { tenant, environment = 'live' } = globalFlags(command);
  const keys = (await client.data({ method: 'GET', path: PATH })) as KeyView[]; // the route's answer
  const found = keys.filter(
    (key) =>
      key.purpose === purpose &&
      key.state === 'active' &&
      (key.tenant === null || tenant === undefined || key.tenant === tenant) &&
      (key.environment === null || key.environment === environment),
  );
  const [only, ...more] = found;
  if (only === undefined)
    throw new CliError(EXIT.refused, `there is no active ${purpose} key`, 'See `mintmark keys list`.');
  if (more.length === 0) return only.kid;
  throw new CliError(EXIT.usage, `several tenants have a ${purpose} key`, 'Name one: --tenant <code>.');
}

function isoOf(text: string): string {
  const at = Date.parse(text);
  if (Number.isNaN(at))
    throw new CliError(EXIT.usage, `--since ${text} is not a time`, 'Write 2027-01-31T00:00:00Z.');
  return new Date(at).toISOString();
}

function showChanged({ out }: ActionContext, data: unknown): void {
  const { key } = data as { key: KeyView }; // the route's answer
  out.result({ data }, () => lineOf(key));
}

function lineOf({ kid, purpose, tenant, environment, state, activatesAt }: KeyView): string {
  const place = [tenant, environment].filter((part) => part !== null).join(' ');
  const when = activatesAt === null ? '' : ` until ${activatesAt}`;
  return `${purpose} key ${kid}${place === '' ? '' : ` of ${place}`}: ${state}${when}`;
}
