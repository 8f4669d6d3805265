import { type ApiClient, ApiRefusal } from '../api-client.ts';
import type { ActionContext } from '../resource.ts';
import type { OwnEntitlementView } from '../../licensing/licenses/license-view.ts';
import { maskedOrNull, maskEmail, maskName } from '../../licensing/masking.ts';
import { type ExportOptions, type ExportPage, type ExportRow, exportRows } from './export-rows.ts';
import { EXPORT_COLUMNS } from './license-columns.ts';
import { heldUntil } from './license-entitlements.ts';
import { loadNames, type Names, targetOf } from './names.ts';
import { pagesBehind, pagesOf, type PagesWanted, type Resource } from './pages.ts';
import { sendPatiently } from './patience.ts';

/** What of which licences is exported. */
export interface LicenseExport extends ExportOptions {
  /** Filters of `GET /licenses`. */
  readonly filters: Readonly<Record<string, string>>;
  /** Keys and persons in clear, each of them an entry in the ledger. */
  readonly reveal: boolean;
}

/** What of which machines is exported. */
export interface MachineExport extends ExportOptions {
  /** Filters of `GET /machines`. */
  readonly filters: Readonly<Record<string, string>>;
}

/** Exports licences. @throws CliError */
export async function exportLicenses(context: ActionContext, wish: LicenseExport): Promise<void> {
  const names = await loadNames(context.client);
  const { client } = context;
  const { anyPolicy } = names;
  const { filters, reveal } = wish;
  await exportRows(context, wish, {
    ...{ what: 'licences', columns: EXPORT_COLUMNS, filters, reveal },
    // Without a policy there is no licence, and no second page to resume.
    target: async () =>
      anyPolicy === undefined ? '' : await targetOf(client, `/policies/${encodeURIComponent(anyPolicy)}`),
    pages: (cursor) => licensePages(client, names, { ...wish, cursor }),
  });
}

async function* licensePages(
  client: ApiClient,
  names: Names,
  { filters, reveal, cursor }: LicenseExport & Pick<PagesWanted, 'cursor'>,
): AsyncGenerator<ExportPage> {
  for await (const { rows, next } of pagesBehind(client, '/licenses', { filters, cursor })) {
    const shown = reveal ? await revealed(client, rows) : rows.map(masked);
    yield { rows: shown.map((license) => licenseRow(license, names)), next };
  }
}

/** Key and person in clear, in one request each: the appliance writes down who looked before it shows one. */
async function revealed(client: ApiClient, page: readonly Resource[]): Promise<Resource[]> {
  const clear = await Promise.all(page.map((license) => revealedOne(client, license)));
  return clear.filter((license) => license !== null);
}

/** Null: it was deleted since it was listed. */
async function revealedOne(client: ApiClient, license: Resource): Promise<Resource | null> {
  const path = `/licenses/${encodeURIComponent(String(license['id']))}/reveal`;
  try {
    const { body } = await sendPatiently(client, { method: 'POST', path, body: {} });
    return { ...license, ...(body as { readonly data: Resource }).data }; // the answer of reveal
  } catch (error) {
    if (error instanceof ApiRefusal && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}

/** Whoever may see persons in clear sees them in lists, too; an export hides them unless it is asked for. */
function masked(license: Resource): Resource {
  return { ...license, ...maskedMembers(license) };
}

function maskedMembers({ userEmail, userName }: Resource): Resource {
  return {
    userEmail: maskedOrNull(textOrNull(userEmail), maskEmail),
    ...(userName !== undefined && { userName: maskedOrNull(textOrNull(userName), maskName) }),
  };
}

const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** A licence in the columns that an import reads. */
function licenseRow(license: Resource, names: Names): ExportRow {
  const own = license['ownEntitlements'] as readonly OwnEntitlementView[]; // licenseAnswer
  const read = {
    id: license['id'],
    key: license['key'],
    product: names.codeOf(String(license['productId'])),
    policy: names.codeOf(String(license['policyId'])),
    name: license['name'],
    userEmail: license['userEmail'],
    userName: license['userName'],
    status: license['status'],
    expiresAt: expiryOf(license),
    maxMachines: license['maxMachinesOverride'],
    maxUses: license['maxUsesOverride'],
    entitlements: own.map(({ code, expiresAt }) => heldUntil(code, expiresAt)).join(' '),
    metadata: Object.keys(license['metadata'] as object).length === 0 ? null : license['metadata'], // licenseAnswer
  };
  const rest = EXPORT_COLUMNS.filter((column) => !(column in read)).map((column) => [
    column,
    license[column],
  ]);
  return Object.fromEntries(
    [...Object.entries(read), ...rest].filter(([, value]) => value !== null && value !== ''),
  ) as ExportRow; // entries of texts and values
}

/** A term that waits for its beginning is given anew by the policy; no expiry is said out loud. */
function expiryOf({ expiresAt, startsOn }: Resource): unknown {
  return (startsOn ?? null) === null ? (expiresAt ?? 'never') : null;
}

const MACHINE_COLUMNS = [
  'id',
  'licenseId',
  'fingerprint',
  'status',
  'platform',
  'name',
  'hostname',
  'cores',
  'userEmail',
  'metadata',
  'publicKey',
  'lastHeartbeatAt',
  'lastValidatedAt',
  'lastCheckedOutAt',
  'createdAt',
  'updatedAt',
];

/** Exports machines; they are read only, and never imported. @throws CliError */
export async function exportMachines(context: ActionContext, wish: MachineExport): Promise<void> {
  const { client } = context;
  const { filters } = wish;
  await exportRows(context, wish, {
    ...{ what: 'machines', columns: MACHINE_COLUMNS, filters, reveal: false },
    target: () => machineTarget(client),
    pages: (cursor) => machinePages(client, { filters, cursor }),
  });
}

/** By a machine: whoever may list them need not see policies. Without one there is no second page to resume. */
async function machineTarget(client: ApiClient): Promise<string> {
  for await (const [machine] of pagesOf(client, '/machines')) {
    if (machine !== undefined)
      return await targetOf(client, `/machines/${encodeURIComponent(String(machine['id']))}`);
  }
  return '';
}

async function* machinePages(client: ApiClient, wanted: PagesWanted): AsyncGenerator<ExportPage> {
  for await (const { rows, next } of pagesBehind(client, '/machines', wanted)) {
    yield { rows: rows.map((machine) => ({ ...machine, ...maskedMembers(machine) })), next };
  }
}
