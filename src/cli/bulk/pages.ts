import type { ApiClient, ApiRequest } from '../api-client.ts';
import { sendPatiently } from './patience.ts';

/** A resource as the API shows it. */
export type Resource = Readonly<Record<string, unknown>>;

/** The most that one request answers. */
const PAGE = '100';

interface Page {
  readonly data: readonly Resource[];
  readonly pagination: { readonly nextCursor: string | null };
}

/** A page and the cursor behind it; null: it is the last one. */
export interface ListPage {
  readonly rows: readonly Resource[];
  readonly next: string | null;
}

/** Which pages of a list: those of its filters, behind a cursor. */
export interface PagesWanted {
  readonly filters: Readonly<Record<string, string>>;
  /** Null: from the beginning. */
  readonly cursor: string | null;
}

/** All pages of a list, in the order of the list: what is created meanwhile neither moves nor hides anything. */
export async function* pagesOf(client: ApiClient, path: string): AsyncGenerator<readonly Resource[]> {
  for await (const { rows } of pagesBehind(client, path, { filters: {}, cursor: null })) yield rows;
}

/** The pages of a list behind a cursor, each with the cursor behind it; at least one. */
export async function* pagesBehind(
  client: ApiClient,
  path: string,
  { filters, cursor: begun }: PagesWanted,
): AsyncGenerator<ListPage> {
  let cursor = begun;
  let first = true;
  do {
    const query = new URLSearchParams({ ...filters, limit: PAGE, ...(cursor !== null && { cursor }) });
    const request: ApiRequest = { method: 'GET', path: `${path}?${query.toString()}` };
    const { body } = await sendPatiently(client, request, { first });
    const { data, pagination } = body as Page; // the answer of a list
    first = false;
    cursor = pagination.nextCursor;
    yield { rows: data, next: cursor };
  } while (cursor !== null);
}
