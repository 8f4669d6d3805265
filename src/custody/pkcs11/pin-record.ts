import { z } from 'zod';
import type { EpochMs } from '../../lib/clock.ts';
import { isoTime } from '../../lib/clock.ts';
import { parseStrictJson } from '../../lib/strict-json.ts';
import { readSmallFile, removeDurably, writeDurably } from '../durable-file.ts';
import { TokenError } from './cryptoki.ts';

/**
 * What became of the PIN that was tried last, on disk: three wrong PINs lock a token, and a service manager that restarts a
 * daemon does that in seconds. A PIN is tried once for each content of its file.
 *
 * | written | and then | at the next start |
 * |---|---|---|
 * | `trying`, before the attempt | the token took it: the record is removed | tried |
 * | | the token refused it: `refused` | not tried again until the file holds another PIN |
 * | | nobody knows (power cut, hung module) | tried, unless the token counts a wrong PIN |
 */
const RECORD = z.strictObject({
  v: z.literal(1),
  serial: z.string(),
  digest: z.string(),
  result: z.enum(['trying', 'refused']),
  code: z.string(),
  at: z.string(),
});

/** An attempt that is about to be made. */
export interface PinAttempt {
  /** Serial number of the token. */
  readonly serial: string;
  /** Keyed digest of the PIN. */
  readonly digest: Buffer;
  /** The token says that the last PIN it was given was wrong. */
  readonly countsWrong: boolean;
}

const MAX_BYTES = 4096;

/** The record of one appliance. */
export class PinRecord {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Says that a PIN is about to be tried. When this returns, that is on disk.
   * @throws TokenError pin when this PIN was refused before; Fault DISK_FULL: then nothing is tried
   */
  begin(attempt: PinAttempt, now: EpochMs): void {
    const last = this.#read();
    const same =
      last !== undefined && last.serial === attempt.serial && last.digest === attempt.digest.toString('hex');
    if (same && (last.result === 'refused' || attempt.countsWrong)) {
      throw new TokenError('pin', last.code, this.#held(last));
    }
    this.#write(attempt, { result: 'trying', code: 'CKR_PIN_INCORRECT', at: isoTime(now) });
  }

  /** Says that the token refused it. */
  refused(attempt: PinAttempt, code: string, now: EpochMs): void {
    this.#write(attempt, { result: 'refused', code, at: isoTime(now) });
  }

  /** Says that the token took it, or was never asked. */
  settled(): void {
    removeDurably(this.#path);
  }

  #held({ code, at }: z.infer<typeof RECORD>): string {
    return `this PIN was refused at ${at} (${code}) and is not tried again; put the right one into its file, or remove ${this.#path} to try it once more`;
  }

  /** One that cannot be read says nothing about any PIN: whoever damaged it could have removed it. */
  #read(): z.infer<typeof RECORD> | undefined {
    const bytes = readSmallFile(this.#path);
    if (bytes === undefined) return undefined;
    const parsed = RECORD.safeParse(readJson(bytes));
    return parsed.success ? parsed.data : undefined;
  }

  #write({ serial, digest }: PinAttempt, rest: Pick<z.infer<typeof RECORD>, 'result' | 'code' | 'at'>): void {
    const record = { v: 1, serial, digest: digest.toString('hex'), ...rest };
    writeDurably(this.#path, Buffer.from(`${JSON.stringify(record)}\n`, 'utf8'), { replace: true });
  }
}

function readJson(bytes: Buffer): unknown {
  try {
    return parseStrictJson(bytes, { maxBytes: MAX_BYTES });
  } catch {
    return undefined;
  }
}
