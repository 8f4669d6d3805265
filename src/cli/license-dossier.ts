import { type ApiClient, ApiRefusal } from './api-client.ts';
import type { Explanation } from './license-explain.ts';
import type { LicenseAnswer } from './which-license.ts';

/** A resource as the API shows it. */
export type Row = Readonly<Record<string, unknown>>;

/** A machine, as far as the screen shows it. */
export interface MachineRow extends Row {
  readonly id: string;
  readonly status: string;
  readonly createdAt: string;
  readonly lastHeartbeatAt: string | null;
  readonly lastValidatedAt: string | null;
}

/** An issued file. */
export interface FileRow extends Row {
  readonly id: string;
  readonly machineId: string | null;
  readonly issuedAt: string;
  readonly expiresAt: string;
}

/** A ledger entry. */
export interface ActionRow extends Row {
  readonly at: string;
  readonly action: string;
  readonly outcome: string;
  readonly actor: { readonly kind: string; readonly id: string; readonly via: string };
  readonly target: { readonly kind: string; readonly id: string };
}

/** A list, or the reason that this credential is not shown it. */
export type Shown<T> = { readonly rows: readonly T[]; readonly more: boolean } | { readonly refused: string };

/** Everything support needs to know of one licence. */
export interface Dossier {
  readonly license: LicenseAnswer;
  readonly explanation: Explanation;
  /** Null: this credential may not read it. */
  readonly policy: Row | null;
  readonly product: Row | null;
  readonly machines: Shown<MachineRow>;
  /** Newest first, those that have expired, too. */
  readonly files: Shown<FileRow>;
  /** Newest first. */
  readonly actions: Shown<ActionRow>;
  /** Names of the API keys that acted, by their id. */
  readonly keyNames: Readonly<Record<string, string>>;
}

/** The longest page of the API: more of one licence than a screen shows. */
const PAGE = 100;
const ACTIONS = 25;

/**
 * Reads everything about a licence. What this credential may not read is left out and said so.
 * @throws CliError when the licence itself cannot be read
 */
export async function readDossier(client: ApiClient, license: LicenseAnswer): Promise<Dossier> {
  const id = encodeURIComponent(license.id);
  const explanation = (await client.data({
    method: 'POST',
    path: `/licenses/${id}/explain`,
    body: {},
  })) as Explanation; // the route's answer
  const actions = await list<ActionRow>(client, `/audit?subject=${id}&order=newest&limit=${String(ACTIONS)}`);
  return {
    ...{ license, explanation, actions },
    policy: await one(client, `/policies/${String(license['policyId'])}`),
    product: await one(client, `/products/${String(license['productId'])}`),
    machines: await list(client, `/machines?licenseId=${id}&limit=${String(PAGE)}`),
    files: await list(client, `/licenses/${id}/files?limit=${String(PAGE)}`),
    keyNames: await keyNamesOf(client, actions),
  };
}

async function one(client: ApiClient, path: string): Promise<Row | null> {
  const data = await allowed(() => client.data({ method: 'GET', path }));
  return 'refused' in data ? null : (data.answer as Row); // single resources are objects
}

interface Page<T> {
  readonly data: readonly T[];
  readonly pagination: { readonly hasMore: boolean };
}

async function list<T extends Row>(client: ApiClient, path: string): Promise<Shown<T>> {
  const data = await allowed(() => client.send({ method: 'GET', path }));
  if ('refused' in data) return data;
  const { data: rows, pagination } = data.answer.body as Page<T>; // the form of every list
  return { rows, more: pagination.hasMore };
}

/** What a credential may not see is no failure of the screen: it shows the rest. */
async function allowed<T>(
  ask: () => Promise<T>,
): Promise<{ readonly answer: T } | { readonly refused: string }> {
  try {
    return { answer: await ask() };
  } catch (error) {
    if (error instanceof ApiRefusal && MISSING.has(error.code)) return { refused: reasonIn(error.message) };
    throw error;
  }
}

/** Without code and request id: on this screen it is a remark, no failure. */
function reasonIn(message: string): string {
  return message.replace(/^[A-Z_]+: /, '').replace(/ \[req_\w+\]$/, '');
}

const MISSING: ReadonlySet<string> = new Set(['INSUFFICIENT_SCOPE', 'NOT_FOUND']);

/** Keys that acted lately; a screen has room for a few. */
const KEYS = 5;

async function keyNamesOf(client: ApiClient, actions: Shown<ActionRow>): Promise<Record<string, string>> {
  const rows = 'refused' in actions ? [] : actions.rows;
  const ids = rows.flatMap(({ actor }) => (actor.kind === 'api-key' ? [actor.id] : []));
  const names: Record<string, string> = {};
  for (const id of [...new Set(ids)].slice(0, KEYS)) {
    const key = await one(client, `/api-keys/${encodeURIComponent(id)}`);
    if (key !== null) names[id] = String(key['name']);
  }
  return names;
}
