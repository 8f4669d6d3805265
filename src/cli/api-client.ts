import type { Dispatcher, Pool } from 'undici';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { FAULTS } from '../faults.ts';
import { CliError, EXIT } from './exit-code.ts';

/** How to reach an appliance: its local socket as operator, or its address with an API key. */
export type Connection =
  | {
      readonly kind: 'socket';
      readonly path: string;
      /** What named it. */
      readonly named: string;
      readonly tenant: string | undefined;
      readonly environment: string | undefined;
    }
  | {
      readonly kind: 'url';
      readonly url: string;
      readonly keyFile: string | undefined;
      /** A key has its own; what is named here is compared with it by the appliance. */
      readonly tenant: string | undefined;
      readonly environment: string | undefined;
    };

/** What the API answered. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed JSON, or the raw bytes of anything else. */
  readonly body: unknown;
}

/** One request to the API. */
export interface ApiRequest {
  readonly method: Dispatcher.HttpMethod;
  /** Below `/api/v1`, with query. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Problem {
  readonly code?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly requestId?: string;
  readonly errors?: readonly ApiFieldError[];
}

/** One thing wrong in a request. */
export interface ApiFieldError {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

interface RefusalDetails {
  readonly status: number;
  readonly remedy: string;
  readonly errors: readonly ApiFieldError[];
  readonly retryAfterMs: number | null;
  /** The remedy is of this side, and better than any that is made of the code. */
  readonly ownRemedy: boolean;
}

/** What the appliance refused, with the code of its fault: commands that can do without the answer look at it. */
export class ApiRefusal extends CliError {
  /** `NOT_FOUND`; empty when the answer named none. */
  readonly code: string;
  readonly status: number;
  /** What is wrong, by JSON path. */
  readonly errors: readonly ApiFieldError[];
  /** When to come back, in milliseconds; null: nothing was said of it. */
  readonly retryAfterMs: number | null;
  readonly ownRemedy: boolean;

  constructor(code: string, message: string, told: RefusalDetails) {
    super(EXIT.refused, message, told.remedy);
    this.code = code;
    this.status = told.status;
    this.errors = told.errors;
    this.retryAfterMs = told.retryAfterMs;
    this.ownRemedy = told.ownRemedy;
  }
}

/** `Bearer sk_live_mm` and the 22 characters of a key that are its id; a rotated key keeps them. */
const PUBLIC_CHARACTERS = 39;

/** What to do where an appliance may well be running. */
const UNANSWERED: Readonly<Record<string, string>> = {
  EACCES:
    'You may not open this socket: run the command as the user of the appliance, or let its group in with operator.socketMode.',
  ERR_SSL_WRONG_VERSION_NUMBER:
    'What listens there speaks http, as an appliance does: write --url http://…; https is for a proxy before it.',
};

/** Opened as requests run at the same time; most commands send one. */
const CONNECTIONS = 8;

/** Talks to one appliance. */
export class ApiClient {
  readonly #connection: Connection;
  #client: Pool | undefined;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #where: string;
  /** Where we know better than the appliance what to do. */
  readonly #remedies: Readonly<Record<string, string>>;

  constructor(connection: Connection) {
    this.#where =
      connection.kind === 'socket' ? `${connection.path}, named by ${connection.named}` : connection.url;
    this.#connection = connection;
    if (connection.kind === 'url') originOf(connection.url);
    this.#headers = credentials(connection);
    this.#remedies =
      connection.kind === 'url' && connection.keyFile === undefined
        ? { UNAUTHENTICATED: 'Name the file with the API key: --api-key-file <file>.' }
        : {};
  }

  /**
   * Sends one request.
   * @throws CliError with the appliance's own words when it refuses, or when nobody answers
   */
  async send(request: ApiRequest): Promise<ApiAnswer> {
    const answer = await this.#dispatch(request);
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    const type = String(answer.headers['content-type'] ?? '');
    const body: unknown =
      type.includes('json') && bytes.length > 0 ? JSON.parse(bytes.toString('utf8')) : bytes;
    if (answer.statusCode >= 400) throw refusal(answer, body, this.#remedies);
    return { status: answer.statusCode, headers: answer.headers, body };
  }

  /** The `data` member of a JSON answer. */
  async data(request: ApiRequest): Promise<unknown> {
    const { body } = await this.send(request);
    return isObject(body) && 'data' in body ? body['data'] : body;
  }

  /**
   * Who the requests are from, as far as this side knows it: a digest, the same as long as tenant, environment and
   * credential are. Idempotency keys belong to it.
   */
  caller(): string {
    const who =
      this.#connection.kind === 'socket'
        ? ['operator', this.#connection.tenant ?? '', this.#connection.environment ?? 'live']
        : ['key', (this.#headers['authorization'] ?? '').slice(0, PUBLIC_CHARACTERS)];
    return createHash('sha256').update(JSON.stringify(who)).digest('hex');
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }

  async #dispatch({ method, path, body, headers }: ApiRequest): Promise<Dispatcher.ResponseData> {
    const sent = {
      ...this.#headers,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    };
    try {
      this.#client ??= await connected(this.#connection);
      return await this.#client.request({
        method,
        path: path.startsWith('/operator/') ? path : `/api/v1${path}`,
        headers: sent,
        body: body === undefined ? null : JSON.stringify(body),
      });
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      const remedy =
        UNANSWERED[reason] ??
        'Start it with `mintmark serve`, or name it with --socket, or --url and --api-key-file.';
      throw new CliError(EXIT.unreachable, `no appliance answered (${reason}) at ${this.#where}`, remedy);
    }
  }
}

async function connected(connection: Connection): Promise<Pool> {
  const { Pool: UndiciPool } = await import('undici');
  return connection.kind === 'socket'
    ? new UndiciPool('http://localhost', { connections: CONNECTIONS, socketPath: connection.path })
    : new UndiciPool(originOf(connection.url), { connections: CONNECTIONS });
}

function originOf(url: string): URL {
  try {
    return new URL(url);
  } catch {
    throw new CliError(EXIT.usage, `${url} is not an address`, 'Give --url as http://127.0.0.1:7420.');
  }
}

function credentials(connection: Connection): Record<string, string> {
  const { kind, tenant, environment } = connection;
  const key = kind === 'url' ? connection.keyFile : undefined;
  return {
    ...(key === undefined ? {} : { authorization: `Bearer ${readKey(key)}` }),
    ...(tenant === undefined ? {} : { 'x-mintmark-tenant': tenant }),
    ...(environment === undefined ? {} : { 'x-mintmark-environment': environment }),
  };
}

function readKey(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8').trim();
  } catch {
    throw new CliError(
      EXIT.usage,
      `the API key file ${file} cannot be read`,
      'Name a readable file with --api-key-file.',
    );
  }
}

function refusal(
  answer: Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'>,
  body: unknown,
  remedies: Readonly<Record<string, string>>,
): ApiRefusal {
  const status = answer.statusCode;
  const problem: Problem = isObject(body) ? body : {};
  const row =
    problem.code !== undefined && problem.code in FAULTS
      ? FAULTS[problem.code as keyof typeof FAULTS] // the line above proved it
      : undefined;
  const own = remedies[problem.code ?? ''];
  const { errors = [], title, detail } = problem;
  // The detail says the first of several again.
  const what = (errors.length > 1 ? title : detail) ?? title ?? `the appliance answered ${String(status)}`;
  const fields = errors
    .filter(({ message }) => !what.includes(message))
    .map(({ path, message }) => `\n  ${path === '' ? 'request' : path}: ${message}`);
  const id = problem.requestId === undefined ? '' : ` [${problem.requestId}]`;
  return new ApiRefusal(
    problem.code ?? '',
    `${problem.code ?? String(status)}: ${what}${fields.join('')}${id}`,
    {
      status,
      remedy: own ?? row?.remedy ?? '',
      ownRemedy: own !== undefined,
      errors,
      retryAfterMs: retryAfterOf(answer.headers['retry-after']),
    },
  );
}

/** RFC 9110 §10.2.3, in seconds; the appliance sends no dates. */
function retryAfterOf(header: string | string[] | undefined): number | null {
  return typeof header === 'string' && /^\d{1,9}$/.test(header) ? Number(header) * 1000 : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Buffer.isBuffer(value);
}
