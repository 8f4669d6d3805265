import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AppendFile } from '../../../src/cli/bulk/append-file.ts';
import { type ImportWish, planImport } from '../../../src/cli/bulk/import-plan.ts';
import { type ImportState, readState, writeState } from '../../../src/cli/bulk/import-state.ts';
import { openInput } from '../../../src/cli/bulk/input-file.ts';
import { DAY, HOUR, isoTime } from '../../../src/lib/clock.ts';
import { temporaryDirectory } from '../../support/daemon.ts';

const NOW = Date.parse('2026-11-22T10:00:00.000Z');
const identity = { input: 'a1', settings: 'b2', target: 'c3', run: '' };
const wish: ImportWish = {
  identity,
  resume: false,
  pending: undefined,
  now: NOW,
  names: { input: 'a.csv', state: 'a.csv.import-state' },
};
const resume: ImportWish = { ...wish, resume: true };
const fresh = planImport(undefined, wish);
const half: ImportState = { ...fresh, batch: 3, rows: 3000, created: 3000 };
const sent = (ago: number): ImportState => ({ ...half, sentAt: isoTime(NOW - ago) });

describe('an import', () => {
  it('begins at its beginning', () => {
    expect(fresh).toMatchObject({ ...identity, batch: 0, rows: 0, sentAt: null, finished: false });
  });

  it('that was interrupted does not begin anew by itself, and goes on where it was when asked', () => {
    expect(() => planImport(half, wish)).toThrow('was begun and has not ended');
    expect(planImport(half, resume)).toEqual(half);
    expect(planImport(sent(HOUR), resume)).toEqual(sent(HOUR));
  });

  it('that created nothing yet may begin anew with a corrected file, over its own report', () => {
    const untouched = { ...fresh, errors: { path: 'e.csv', bytes: 90 } };
    const corrected = { ...wish, identity: { ...identity, input: 'other' } };
    expect(planImport(untouched, corrected)).toMatchObject({
      input: 'other',
      errors: { path: 'e.csv', bytes: 0 },
    });
    for (const touched of [
      { ...untouched, sentAt: isoTime(NOW) },
      { ...untouched, leftOut: [1] },
    ]) {
      expect(() => planImport(touched, corrected)).toThrow('has not ended');
    }
  });

  it('that is done is not done again unless its run has a name of its own or the file is another', () => {
    const done = { ...half, finished: true };
    expect(() => planImport(done, wish)).toThrow('has been imported already');
    expect(planImport(done, resume)).toEqual(done);
    for (const other of [{ run: 'second' }, { input: 'd4' }]) {
      expect(planImport(done, { ...wish, identity: { ...identity, ...other } })).toMatchObject({
        ...other,
        batch: 0,
      });
    }
  });

  it.each([
    ['the file', { input: 'x' }, 'the file has been changed'],
    ['the appliance, realm or credential', { target: 'x' }, 'another appliance'],
    ['the run', { run: 'x' }, 'another run'],
    ['the options', { settings: 'x' }, 'option'],
  ])('is not resumed when %s is another', (_, other, words) => {
    expect(() => planImport(half, { ...resume, identity: { ...identity, ...other } })).toThrow(words);
  });

  it('that was never begun is not resumed', () => {
    expect(() => planImport(undefined, resume)).toThrow('no interrupted import');
  });

  it('whose last batch nobody can ask for any more wants to know what became of it', () => {
    expect(() => planImport(sent(DAY), resume)).toThrow('nobody knows any more');
    expect(planImport(sent(DAY), { ...resume, pending: 'missing' })).toEqual({ ...half, sentAt: null });
    expect(planImport(sent(DAY), { ...resume, pending: 'created' })).toMatchObject({
      batch: 4,
      sentAt: null,
    });
  });
});

describe('the state of an import', () => {
  it('is written whole, for its owner alone, and read again', () => {
    using desk = temporaryDirectory();
    const path = join(desk.path, 'a.csv.import-state');
    expect(readState(path)).toBeUndefined();
    writeFileSync(`${path}.new`, 'left by a kill');
    writeState(path, half);
    writeState(path, sent(HOUR));
    expect(readState(path)).toEqual(sent(HOUR));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(desk.path)).toEqual(['a.csv.import-state']);
  });

  it.each(['', '{', '{"version":2}', '[]'])('that cannot be understood is refused: %s', (text) => {
    using desk = temporaryDirectory();
    const path = join(desk.path, 'state');
    writeFileSync(path, text);
    expect(() => readState(path)).toThrow('is not the state of an import');
  });
});

describe('a file that grows', () => {
  it('is taken up where it was certain: what stands behind is cut off', () => {
    using desk = temporaryDirectory();
    const path = join(desk.path, 'keys.csv');
    const first = AppendFile.open({ path, bytes: 0 }, 'head\n');
    first.write('one\n');
    const place = first.settle();
    first.write('tw');
    first.close();
    const second = AppendFile.open(place, 'head\n');
    second.write('two\n');
    expect(second.settle()).toEqual({ path, bytes: 13 });
    second.close();
    expect(readFileSync(path, 'utf8')).toBe('head\none\ntwo\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(() => AppendFile.open({ path, bytes: 14 }, '')).toThrow('shorter');
    expect(() => AppendFile.open({ path: join(desk.path, 'gone'), bytes: 1 }, '')).toThrow(
      'cannot be written',
    );
  });
});

describe('a file of rows', () => {
  async function read(bytes: Buffer): Promise<string> {
    using desk = temporaryDirectory();
    const path = join(desk.path, 'a.csv');
    writeFileSync(path, bytes);
    const input = await openInput(path);
    let text = '';
    for await (const piece of input.texts()) text += piece;
    expect(input.consumed).toBe(bytes.length);
    input.close();
    return text;
  }

  it('is UTF-8, with a byte order mark or without', async () => {
    expect(await read(Buffer.from('\uFEFFname\nMüller\n'))).toBe('name\nMüller\n');
    const long = `name\n${'é'.repeat(400_001)}`;
    expect(await read(Buffer.from(long))).toBe(long);
  });

  it.each([
    ['Latin-1', Buffer.from('name\nM\xfcller\n', 'latin1')],
    ['UTF-16', Buffer.from('\uFEFFname\n', 'utf16le')],
    ['cut off in a character', Buffer.from('name\né').subarray(0, -1)],
  ])('in %s is refused, with what to do', async (_, bytes) => {
    await expect(read(bytes)).rejects.toMatchObject({
      exitCode: 2,
      remedy: expect.stringContaining('UTF-8') as unknown,
    });
  });

  it('that is changed while it is read is noticed at its end', async () => {
    using desk = temporaryDirectory();
    const path = join(desk.path, 'a.csv');
    writeFileSync(path, 'name\nA\n');
    const input = await openInput(path);
    writeFileSync(path, 'name\nB\n');
    const reading = (async () => {
      for await (const piece of input.texts()) expect(piece).not.toBe('');
    })();
    await expect(reading).rejects.toThrow('was changed while it was read');
    input.close();
  });

  it('has to be a file', async () => {
    await expect(openInput('/nonexistent')).rejects.toThrow('cannot be read');
    await expect(openInput('/')).rejects.toThrow('is not a file');
  });
});
