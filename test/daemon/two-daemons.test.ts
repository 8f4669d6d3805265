import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { send, startDaemon, temporaryDirectory } from '../support/daemon.ts';

describe('one data directory', () => {
  it('is refused to a second daemon, which names the first; a kill lets the next one in', async () => {
    using directory = temporaryDirectory();
    const place = join(directory.path, 'appliance');
    const first = await startDaemon(place);
    const pid = String(first.child.pid);
    await expect(startDaemon(place)).rejects.toThrow(
      new RegExp(`ended with 1: (.|\\n)*DATA_DIRECTORY_IN_USE: .*locked by process ${pid}\\b`),
    );
    // The first one goes on as if nothing had happened, its operator socket included.
    expect((await send({ url: first.url }, { method: 'GET', path: '/trust-bundle' })).status).toBe(200);
    await first.kill();
    const next = await startDaemon(place);
    expect(next.child.pid).not.toBe(first.child.pid);
    expect(await next.stop()).toBe(0);
  });
});
