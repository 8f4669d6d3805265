import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { noSmallDisk, smallDisk } from '../support/small-disk.ts';
import { creates, openDesk, stateOf, validates } from './desk.ts';

const missing = noSmallDisk();
/** It looks at the disk every second. */
const PATIENCE = 100;

/** operations.md, Drills: disk-full; by itself after space returns. */
it.skipIf(missing !== undefined)(
  `disk full: it reads and validates, takes no writes, and goes on by itself when there is room${missing === undefined ? '' : `: NOT TRIED, ${missing}`}`,
  async () => {
    using disk = smallDisk('16m');
    using desk = await openDesk(disk.path);
    const daemon = await desk.start();
    disk.fill();
    expect(await creates(desk, daemon)).toBe('DISK_FULL');
    expect(await stateOf(desk)).toBe('disk-full');
    expect(await validates(desk, daemon)).toBe('VALID');
    const looked = await desk.run(['doctor']);
    expect([looked.code, looked.stdout]).toEqual([
      3,
      expect.stringMatching(/FAILED +disk: 0 MiB are free, 1 are needed/),
    ]);
    disk.makeRoom();
    let last = await creates(desk, daemon);
    for (let n = 0; last !== 'done' && n < PATIENCE; n += 1) {
      await sleep(50);
      last = await creates(desk, daemon);
    }
    expect([last, await stateOf(desk)]).toEqual(['done', 'ready']);
    await daemon.stop();
  },
);
