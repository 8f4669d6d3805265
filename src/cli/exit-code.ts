/** What the process says when it ends; documented in docs/cli.md. */
export const EXIT = {
  ok: 0,
  /** The request was understood and refused, or an operation failed; the reason is on standard error. */
  refused: 1,
  /** The command line is wrong. */
  usage: 2,
  /** A check was carried out and the answer is no: file not valid, log not intact. */
  invalid: 3,
  /** No appliance answered at the socket or address. */
  unreachable: 4,
  /** A defect in this program. */
  internal: 70,
} as const;

/** One of the exit codes. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command with a message for standard error and a given exit code. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;
  /** What to do about it. */
  readonly remedy: string;

  constructor(exitCode: ExitCode, message: string, remedy = '') {
    super(message);
    this.exitCode = exitCode;
    this.remedy = remedy;
  }
}
