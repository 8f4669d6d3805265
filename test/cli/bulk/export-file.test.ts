import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportFile } from '../../../src/cli/bulk/export-file.ts';
import type { ExportTarget } from '../../../src/cli/bulk/export-target.ts';
import { temporaryDirectory } from '../../support/daemon.ts';

const identity = {
  ...{ what: 'licences', format: 'csv', shown: 'masked', filters: 'f', columns: 'c', target: 't' },
};

let directory: ReturnType<typeof temporaryDirectory>;
let path: string;
let beside: string;
let state: string;

beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, 'all.csv');
  [beside, state] = [`${path}.partial`, `${path}.export-state`];
});

afterEach(() => {
  directory[Symbol.dispose]();
});

const opened = (resume: boolean): ExportTarget => exportFile(path, { identity, resume });
const left = (): string[] => readdirSync(directory.path).toSorted();

/** Two pages, and whatever stands behind the mark. */
async function interrupted(more = ''): Promise<void> {
  const target = opened(false);
  await target.write('ä\n', { cursor: 'A', count: 1 });
  await target.write('b\n', { cursor: 'B', count: 2 });
  expect(target.abandon()).toBe(true);
  writeFileSync(beside, more, { flag: 'a' });
}

/** All is written, and said to be. */
async function complete(): Promise<void> {
  const target = opened(false);
  await target.write('whole\n', { cursor: null, count: 1 });
  target.abandon();
}

function expectWhole(text: string): void {
  expect(left()).toEqual(['all.csv']);
  expect(readFileSync(path, 'utf8')).toBe(text);
  expect(statSync(path).mode & 0o777).toBe(0o600);
}

describe('the file of an export', () => {
  it('is cut off at its mark when it is resumed, and goes on at the cursor', async () => {
    await interrupted('rows that nobody is sure of');
    const target = opened(true);
    expect([target.begun, target.isWhole]).toEqual([{ cursor: 'B', count: 2 }, false]);
    expect(readFileSync(beside, 'utf8')).toBe('ä\nb\n');
    await target.write('c\n', { cursor: null, count: 3 });
    target.finish();
    expectWhole('ä\nb\nc\n');
  });

  it('leaves nothing when it ends before its first page, and then cannot be resumed', () => {
    expect(opened(false).abandon()).toBe(false);
    expect(left()).toEqual([]);
    expect(() => opened(true)).toThrow(/no interrupted export/);
    expect(left()).toEqual([]);
  });

  it('is begun anew without --resume, with nothing of what was there', async () => {
    await interrupted();
    const target = opened(false);
    expect([existsSync(state), readFileSync(beside, 'utf8')]).toEqual([false, '']);
    await target.write('n\n', { cursor: null, count: 1 });
    target.finish();
    expectWhole('n\n');
  });

  it('that is written but has no name yet is given it', async () => {
    await complete();
    const target = opened(true);
    expect(target.isWhole).toBe(true);
    target.finish();
    expectWhole('whole\n');
  });

  it('that has both names keeps the one that was asked for', async () => {
    await complete();
    linkSync(beside, path);
    opened(true).finish();
    expectWhole('whole\n');
  });

  it('that has its name already, and only a state left beside it, is finished', async () => {
    await complete();
    renameSync(beside, path);
    opened(true).finish();
    expectWhole('whole\n');
  });

  it('never replaces another, which came meanwhile, and is there when that one is moved away', async () => {
    await complete();
    writeFileSync(path, 'another');
    const target = opened(true);
    expect(() => {
      target.finish();
    }).toThrow(/exists already/);
    expect(target.abandon()).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('another');
    rmSync(path);
    opened(true).finish();
    expectWhole('whole\n');
  });

  it('that is half written is not gone on with where another has its name', async () => {
    await interrupted();
    writeFileSync(path, 'another');
    expect(() => opened(true)).toThrow(/exists already/);
    expect(readFileSync(path, 'utf8')).toBe('another');
  });

  it.each([
    ['shorter', 'ä\n'],
    ['as long, but another', 'ä\nx\n'],
  ])('is not gone on with when it is %s', async (_, text) => {
    await interrupted();
    writeFileSync(beside, text);
    expect(() => opened(true)).toThrow(/not what was written/);
    expect(readFileSync(beside, 'utf8')).toBe(text);
  });

  it('is not gone on with through a link, nor when it is gone', async () => {
    await interrupted();
    renameSync(beside, join(directory.path, 'elsewhere'));
    expect(() => opened(true)).toThrow(/is missing, not yours/);
    symlinkSync(join(directory.path, 'elsewhere'), beside);
    expect(() => opened(true)).toThrow(/is missing, not yours/);
  });

  it('is written by one export at a time', () => {
    const first = opened(false);
    for (const resume of [false, true]) expect(() => opened(resume)).toThrow(/another export is writing/);
    expect(existsSync(`${state}.lock`)).toBe(true);
    first.abandon();
    expect(opened(false).abandon()).toBe(false);
    expect(left()).toEqual([]);
  });

  it('is not gone on with by a state that is none', async () => {
    await interrupted();
    writeFileSync(state, '{"version":1}');
    expect(() => opened(true)).toThrow(/not the state of an export/);
  });
});
