import { createHash } from 'node:crypto';
import { closeSync, createReadStream, fstatSync, openSync } from 'node:fs';
import { TextDecoder } from 'node:util';
import { CliError, EXIT } from '../exit-code.ts';

/** A file of rows, or standard input; read as UTF-8 text in pieces, never as a whole. */
export interface Input {
  /** As people know it. */
  readonly name: string;
  /** Bytes in all; null: not known (standard input). */
  readonly size: number | null;
  /** SHA-256 of all bytes, hexadecimal; null: not known before the end (standard input). */
  readonly digest: string | null;
  /** Bytes read by `texts` so far. */
  readonly consumed: number;
  /**
   * The text, in pieces, without a byte order mark.
   * @throws CliError when it is not UTF-8, or when the file is not what it was when it was opened
   */
  texts(): AsyncGenerator<string>;
  close(): void;
}

const PIECE_BYTES = 256 * 1024;

/**
 * Opens a file (`-` is standard input) and reads it once for its digest.
 * @throws CliError when it cannot be read
 */
export async function openInput(path: string): Promise<Input> {
  if (path === '-') return new OpenInput({ name: 'standard input', size: null, digest: null, file: null });
  const file = openFile(path);
  const stats = fstatSync(file);
  if (!stats.isFile()) {
    closeSync(file);
    throw new CliError(EXIT.usage, `${path} is not a file`, 'Name a file, or - for standard input.');
  }
  const hash = createHash('sha256');
  for await (const piece of piecesOf(file)) hash.update(piece);
  return new OpenInput({ name: path, size: stats.size, digest: hash.digest('hex'), file });
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r');
  } catch {
    throw new CliError(
      EXIT.usage,
      `${path} cannot be read`,
      'Name a readable file, or - for standard input.',
    );
  }
}

function piecesOf(file: number | null): AsyncIterable<Buffer> {
  return file === null
    ? process.stdin
    : createReadStream('', { fd: file, autoClose: false, start: 0, highWaterMark: PIECE_BYTES });
}

class OpenInput implements Input {
  readonly name: string;
  readonly size: number | null;
  readonly digest: string | null;
  readonly #file: number | null;
  #consumed = 0;

  constructor(opened: Pick<Input, 'name' | 'size' | 'digest'> & { readonly file: number | null }) {
    this.name = opened.name;
    this.size = opened.size;
    this.digest = opened.digest;
    this.#file = opened.file;
  }

  get consumed(): number {
    return this.#consumed;
  }

  async *texts(): AsyncGenerator<string> {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const hash = createHash('sha256');
    for await (const piece of piecesOf(this.#file)) {
      hash.update(piece);
      const text = this.#decode(decoder, piece);
      this.#consumed += piece.length;
      if (text !== '') yield text;
    }
    const rest = this.#decode(decoder, undefined);
    if (rest !== '') yield rest;
    if (this.digest !== null && hash.digest('hex') !== this.digest) {
      throw new CliError(
        EXIT.refused,
        `${this.name} was changed while it was read`,
        'Let nobody write to it; put it back as it was and go on with --resume.',
      );
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
  }

  #decode(decoder: TextDecoder, piece: Buffer | undefined): string {
    try {
      return piece === undefined ? decoder.decode() : decoder.decode(piece, { stream: true });
    } catch {
      const from = String(this.#consumed);
      throw new CliError(
        EXIT.usage,
        `${this.name} is not UTF-8 text (somewhere behind byte ${from})`,
        'Save it as UTF-8: in a spreadsheet "CSV UTF-8", else `iconv -f WINDOWS-1252 -t UTF-8`.',
      );
    }
  }
}
