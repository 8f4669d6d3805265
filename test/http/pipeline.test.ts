import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Fault } from '../../src/faults.ts';
import { addressRanges } from '../../src/http/address-ranges.ts';
import { routeOf } from '../../src/http/route.ts';
import { present } from '../../src/lib/invariant.ts';
import { openDoor, send, type TestDemand, type TestPermit } from './door.ts';

const route = routeOf<TestPermit, TestDemand>();

const THING = z.strictObject({
  name: z.string().max(5),
  metadata: z.record(z.string(), z.string()).optional(),
});

const ROUTES = [
  route({
    method: 'POST',
    path: '/api/v1/things',
    summary: 'Make a thing',
    tag: 'things',
    demand: 'somebody',
    body: THING,
    answers: { 201: z.strictObject({ data: THING }) },
    handle: ({ body }) => ({ status: 201, body: { data: body }, headers: { ETag: '"abc.1"' } }),
  }),
  route({
    method: 'GET',
    path: '/api/v1/things/{id}',
    summary: 'Read a thing',
    tag: 'things',
    demand: 'anybody',
    params: z.strictObject({ id: z.string().regex(/^thing_[a-zA-Z0-9]+$/) }),
    query: z.strictObject({ deep: z.stringbool().optional() }),
    answers: { 200: null },
    handle: ({ params, query, address, requestId, path }) => ({
      status: 200,
      body: { data: { ...params, ...query, address, requestId, path } },
    }),
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/things/{id}',
    summary: 'Delete a thing',
    tag: 'things',
    demand: 'anybody',
    answers: { 204: null },
    handle: () => ({ status: 204 }),
  }),
  route({
    method: 'GET',
    path: '/api/v1/file',
    summary: 'Bytes',
    tag: 'things',
    demand: 'anybody',
    answers: { 200: null },
    handle: () => ({
      status: 200,
      raw: { bytes: Buffer.from([0, 255]), contentType: 'application/octet-stream', filename: 'lic_1.lic' },
    }),
  }),
  route({
    method: 'GET',
    path: '/api/v1/broken',
    summary: 'Fail',
    tag: 'things',
    demand: 'anybody',
    answers: { 200: null },
    handle: () => {
      throw new Error('secret detail of our insides');
    },
  }),
];

interface ProblemBody {
  readonly code: string;
  readonly status: number;
  readonly detail: string;
  readonly requestId: string;
  readonly errors?: { path: string; code: string; message: string }[];
}

const json = { 'content-type': 'application/json' };
const somebody = { authorization: 'Bearer anna' };

describe('an answer', () => {
  it('carries the security headers, a request id, and nothing of what we run on', async () => {
    await using door = await openDoor(ROUTES);
    const answer = await door.fetch('/api/v1/things/thing_a');
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': expect.stringContaining("default-src 'none'") as string,
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'permissions-policy': expect.stringContaining('camera=()') as string,
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'content-type': 'application/json; charset=utf-8',
      'x-request-id': expect.stringMatching(/^req_[0-9A-Z]{26}$/) as string,
    });
    expect(answer.headers.get('server')).toBeNull();
    expect(answer.headers.get('x-powered-by')).toBeNull();
  });

  it('echoes a harmless request id and replaces any other', async () => {
    await using door = await openDoor(ROUTES);
    const ids = { 'a.b-C_9': 'a.b-C_9', 'with space': null, ['x'.repeat(65)]: null };
    for (const [given, echoed] of Object.entries(ids)) {
      const answer = await door.fetch('/api/v1/things/thing_a', { headers: { 'x-request-id': given } });
      const id = answer.headers.get('x-request-id');
      expect(echoed ?? id).toBe(id);
      if (echoed === null) expect(id).toMatch(/^req_/);
    }
  });

  it('never names the caller’s request id where things are recorded, and the log leads from one to the other', async () => {
    const recorded: string[] = [];
    await using door = await openDoor(ROUTES, {
      authorise: (_who, _demand, { requestId }) => {
        recorded.push(requestId);
        return { allowed: false, code: 'INSUFFICIENT_SCOPE', rule: 'test' };
      },
      refused: ({ requestId }) => void recorded.push(requestId),
      beforeAnswer: (requestId) => {
        recorded.push(requestId);
        return Promise.resolve();
      },
    });
    const answer = await door.fetch('/api/v1/file', { headers: { 'x-request-id': 'jane.doe' } });
    expect(answer.headers.get('x-request-id')).toBe('jane.doe');
    const [line] = door.lines;
    expect(line?.fields).toMatchObject({ requestId: 'jane.doe' });
    expect(line?.fields['ownRequestId']).toMatch(/^req_[0-9A-Z]{26}$/);
    expect(new Set(recorded)).toEqual(new Set([line?.fields['ownRequestId']]));
    expect(recorded).toHaveLength(2);
  });

  it('may be bytes with their own type and name', async () => {
    await using door = await openDoor(ROUTES);
    const answer = await door.fetch('/api/v1/file');
    expect(answer.headers.get('content-type')).toBe('application/octet-stream');
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="lic_1.lic"');
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(Buffer.from([0, 255]));
  });

  it('to HEAD is that to GET without its body', async () => {
    await using door = await openDoor(ROUTES);
    const got = await send(door.port, {
      method: 'GET',
      path: '/api/v1/things/thing_a',
      headers: { 'x-request-id': 'r' },
    });
    const head = await send(door.port, {
      method: 'HEAD',
      path: '/api/v1/things/thing_a',
      headers: { 'x-request-id': 'r' },
    });
    expect(head.status).toBe(200);
    expect(head.body).toBe('');
    expect(head.headers['content-length']).toBe(got.headers['content-length']);
  });

  it('without a body has neither type nor length', async () => {
    await using door = await openDoor(ROUTES);
    const answer = await door.fetch('/api/v1/things/thing_a', { method: 'DELETE' });
    expect(answer.status).toBe(204);
    expect(answer.headers.get('content-type')).toBeNull();
  });
});

describe('a problem', () => {
  const problem = async (answer: Response): Promise<ProblemBody> => {
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    const body = (await answer.json()) as ProblemBody;
    expect(body.status).toBe(answer.status);
    expect(body.requestId).toBe(answer.headers.get('x-request-id'));
    return body;
  };

  it('is 404 for a path nobody knows, and for an id that cannot be one', async () => {
    await using door = await openDoor(ROUTES);
    for (const path of [
      '/nowhere',
      '/api/v1/things/thing-A',
      '/api/v1/things/%zz',
      '/api/v1/things/thing_a/',
      '/API/v1/file',
    ]) {
      expect((await problem(await door.fetch(path))).code).toBe('NOT_FOUND');
    }
  });

  it('is 405 with the methods there are; OPTIONS says them too', async () => {
    await using door = await openDoor(ROUTES);
    const refused = await door.fetch('/api/v1/things/thing_a', { method: 'PUT' });
    expect((await problem(refused)).code).toBe('METHOD_NOT_ALLOWED');
    expect(refused.headers.get('allow')).toBe('DELETE, GET, HEAD, OPTIONS');
    const options = await door.fetch('/api/v1/things/thing_a', { method: 'OPTIONS' });
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'DELETE, GET, HEAD, OPTIONS']);
    expect(options.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('is 401 with a challenge, and recorded as a refusal, without credentials or with unknown ones', async () => {
    await using door = await openDoor(ROUTES);
    for (const headers of [json, { ...json, authorization: 'Bearer nobody' }]) {
      const answer = await door.fetch('/api/v1/things', { method: 'POST', headers, body: '{}' });
      expect((await problem(answer)).code).toBe('UNAUTHENTICATED');
      expect(answer.headers.get('www-authenticate')).toContain('Bearer');
    }
    expect(door.refusals.map(({ who, code, action }) => [who, code, action])).toEqual([
      ['anonymous', 'UNAUTHENTICATED', 'POST /api/v1/things'],
      [null, 'UNAUTHENTICATED', 'POST /api/v1/things'],
    ]);
  });

  it('is 401 for whoever was revoked while his body was still on its way, and nothing is done', async () => {
    let revoked = false;
    const made: string[] = [];
    const create = present(ROUTES[0], 'the first route makes things');
    const watched = route({ ...create, handle: (call) => (made.push('thing'), create.handle(call)) });
    await using door = await openDoor([watched], {
      identify: () =>
        revoked
          ? { known: false, fault: new Fault('UNAUTHENTICATED', 'revoked'), rule: 'test' }
          : { known: true, who: 'somebody', name: 'somebody', anonymous: false },
    });
    const status = await new Promise((resolve, reject) => {
      const headers = { ...json, ...somebody };
      const options = { port: door.port, method: 'POST', path: '/api/v1/things', headers };
      const sent = request(options, (answer) => resolve(answer.resume().statusCode)).on('error', reject);
      sent.write('{"name":');
      setTimeout(() => {
        revoked = true;
        sent.end('"a"}');
      }, 200);
    });
    expect(status).toBe(401);
    expect(made).toEqual([]);
    expect(door.refusals).toHaveLength(1);
  });

  it('lists what is wrong with a body, by path, without its values', async () => {
    await using door = await openDoor(ROUTES);
    const body = JSON.stringify({ name: 'topsecret', metadata: { color: 7 }, extra: 1 });
    const answer = await door.fetch('/api/v1/things', {
      method: 'POST',
      headers: { ...json, ...somebody },
      body,
    });
    const { code, errors, ...rest } = await problem(answer);
    expect(code).toBe('VALIDATION_FAILED');
    expect(errors?.map(({ path, code: what }) => [path, what])).toEqual([
      ['name', 'TOO_BIG'],
      ['metadata.color', 'INVALID_TYPE'],
      ['extra', 'UNKNOWN_MEMBER'],
    ]);
    expect(JSON.stringify([rest, errors])).not.toContain('topsecret');
  });

  it('says which member is missing', async () => {
    await using door = await openDoor(ROUTES);
    const answer = await door.fetch('/api/v1/things', { method: 'POST', headers: somebody });
    expect((await problem(answer)).errors).toEqual([
      { path: 'name', code: 'REQUIRED', message: 'is required' },
    ]);
  });

  it.each([
    ['{"name":"a","name":"b"}', 400, 'MALFORMED'],
    ['{"__proto__":{}}', 400, 'MALFORMED'],
    ['{', 400, 'MALFORMED'],
    ['[]', 422, 'VALIDATION_FAILED'],
    ['null', 422, 'VALIDATION_FAILED'],
    ['['.repeat(40) + ']'.repeat(40), 400, 'MALFORMED'],
    [`"${'x'.repeat(70_000)}"`, 413, 'BODY_TOO_LARGE'],
  ])('of the body %.30s is %i %s', async (body, status, code) => {
    await using door = await openDoor(ROUTES);
    const answer = await door.fetch('/api/v1/things', {
      method: 'POST',
      headers: { ...json, ...somebody },
      body,
    });
    expect([answer.status, (await problem(answer)).code]).toEqual([status, code]);
  });

  it.each([
    [{ 'content-type': 'text/plain' }],
    [{ 'content-type': 'application/json; charset=latin1' }],
    [{ 'content-type': 'application/json', 'content-encoding': 'gzip' }],
    [{}],
  ])('of a body announced as %j is 415', async (headers) => {
    await using door = await openDoor(ROUTES);
    const body = Buffer.from('{"name":"a"}');
    const answer = await door.fetch('/api/v1/things', {
      method: 'POST',
      headers: { ...headers, ...somebody },
      body,
    });
    expect((await problem(answer)).code).toBe('UNSUPPORTED_MEDIA_TYPE');
  });

  it('of a query with an unknown, doubled or wrong member says so', async () => {
    await using door = await openDoor(ROUTES);
    const codes = await Promise.all(
      ['?deep=true&x=1', '?deep=true&deep=true', '?deep=maybe'].map(
        async (query) => (await problem(await door.fetch(`/api/v1/things/thing_a${query}`))).code,
      ),
    );
    expect(codes).toEqual(['VALIDATION_FAILED', 'MALFORMED', 'VALIDATION_FAILED']);
    expect((await problem(await door.fetch('/api/v1/file?x=1'))).code).toBe('VALIDATION_FAILED');
  });

  it('of a body where none belongs is 400', async () => {
    await using door = await openDoor(ROUTES);
    const answer = await door.fetch('/api/v1/things/thing_a', {
      method: 'DELETE',
      headers: json,
      body: '{"a":1}',
    });
    expect((await problem(answer)).code).toBe('MALFORMED');
  });

  it('that is ours says nothing of our insides; the log line has them, with the same request id', async () => {
    await using door = await openDoor(ROUTES);
    const answer = await door.fetch('/api/v1/broken');
    const body = await problem(answer);
    expect([answer.status, body.code]).toEqual([500, 'INTERNAL']);
    expect(JSON.stringify(body)).not.toMatch(/secret detail|\.ts\b|\bat .*:\d/);
    const line = door.lines.find(({ level }) => level === 'error');
    expect(line?.fields).toMatchObject({ requestId: body.requestId, route: 'GET /api/v1/broken' });
    expect(String((line?.fields['error'] as Error).stack)).toContain('secret detail');
  });
});

describe('the log line of a request', () => {
  it('names the route by its pattern and the id, never the query or a credential', async () => {
    await using door = await openDoor(ROUTES);
    await door.fetch('/api/v1/things/thing_01J9ZC3T5K8M2N4P6Q7R9S0TVW?deep=true', {
      headers: { ...somebody, traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
    });
    const [line] = door.lines;
    expect(line?.message).toBe('request');
    expect(line?.fields).toMatchObject({
      route: 'GET /api/v1/things/{id}',
      ids: { id: 'thing_01J9ZC3T5K8M2N4P6Q7R9S0TVW' },
      status: 200,
      caller: 'anna',
      address: '127.0.0.1',
      traceId: '0af7651916cd43dd8448eb211c80319c',
    });
    expect(JSON.stringify(line)).not.toMatch(/deep|Bearer/);
  });

  it('does not repeat a path that leads nowhere', async () => {
    await using door = await openDoor(ROUTES);
    await door.fetch('/api/v1/things/ACME-AAAA-BBBB-CCCC-DDDD');
    await door.fetch('/ACME-AAAA-BBBB-CCCC-DDDD');
    expect(door.lines).toHaveLength(2);
    expect(JSON.stringify(door.lines)).not.toContain('ACME');
  });
});

describe('the address of a client', () => {
  const addressSeen = async (trusted: string[], headers: Record<string, string>): Promise<string> => {
    await using door = await openDoor(ROUTES, { proxies: addressRanges(trusted) });
    const answer = await door.fetch('/api/v1/things/thing_a', { headers });
    const { data } = (await answer.json()) as { data: { address: string } };
    return data.address;
  };

  it.each([
    [[], { 'x-forwarded-for': '10.9.9.9' }, '127.0.0.1'],
    [['127.0.0.1'], { 'x-forwarded-for': '10.9.9.9' }, '10.9.9.9'],
    [['127.0.0.1'], { 'x-forwarded-for': '1.1.1.1, 10.9.9.9' }, '10.9.9.9'],
    [['127.0.0.0/8', '10.0.0.0/8'], { 'x-forwarded-for': '6.6.6.6, 1.1.1.1, 10.9.9.9' }, '1.1.1.1'],
    [['127.0.0.1'], { 'x-forwarded-for': 'evil, unknown' }, '127.0.0.1'],
    [['127.0.0.1'], { 'x-forwarded-for': '10.9.9.9:4711' }, '10.9.9.9'],
    [['127.0.0.1'], { forwarded: 'for="[2001:db8::1]:4711";proto=https' }, '2001:db8::1'],
    [['127.0.0.1'], { forwarded: 'for=10.9.9.9, for=10.8.8.8' }, '10.8.8.8'],
    [['127.0.0.1'], { forwarded: 'for=10.9.9.9', 'x-forwarded-for': '6.6.6.6' }, '127.0.0.1'],
    [['127.0.0.1'], { forwarded: 'for=10.9.9.9', 'x-forwarded-for': '10.9.9.9' }, '10.9.9.9'],
    [['127.0.0.1'], {}, '127.0.0.1'],
  ])('with trusted proxies %j and headers %j is %s', async (trusted, headers, address) => {
    expect(await addressSeen(trusted, headers as Record<string, string>)).toBe(address);
  });
});
