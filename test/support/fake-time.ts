import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where libfaketime is, from Debian's package `faketime`; undefined: it is not installed. */
export function fakeTimeLibrary(): string | undefined {
  const root = '/usr/lib';
  if (!existsSync(root)) return undefined;
  return readdirSync(root)
    .map((name) => join(root, name, 'faketime', 'libfaketimeMT.so.1'))
    .find((path) => existsSync(path));
}

/** The environment of a process whose wall clock follows `file`; its monotonic clock goes on as it did. */
export function fakeTime(file: string): Record<string, string> {
  return {
    LD_PRELOAD: fakeTimeLibrary() ?? '',
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

/** Sets the wall clock of whoever follows `file`, and of nobody else, to a distance from ours, such as `+1d`. */
export function stepBy(file: string, offset: string): void {
  writeFileSync(file, `${offset}\n`);
}

/** As `stepBy`, to a moment; the clock goes on from there. @param at milliseconds since the epoch, after now */
export function stepTo(file: string, at: number): void {
  stepBy(file, `+${String(Math.round((at - Date.now()) / 1000))}`);
}
