import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Ballast } from '../../src/storage/ballast.ts';
import { DiskGuard, freeBytesOf } from '../../src/storage/disk-guard.ts';

const MIB = 1024 * 1024;

let directory = '';
/** Free space as the system would report it without the ballast. */
let free = 0;
let writesFail = false;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mintmark-disk-'));
  free = 1000 * MIB;
  writesFail = false;
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function guard(): DiskGuard {
  const ballast = new Ballast(join(directory, 'ballast'), 3 * MIB);
  return new DiskGuard({
    ballast,
    reserveBytes: 100 * MIB,
    freeBytes: () => free - (ballast.held ? ballast.bytes : 0),
    writesFail: () => writesFail,
  });
}

describe('the ballast', () => {
  it('takes its space for real, and gives it back', async () => {
    const ballast = new Ballast(join(directory, 'ballast'), 5 * MIB + 1);
    expect(await ballast.hold()).toBe(true);
    expect(statSync(join(directory, 'ballast')).size).toBe(5 * MIB + 1);
    expect(statSync(join(directory, 'ballast')).blocks * 512).toBeGreaterThanOrEqual(5 * MIB);
    ballast.free();
    expect(ballast.held).toBe(false);
    ballast.free();
  });

  it('holds nothing when it is set to nothing', async () => {
    const ballast = new Ballast(join(directory, 'ballast'), 0);
    expect(await ballast.hold()).toBe(true);
    expect(ballast.held).toBe(false);
  });
});

describe('the disk guard', () => {
  it('holds the ballast while there is room', async () => {
    expect(await guard().check()).toMatchObject({ state: 'ok', ballast: 'held' });
  });

  it('is full below the reserve, gives up the ballast, and is not deceived by what it gave up', async () => {
    const watch = guard();
    await watch.check();
    free = 100 * MIB;
    expect(await watch.check()).toMatchObject({ state: 'full', ballast: 'freed' });
    expect(await watch.check()).toMatchObject({ state: 'full', ballast: 'freed', freeBytes: 100 * MIB });
  });

  it('is full when SQLite was refused room, whatever the system says is free', async () => {
    const watch = guard();
    writesFail = true;
    expect(await watch.check()).toMatchObject({ state: 'full', ballast: 'freed' });
  });

  it('recovers by itself with room to spare, and takes the ballast back', async () => {
    const watch = guard();
    free = 50 * MIB;
    await watch.check();
    free = 104 * MIB;
    expect((await watch.check()).state).toBe('full');
    free = 120 * MIB;
    expect(await watch.check()).toMatchObject({ state: 'ok', ballast: 'held' });
    expect((await watch.check()).state).toBe('ok');
  });

  it('reads the free space of a real directory', () => {
    expect(freeBytesOf(directory)).toBeGreaterThan(0);
  });
});
