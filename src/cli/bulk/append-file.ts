import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { CliError, EXIT } from '../exit-code.ts';

/** Where in a file everything before was on disk. */
export interface FilePlace {
  readonly path: string;
  readonly bytes: number;
}

/** A file of its owner's alone that grows, and can be taken up where it was certain. */
export class AppendFile {
  readonly path: string;
  readonly #file: number;
  #bytes: number;

  private constructor(path: string, file: number, bytes: number) {
    this.path = path;
    this.#file = file;
    this.#bytes = bytes;
  }

  /**
   * Takes up a file (0600) at a place; what stands behind it is cut off, it is written again. At its beginning the file is
   * made when it is not there.
   * @param header written at the beginning
   * @throws CliError when it is shorter than that, or cannot be written
   */
  static open({ path, bytes }: FilePlace, header: string): AppendFile {
    const file = opened(path, bytes === 0);
    if (fstatSync(file).size < bytes) {
      closeSync(file);
      throw new CliError(EXIT.usage, `${path} is shorter than it was`, 'Put it back as it was, then resume.');
    }
    ftruncateSync(file, bytes);
    const taken = new AppendFile(path, file, bytes);
    if (bytes === 0) taken.write(header);
    return taken;
  }

  write(text: string): void {
    let rest = Buffer.from(text);
    while (rest.length > 0) {
      const written = writeSync(this.#file, rest, 0, rest.length, this.#bytes);
      this.#bytes += written;
      rest = rest.subarray(written);
    }
  }

  /** When this returns, everything written is on disk, and this is the place behind it. */
  settle(): FilePlace {
    fsyncSync(this.#file);
    return { path: this.path, bytes: this.#bytes };
  }

  close(): void {
    closeSync(this.#file);
  }
}

function opened(path: string, mayMake: boolean): number {
  try {
    return openSync(path, mayMake ? constants.O_RDWR | constants.O_CREAT : constants.O_RDWR, 0o600);
  } catch {
    throw new CliError(EXIT.usage, `${path} cannot be written`, 'Put it back as it was, then resume.');
  }
}
