import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addressRanges } from '../../src/http/address-ranges.ts';
import type { HttpServer } from '../../src/http/server.ts';
import { type Door, openDoor, raw, statusIn, type TestRoute } from './door.ts';

/** Says what arrived: a request that was smuggled in would be seen here. */
const arrived: string[] = [];
const ROUTES: TestRoute[] = [
  {
    method: 'GET',
    path: '/ok',
    summary: 'Ok',
    tag: 'test',
    demand: 'anybody',
    answers: { 200: null },
    handle: ({ path }) => {
      arrived.push(`GET ${path}`);
      return { status: 200, body: { data: 'ok' } };
    },
  },
  {
    method: 'POST',
    path: '/ok',
    summary: 'Ok',
    tag: 'test',
    demand: 'anybody',
    answers: { 200: null },
    handle: ({ path }) => {
      arrived.push(`POST ${path}`);
      return { status: 200, body: { data: 'ok' } };
    },
  },
];

let door: Door;
beforeAll(async () => {
  door = await openDoor(ROUTES);
});
afterAll(() => door[Symbol.asyncDispose]());

const H = 'Host: localhost\r\n';
const JSON_TYPE = 'Content-Type: application/json\r\n';
const SMUGGLED = 'GET /ok HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('a request that two readers could understand differently', () => {
  it.each([
    [
      'content length and chunked',
      `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`,
    ],
    [
      'two content lengths',
      `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
    ],
    [
      'two equal content lengths',
      `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`,
    ],
    ['a list of content lengths', `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Content-Length: 2, 2\r\n\r\n{}`],
    [
      'chunked, identity',
      `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    ],
    [
      'identity, chunked',
      `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Transfer-Encoding: identity, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    ],
    [
      'identity and chunked in two lines',
      `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    ],
    [
      'an unknown coding',
      `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      'chunked in HTTP/1.0',
      `POST /ok HTTP/1.0\r\n${H}${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    ],
    ['a space before the colon', `POST /ok HTTP/1.1\r\n${H}Content-Length : 2\r\n\r\n{}`],
    ['a folded header', `GET /ok HTTP/1.1\r\n${H}X-Folded: a\r\n b\r\n\r\n`],
    ['a bare line feed', `GET /ok HTTP/1.1\n${H}\n`],
    ['a bare line feed in the headers', `GET /ok HTTP/1.1\r\n${H}X: a\nY: b\r\n\r\n`],
    ['a bare carriage return', `GET /ok HTTP/1.1\r\n${H}X: a\rY: b\r\n\r\n`],
    ['a NUL', `GET /ok HTTP/1.1\r\n${H}X: a\0b\r\n\r\n`],
    ['a signed content length', `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Content-Length: +2\r\n\r\n{}`],
    ['a negative content length', `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Content-Length: -2\r\n\r\n{}`],
    [
      'a hexadecimal prefix of a chunk',
      `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n`,
    ],
    [
      'a chunk ended by a line feed',
      `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n`,
    ],
    ['no host', 'GET /ok HTTP/1.1\r\n\r\n'],
    ['two hosts', `GET /ok HTTP/1.1\r\n${H}Host: other\r\n\r\n`],
    ['two equal hosts', `GET /ok HTTP/1.1\r\n${H}${H}\r\n`],
    ['an absolute target', `GET http://localhost/ok HTTP/1.1\r\n${H}\r\n`],
    ['a target of another host', `GET http://other/ok HTTP/1.1\r\n${H}\r\n`],
    ['a target with two slashes', `GET //ok HTTP/1.1\r\n${H}\r\n`],
    ['HTTP/0.9', 'GET /ok\r\n\r\n'],
    ['HTTP/0.9 by name', `GET /ok HTTP/0.9\r\n${H}\r\n`],
    ['HTTP/2 by name', `GET /ok HTTP/2.0\r\n${H}\r\n`],
    [
      'two credentials of a kind',
      `GET /ok HTTP/1.1\r\n${H}Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n`,
    ],
    [
      'two content types',
      `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}`,
    ],
    ['an unknown expectation', `GET /ok HTTP/1.1\r\n${H}Expect: tea\r\n\r\n`],
    ['no request at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('with %s is refused, and nothing behind it runs', async (_name, bytes) => {
    arrived.length = 0;
    const answer = await raw(door.port, bytes + SMUGGLED);
    const status = statusIn(answer);
    expect([0, 400]).toContain(status);
    expect(arrived).toEqual([]);
    if (status > 0) expect(answer).toContain('"code":"MALFORMED"');
  });

  it('is TRACE: no method of ours', async () => {
    const answer = await raw(door.port, `TRACE /ok HTTP/1.1\r\n${H}Cookie: a=b\r\n\r\n`);
    expect(statusIn(answer)).toBe(405);
    expect(answer).not.toContain('a=b');
  });

  it('is CONNECT: closed', async () => {
    expect(await raw(door.port, `CONNECT other:443 HTTP/1.1\r\n${H}\r\n`)).toBe('');
  });

  it('asks for another protocol: answered in this one', async () => {
    const upgrade =
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n';
    expect(statusIn(await raw(door.port, `GET /ok HTTP/1.1\r\n${H}${upgrade}\r\n`))).toBe(200);
  });
});

describe('a request that is too much', () => {
  it('of headers over 8 KB is 431, as a problem document', async () => {
    const answer = await raw(door.port, `GET /ok HTTP/1.1\r\n${H}X: ${'a'.repeat(9000)}\r\n\r\n`);
    expect(statusIn(answer)).toBe(431);
    expect(answer).toContain('application/problem+json');
    expect(answer).toContain('"code":"HEADERS_TOO_LARGE"');
    expect(answer).toContain('X-Content-Type-Options: nosniff');
  });

  it('of target over 2 KB is 414', async () => {
    expect(statusIn(await raw(door.port, `GET /${'a'.repeat(3000)} HTTP/1.1\r\n${H}\r\n`))).toBe(414);
  });

  it('of body over 64 KB is 413, before it was sent, and without losing the answer to a reset', async () => {
    const head = `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Content-Length: 50000000\r\n\r\n`;
    const answer = await raw(door.port, head);
    expect(statusIn(answer)).toBe(413);
    expect(answer).toContain('Connection: close');
    expect(statusIn(await raw(door.port, head + 'x'.repeat(300_000)))).toBe(413);
  });

  it('of chunked body over 64 KB is 413, and its memory is not kept', async () => {
    const chunk = `1000\r\n${'x'.repeat(0x1000)}\r\n`;
    const head = `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n`;
    expect(statusIn(await raw(door.port, head + chunk.repeat(600)))).toBe(413);
  });

  it('leaves the connection to the next one when its rest is worth reading', async () => {
    arrived.length = 0;
    const body = 'x'.repeat(70_000);
    const answer = await raw(
      door.port,
      `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Content-Length: ${body.length}\r\n\r\n${body}${SMUGGLED}`,
    );
    expect(answer.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
  });

  it('may ask first, and is told to go on only when its sender may send', async () => {
    const expects = (path: string) =>
      raw(
        door.port,
        `POST ${path} HTTP/1.1\r\n${H}${JSON_TYPE}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`,
        150,
      );
    expect(statusIn(await expects('/ok'))).toBe(100);
    expect(statusIn(await expects('/nowhere'))).toBe(404);
  });
});

describe('connections', () => {
  const held = (port: number): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(false));
      setTimeout(() => resolve(true), 150).unref();
      void until.push(() => socket.destroy());
    });
  const until: (() => void)[] = [];

  it('from one address are capped; a trusted proxy is not', async () => {
    await using capped = await openDoor(ROUTES, { limits: { total: 100, perAddress: 3 } });
    const open = await Promise.all(Array.from({ length: 6 }, () => held(capped.port)));
    expect(open.filter(Boolean)).toHaveLength(3);
    await using proxied = await openDoor(ROUTES, {
      limits: { total: 100, perAddress: 3 },
      proxies: addressRanges(['127.0.0.0/8']),
    });
    const all = await Promise.all(Array.from({ length: 6 }, () => held(proxied.port)));
    expect(all.filter(Boolean)).toHaveLength(6);
    for (const end of until) end();
  });

  it('are capped in total', async () => {
    await using capped = await openDoor(ROUTES, { limits: { total: 4, perAddress: 100 } });
    const open = await Promise.all(Array.from({ length: 8 }, () => held(capped.port)));
    expect(open.filter(Boolean)).toHaveLength(4);
    expect(capped.metrics.render()).toContain('mintmark_http_connections_dropped_total 4');
    for (const end of until) end();
  });

  it('that dawdle over headers or body are gone after their time, and a normal one is served meanwhile', async () => {
    const started = performance.now();
    const slow = [
      raw(door.port, '', 30_000),
      raw(door.port, `GET /ok HTTP/1.1\r\n${H}X:`, 30_000),
      raw(door.port, `POST /ok HTTP/1.1\r\n${H}${JSON_TYPE}Content-Length: 10\r\n\r\n{`, 30_000),
    ];
    expect((await door.fetch('/ok')).status).toBe(200);
    const [idle = '', headers = '', body = ''] = await Promise.all(slow);
    expect(performance.now() - started).toBeLessThan(25_000);
    for (const answer of [idle, headers, body]) expect([0, 408]).toContain(statusIn(answer));
    expect(statusIn(headers)).toBe(408);
    expect(headers).toContain('"code":"REQUEST_TIMEOUT"');
  });

  it('carry at most 1000 requests', async () => {
    const answer = await raw(door.port, SMUGGLED.repeat(1001), 2000);
    const served = answer.match(/HTTP\/1\.1 200/g) ?? [];
    expect(served.length).toBeLessThanOrEqual(1000);
    expect(answer).toContain('Connection: close');
  });
});

describe('stopping', () => {
  const slowRoute = (release: Promise<void>): TestRoute => ({
    method: 'GET',
    path: '/slow',
    summary: 'Slow',
    tag: 'test',
    demand: 'anybody',
    answers: { 200: null },
    handle: async () => {
      await release;
      return { status: 200, body: { data: 'done' } };
    },
  });
  const stopped = async (server: HttpServer): Promise<string> => {
    await server.stop();
    return 'stopped';
  };

  it('lets a running request finish, and takes no new one', async () => {
    let release: () => void = () => undefined;
    const draining = await openDoor([
      slowRoute(
        new Promise((resolve) => {
          release = resolve;
        }),
      ),
    ]);
    const running = draining.fetch('/slow');
    while (!draining.metrics.render().includes('mintmark_http_requests_running 1')) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const stop = stopped(draining.server);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(await raw(draining.port, SMUGGLED)).toBe('');
    release();
    expect((await running).status).toBe(200);
    expect(await stop).toBe('stopped');
  });

  it('ends idle connections at once', async () => {
    const idle = await openDoor(ROUTES);
    await idle.fetch('/ok');
    const started = performance.now();
    await idle.server.stop();
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
