import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileLock } from '../../src/storage/file-lock.ts';
import { temporaryDirectory } from '../support/daemon.ts';

describe('a file lock', () => {
  it('has one holder, and the next when it is released', () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'lock');
    const first = FileLock.take(path);
    expect(first?.held).toBe(true);
    expect(FileLock.take(path)).toBeUndefined();
    expect(FileLock.take(path)).toBeUndefined();
    first?.release();
    first?.release();
    expect(first?.held).toBe(false);
    const second = FileLock.take(path);
    expect(second?.held).toBe(true);
    second?.release();
  });

  it('is an empty file of its owner alone', () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'lock');
    const lock = FileLock.take(path);
    expect([statSync(path).size, statSync(path).mode & 0o777]).toEqual([0, 0o600]);
    lock?.release();
    expect(statSync(path).size).toBe(0);
  });

  it('is not taken in a file with other content, nor in a directory that is not there', () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'notes');
    writeFileSync(path, 'not a lock, but the notes of somebody'.repeat(100));
    expect(() => FileLock.take(path)).toThrow('file is not a database');
    expect(() => FileLock.take(join(directory.path, 'none', 'lock'))).toThrow('directory does not exist');
  });
});
