import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InitialisedAppliance, initAppliance, serveAppliance } from '../support/appliance-process.ts';
import { send, temporaryDirectory } from '../support/daemon.ts';

/** Far more lines than fit a pipe and what its other end reads ahead. */
const REQUESTS = 1500;
const AT_A_TIME = 50;

const directory = temporaryDirectory();
let appliance: InitialisedAppliance;
beforeAll(async () => {
  appliance = await initAppliance(directory.path);
});
afterAll(() => {
  directory[Symbol.dispose]();
});

async function askOften(url: string): Promise<Set<number>> {
  const statuses = new Set<number>();
  for (let asked = 0; asked < REQUESTS; asked += AT_A_TIME) {
    const many = Array.from({ length: AT_A_TIME }, () =>
      send({ url, key: appliance.secretKey }, { method: 'GET', path: '/products' }),
    );
    for (const { status } of await Promise.all(many)) statuses.add(status);
  }
  return statuses;
}

describe('a reader of the log that has stopped reading', () => {
  it('stops neither answers nor the end', async () => {
    const daemon = await serveAppliance(appliance);
    daemon.child.stdout?.pause();
    expect(await askOften(daemon.url)).toEqual(new Set([200]));
    // Nobody reads to the end either: what waits in the pipe is left there.
    daemon.child.kill('SIGTERM');
    expect(await daemon.exited).toBe(0);
    expect(daemon.stdout()).not.toContain('"message":"stopped"');
  });

  it('and is gone for good stops neither', async () => {
    const daemon = await serveAppliance(appliance);
    daemon.child.stdout?.destroy();
    expect(await askOften(daemon.url)).toEqual(new Set([200]));
    daemon.child.kill('SIGTERM');
    expect(await daemon.exited).toBe(0);
  });
});

describe('a daemon that was told to stop', () => {
  it('ends although something in it would go on for ever', async () => {
    const forever = '--import=data:text/javascript,setInterval(()=>undefined,1000)';
    const daemon = await serveAppliance(appliance, [], { env: { NODE_OPTIONS: forever } });
    expect(await daemon.stop()).toBe(0);
    expect(daemon.stdout()).toContain('"message":"stopped"');
  });
});
