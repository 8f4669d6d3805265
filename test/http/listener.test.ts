import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressRanges } from '../../src/http/address-ranges.ts';
import { mayServePlain, refuseExposedPlace } from '../../src/http/listener.ts';
import { openDoor } from './door.ts';

const none = addressRanges([]);
const site = addressRanges(['10.20.0.0/16', 'fd00::/8']);
const accepts = (host: string, allowed = none): boolean => {
  try {
    refuseExposedPlace('api', { host, port: 0 }, allowed);
    return true;
  } catch {
    return false;
  }
};

describe('a place to listen', () => {
  it.each(['127.0.0.1', '127.9.9.9', '::1', 'localhost'])('may be %s: this machine', (host) => {
    expect(accepts(host)).toBe(true);
  });

  it.each(['0.0.0.0', '::', '10.20.0.1', '192.168.0.1', 'fd00::1', 'appliance.example', ''])(
    'may not be %j without TLS',
    (host) => {
      expect(accepts(host)).toBe(false);
    },
  );

  it('may be what allowPlain names, and then serves only whom it names', () => {
    expect(['10.20.0.1', 'fd00::1', '0.0.0.0', '::'].map((host) => accepts(host, site))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(['10.21.0.1', '192.168.0.1'].map((host) => accepts(host, site))).toEqual([false, false]);
    expect(
      ['10.20.9.9', '127.0.0.1', '::ffff:10.20.1.1', 'fd12::3'].map((peer) => mayServePlain(peer, site)),
    ).toEqual([true, true, true, true]);
    expect(
      ['10.21.0.1', '203.0.113.9', '::ffff:203.0.113.9'].map((peer) => mayServePlain(peer, site)),
    ).toEqual([false, false, false]);
  });

  it('that is taken is refused with a remedy', async () => {
    await using first = await openDoor([]);
    await expect(
      first.server.listen('metrics', { host: '127.0.0.1', port: first.port }),
    ).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(
        /^metrics\.host and metrics\.port: cannot listen: .*EADDRINUSE/,
      ) as string,
    });
  });
});

describe('a Unix socket', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'mintmark-socket-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('is open to its owner alone, or as said', async () => {
    await using door = await openDoor([]);
    const [own, group] = [join(directory, 'own.sock'), join(directory, 'group.sock')];
    await door.server.listen('operator', { path: own, mode: 0o600 });
    await door.server.listen('api', { path: group, mode: 0o660 });
    expect([own, group].map((path) => (statSync(path).mode & 0o777).toString(8))).toEqual(['600', '660']);
  });

  it('takes the place of one that a killed process left, never of a file', async () => {
    const path = join(directory, 'left.sock');
    const left = createServer().listen(path);
    await new Promise((resolve) => left.once('listening', resolve));
    await using door = await openDoor([]);
    await door.server.listen('operator', { path, mode: 0o600 });
    left.close();
    const file = join(directory, 'file.sock');
    writeFileSync(file, 'precious');
    await expect(door.server.listen('operator', { path: file, mode: 0o600 })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    expect(statSync(file).size).toBe(8);
  });

  it('with a path longer than the system takes is refused', async () => {
    await using door = await openDoor([]);
    const path = join(directory, 'x'.repeat(120));
    await expect(door.server.listen('operator', { path, mode: 0o600 })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});

describe('the metrics door', () => {
  it('serves metrics and nothing else; the others do not', async () => {
    await using door = await openDoor([]);
    const place = await door.server.listen('metrics', { host: '127.0.0.1', port: 0 });
    const port = 'port' in place ? place.port : 0;
    await door.fetch('/nowhere');
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
    const text = await answer.text();
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(text).toContain('mintmark_http_requests_total{route="-",status="4xx"} 1');
    expect(text).toContain('mintmark_http_problems_total{code="NOT_FOUND"} 1');
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(404);
    expect((await door.fetch('/metrics')).status).toBe(404);
  });
});
