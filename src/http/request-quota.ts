import type { Exchange } from './exchange.ts';
import type { Parts } from './parts.ts';
import type { CountedRequest } from './quota.ts';
import type { Call, RequestMember, RouteLimit } from './route.ts';

/** What counting and shedding needs of the server's parts. */
type QuotaParts<Who> = Pick<Parts<Who, unknown, unknown, unknown>, 'requestLimits' | 'overload' | 'refused'>;

/** A request of somebody who is known, on a route. */
export interface Countable<Who> {
  readonly entry: {
    readonly action: string;
    readonly route: { readonly tag: string; readonly limit?: RouteLimit };
  };
  readonly who: Who;
  /** Of the path, as the route names them. */
  readonly params: Readonly<Record<string, string>>;
  /** Once it is read. */
  readonly call?: Pick<Call<unknown>, 'body'>;
}

/** What a route is limited by when it does not say. */
const MANAGEMENT: RouteLimit = { class: 'management' };

/**
 * Whether a route's requests are counted by what stands in them, and so only once they are read. Management is counted
 * before its sender is found to be permitted or not, where its path says by what.
 */
export function isCountedWhenRead({ limit = MANAGEMENT }: { readonly limit?: RouteLimit }): boolean {
  const members = [limit.license, limit.machine].filter((member) => member !== undefined);
  return limit.class === 'management'
    ? members.some((member) => member.startsWith('body.'))
    : members.length > 0;
}

/**
 * Turns away what this process cannot finish now. The local administrator is let in: who else would look what is wrong.
 * @throws Fault OVERLOADED
 */
export function shedLoad(
  parts: Pick<Parts<never, never, never, never>, 'overload'>,
  { limit = MANAGEMENT }: { readonly limit?: RouteLimit },
  exchange: Exchange,
): void {
  if (exchange.face === 'operator') return;
  const refused = parts.overload.refusal(limit.class);
  if (refused !== undefined) throw refused;
}

/** Counts a request against its limit. @throws Fault RATE_LIMITED; the refusal is recorded */
export async function countRequest<Who>(
  parts: QuotaParts<Who>,
  exchange: Exchange,
  countable: Countable<Who>,
): Promise<void> {
  const { entry, who } = countable;
  const quota = await parts.requestLimits.count(countedOf(exchange, countable));
  if (quota === undefined) return;
  exchange.quota = quota.headers;
  if (quota.refused === undefined) return;
  const { fault, rule } = quota.refused;
  const about = { action: entry.action, routeClass: entry.route.tag, address: exchange.address };
  parts.refused({ ...about, requestId: exchange.ownRequestId, who, code: fault.code, rule });
  throw fault;
}

/** Says on an answer that counts against nothing else what the address has left of its failures. */
export async function sayQuota(
  parts: Pick<Parts<never, never, never, never>, 'requestLimits'>,
  exchange: Exchange,
): Promise<void> {
  if (exchange.quota !== undefined || exchange.face !== 'api') return;
  exchange.quota = (await parts.requestLimits.failures(exchange.address)).headers;
}

function countedOf<Who>(exchange: Exchange, countable: Countable<Who>): CountedRequest<Who> {
  const { entry, who, params, call } = countable;
  const { class: name, license, machine } = entry.route.limit ?? MANAGEMENT;
  const { face, address } = exchange;
  const sent = { params, body: call?.body };
  const named = { license: memberOf(sent, license), machine: memberOf(sent, machine) };
  return { who, class: name, face, address, ...named };
}

/** What stands there; undefined when it is absent or no text. */
function memberOf(
  call: Pick<Call<unknown>, 'params' | 'body'>,
  member: RequestMember | undefined,
): string | undefined {
  if (member === undefined) return undefined;
  const [part, name = ''] = member.split('.');
  const from = part === 'params' ? call.params : call.body;
  const value: unknown =
    typeof from === 'object' && from !== null && Object.hasOwn(from, name)
      ? (from as Readonly<Record<string, unknown>>)[name] // an own member, as the line above has seen
      : undefined;
  return typeof value === 'string' ? value : undefined;
}
