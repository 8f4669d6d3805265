import type { z } from 'zod';
import { Fault, type FaultCode, FAULTS, type FieldError } from '../faults.ts';
import {
  isMissing,
  type Issue,
  type IssueContext,
  issueWords,
  knownMembers,
  unknownWords,
  unworded,
} from '../issue-words.ts';

/** Content type of every error (RFC 9457 §3). */
export const PROBLEM_TYPE = 'application/problem+json';

/** More errors than this tell a person nothing new; they would only repeat a hostile body. */
const ERRORS_LIMIT = 32;
const PATH_CHARACTERS = 128;
const MESSAGE_CHARACTERS = 200;

/** An error as a caller sees it. */
export interface Problem {
  readonly status: number;
  readonly code: FaultCode;
  /** The document, as JSON text. */
  readonly text: string;
  /** Seconds for `Retry-After`, rounded up. */
  readonly retryAfter: number | undefined;
}

/**
 * The problem document (RFC 9457) of whatever was thrown. What is not a `Fault` becomes `INTERNAL`: its text and stack
 * stay inside, the log line with the same request id has them.
 */
export function problemOf(error: unknown, requestId: string): Problem {
  const fault = error instanceof Fault ? error : unexpected();
  const { status, title, remedy } = FAULTS[fault.code];
  const document = {
    type: `urn:mintmark:problem:${fault.code}`,
    title,
    status,
    detail: fault.message,
    instance: `urn:mintmark:request:${requestId}`,
    code: fault.code,
    requestId,
    remedy,
    ...(fault.errors.length > 0 && { errors: fault.errors.slice(0, ERRORS_LIMIT) }),
  };
  const { retryAfterMs } = fault;
  const retryAfter = retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(retryAfterMs / 1000));
  return { status, code: fault.code, text: JSON.stringify(document), retryAfter };
}

function unexpected(): Fault {
  return new Fault(
    'INTERNAL',
    'something unexpected happened; the log of the appliance has it under this request id',
  );
}

/**
 * What a request holds, as its schema reads it.
 * @throws Fault VALIDATION_FAILED with one row per thing wrong, at a JSON path such as `metadata.color` or
 * `items.0.key`. Never with a value: values may be secrets.
 */
export function parseRequest<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const read = schema.safeParse(input, { error: unworded });
  if (read.success) return read.data;
  const errors = read.error.issues.flatMap((issue) => fieldErrors(issue, { schema, input }));
  const first = errors[0];
  const where = first === undefined || first.path === '' ? 'the request' : first.path;
  const message = `${where} is not valid: ${first?.message ?? 'see errors'}`;
  throw new Fault('VALIDATION_FAILED', message, { errors: errors.slice(0, ERRORS_LIMIT) });
}

function fieldErrors(issue: Issue, context: IssueContext): FieldError[] {
  if (issue.code === 'unrecognized_keys') {
    const known = knownMembers(context.schema, issue.path);
    return issue.keys.map((key) =>
      fieldError([...issue.path, key], 'UNKNOWN_MEMBER', unknownWords(key, known)),
    );
  }
  const code = isMissing(issue, context.input) ? 'REQUIRED' : codeOf(issue);
  return [fieldError(issue.path, code, issueWords(issue, context).slice(0, MESSAGE_CHARACTERS))];
}

function fieldError(path: readonly PropertyKey[], code: string, message: string): FieldError {
  return { path: path.map(String).join('.').slice(0, PATH_CHARACTERS), code, message };
}

/** A refinement may name its own code (`params: { code }`); the others have that of the schema library, upper snake. */
function codeOf(issue: Issue): string {
  const named: unknown = issue.code === 'custom' ? issue.params?.['code'] : undefined;
  return typeof named === 'string' ? named : issue.code.toUpperCase();
}
