import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningDaemon, startDaemon, temporaryDirectory } from '../../support/daemon.ts';
import { type Answered, ask } from '../appliance.ts';
import { askSocket } from '../socket.ts';

const PATH = '/api/v1/tenants';
const directory = temporaryDirectory();
let daemon: RunningDaemon;
let socket: string;

beforeAll(async () => {
  daemon = await startDaemon(directory.path);
  socket = join(directory.path, 'data', 'run', 'operator.sock');
});
afterAll(async () => {
  await daemon.stop();
  directory[Symbol.dispose]();
});

const operator = (line: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answered> => {
  const [method = 'GET', path = ''] = line.split(' ');
  return askSocket(socket, { method, path, body, headers });
};
const make = (code: string, headers: Record<string, string> = {}): Promise<Answered> =>
  operator(`POST ${PATH}`, { code, name: `The ${code}`, contact: 'ops@example.test' }, headers);

describe('a tenant', () => {
  it('comes with two realms, keys and a trust bundle, all of them usable at once', async () => {
    const made = await make('northwind');
    expect([made.status, made.data['status'], made.data['contact']]).toEqual([
      201,
      'active',
      'ops@example.test',
    ]);
    expect(made.data['roots']).toHaveLength(1);
    const bundle = await ask(daemon.url, { path: '/api/v1/tenants/northwind/trust-bundle' });
    expect(bundle.status).toBe(200);
    for (const environment of ['live', 'test']) {
      const headers = { 'x-mintmark-tenant': 'northwind', 'x-mintmark-environment': environment };
      const key = await operator('POST /api/v1/api-keys', { name: 'k', scopes: ['products:write'] }, headers);
      expect(key.data['environment']).toBe(environment);
      const product = await ask(daemon.url, {
        method: 'POST',
        path: '/api/v1/products',
        key: String(key.data['key']),
        body: { code: 'app', name: 'App' },
      });
      expect(product.status).toBe(201);
    }
  });

  it('has a code of its own, and keeps it', async () => {
    await make('fabrikam');
    const again = await make('fabrikam');
    expect([again.status, again.code]).toEqual([409, 'CONFLICT']);
    const list = await operator(`GET ${PATH}`);
    const found = (list.body['data'] as { id: string; code: string }[]).filter(
      ({ code }) => code === 'fabrikam',
    );
    expect(found).toHaveLength(1);
    const renamed = await operator(`PATCH ${PATH}/${found[0]?.id ?? ''}`, { code: 'other' });
    expect(renamed.code).toBe('VALIDATION_FAILED');
  });

  it('is made once by a repeated request', async () => {
    const headers = { 'idempotency-key': 'make-contoso' };
    const [first, second] = [await make('contoso', headers), await make('contoso', headers)];
    expect(second.data).toEqual(first.data);
    expect([second.status, second.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
  });

  it('changes only as whoever changes it has seen it', async () => {
    const made = await make('adatum');
    const path = `${PATH}/${String(made.data['id'])}`;
    const etag = made.headers.get('etag') ?? '';
    const changed = await operator(
      `PATCH ${path}`,
      { name: 'Adatum Ltd', maxLicenses: 5 },
      { 'if-match': etag },
    );
    expect(changed.data).toMatchObject({ name: 'Adatum Ltd', maxLicenses: 5, contact: 'ops@example.test' });
    const stale = await operator(`PATCH ${path}`, { name: 'x' }, { 'if-match': etag });
    expect([stale.status, stale.code]).toEqual([412, 'PRECONDITION_FAILED']);
    expect((await operator(`GET ${path}`)).headers.get('etag')).toBe(changed.headers.get('etag'));
  });

  it('that is suspended has no keys that work, until it is active again', async () => {
    const made = await make('litware');
    const path = `${PATH}/${String(made.data['id'])}`;
    const headers = { 'x-mintmark-tenant': 'litware' };
    const { data } = await operator(
      'POST /api/v1/api-keys',
      { name: 'k', scopes: ['products:read'] },
      headers,
    );
    const use = () => ask(daemon.url, { path: '/api/v1/products', key: String(data['key']) });
    expect((await use()).status).toBe(200);
    await operator(`PATCH ${path}`, { status: 'suspended' });
    expect((await use()).status).toBe(401);
    expect((await ask(daemon.url, { path: '/api/v1/tenants/litware/trust-bundle' })).status).toBe(200);
    await operator(`PATCH ${path}`, { status: 'active' });
    expect((await use()).status).toBe(200);
  });

  it('is for the local operator alone', async () => {
    for (const key of [daemon.live.secretKey, daemon.live.publishableKey]) {
      expect((await ask(daemon.url, { path: PATH, key })).code).toBe('OPERATOR_ONLY');
    }
    expect((await ask(daemon.url, { path: PATH })).code).toBe('UNAUTHENTICATED');
    expect((await ask(daemon.url, { path: PATH, headers: { 'x-mintmark-tenant': 'dev' } })).status).toBe(401);
  });
});
