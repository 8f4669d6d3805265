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

/** All pages of a list, in the order of the list: what is created meanwhile neither moves nor hides anything. */
export async function* pagesOf(
  client: ApiClient,
  path: string,
  filters: Readonly<Record<string, string>> = {},
): AsyncGenerator<readonly Resource[]> {
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({ ...filters, limit: PAGE, ...(cursor !== null && { cursor }) });
    const request: ApiRequest = { method: 'GET', path: `${path}?${query.toString()}` };
    const { body } = await sendPatiently(client, request, { first: cursor === null });
    const { data, pagination } = body as Page; // the answer of a list
    yield data;
    cursor = pagination.nextCursor;
  } while (cursor !== null);
}
