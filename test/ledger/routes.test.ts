import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { describe, expect, it } from 'vitest';
import type { Demand, Permit } from '../../src/access/index.ts';
import type { Route } from '../../src/http/route.ts';
import { append } from '../../src/ledger/append.ts';
import { auditRoutes } from '../../src/ledger/routes.ts';
import { ask } from '../delivery/ask.ts';
import { testAuthority } from '../support/storage.ts';
import { happening, type OpenLedger, openLedger, record } from './open-ledger.ts';

function auditRoute(open: OpenLedger): Route<Permit, Demand> {
  const [route] = auditRoutes(open);
  if (route === undefined) throw new Error('the ledger has one route');
  return route;
}

const audit = (open: OpenLedger, query: Record<string, string> = {}, realm = open.acme.live) =>
  ask(auditRoute(open), realm, query);

const targets = (page: ReturnType<typeof audit>): unknown[] =>
  page.data.map(({ target }) => (target as { id: string }).id); // as the documented answer says

describe('GET /api/v1/audit', () => {
  it('demands the scope of the audit log', async () => {
    expect(auditRoute(await openLedger())).toMatchObject({
      path: '/api/v1/audit',
      demand: { scope: 'audit:read', also: [] },
    });
  });

  it("shows the realm's own entries with their place in the ledger, and no other realm's", async () => {
    const open = await openLedger();
    const start = open.ledger.head().size;
    await record(open, happening('lic_a'));
    await record(open, happening('lic_b'), open.globex.live);
    await record(open, happening('appliance'), null);
    await record(open, happening('lic_c'));
    const page = audit(open);
    expect(targets(page)).toEqual(['lic_a', 'lic_c']);
    expect(page.data.map(({ index }) => index)).toEqual([start, start + 3]);
    expect(page.data.map(({ realm }) => realm)).toEqual(['ten_acme/live', 'ten_acme/live']);
    expect(targets(audit(open, {}, open.globex.live))).toEqual(['lic_b']);
    expect(targets(audit(open, {}, open.acme.test))).toEqual([]);
  });

  it('pages with the index as cursor', async () => {
    const open = await openLedger();
    for (const id of ['lic_a', 'lic_b', 'lic_c']) await record(open, happening(id));
    const first = audit(open, { limit: '2' });
    expect(targets(first)).toEqual(['lic_a', 'lic_b']);
    expect(first.pagination).toEqual({ nextCursor: String(first.data[1]?.['index']), hasMore: true });
    const rest = audit(open, { limit: '2', after: String(first.pagination.nextCursor) });
    expect(targets(rest)).toEqual(['lic_c']);
    expect(rest.pagination).toEqual({ nextCursor: null, hasMore: false });
  });

  it('goes through the entries newest first, and stops at the index it was told', async () => {
    const open = await openLedger();
    for (const id of ['lic_a', 'lic_b', 'lic_c']) await record(open, happening(id));
    const first = audit(open, { order: 'newest', limit: '2' });
    expect(targets(first)).toEqual(['lic_c', 'lic_b']);
    const before = String(first.pagination.nextCursor);
    const rest = audit(open, { order: 'newest', limit: '2', before });
    expect(targets(rest)).toEqual(['lic_a']);
    expect(rest.pagination.hasMore).toBe(false);
    const after = String(rest.data[0]?.['index']);
    expect(targets(audit(open, { order: 'newest', after }))).toEqual(['lic_c', 'lic_b']);
  });

  it('finds what happened to a licence and to its machines and files, and nothing of another', async () => {
    const open = await openLedger();
    const of = (id: string, kind: string, licenseId: string) =>
      happening(id, { target: { kind, id }, after: { id, licenseId } });
    await record(open, happening('lic_a'));
    await record(open, of('mach_a', 'machine', 'lic_a'));
    await record(open, of('mach_b', 'machine', 'lic_b'));
    await record(open, of('file_a', 'file', 'lic_a'));
    await record(open, of('mach_x', 'machine', 'lic_a'), open.globex.live);
    // An operator who stands in one realm makes another: what he did there is found there.
    await open.work.run(testAuthority(open.acme.live), (tx) => {
      append(tx, { ...happening('ten_new'), realm: open.globex.live });
    });
    expect(targets(audit(open, { subject: 'ten_new' }, open.globex.live))).toEqual(['ten_new']);
    expect(targets(audit(open, { subject: 'ten_new' }))).toEqual([]);
    expect(targets(audit(open, { subject: 'lic_a' }))).toEqual(['lic_a', 'mach_a', 'file_a']);
    expect(targets(audit(open, { subject: 'mach_b' }))).toEqual(['mach_b']);
    expect(targets(audit(open, { subject: 'lic_none' }))).toEqual([]);
    expect(targets(audit(open, { subject: 'lic_a' }, open.globex.live))).toEqual(['mach_x']);
    const newest = audit(open, { subject: 'lic_a', order: 'newest', limit: '2' });
    expect(targets(newest)).toEqual(['file_a', 'mach_a']);
    const before = String(newest.pagination.nextCursor);
    expect(targets(audit(open, { subject: 'lic_a', order: 'newest', before }))).toEqual(['lic_a']);
  });

  it('gives what anybody needs to compute the leaf, and nothing personal', async () => {
    const open = await openLedger();
    const address = 'erika@example.com';
    await record(open, happening('lic_a', { private: { reason: address }, facts: { seats: 3 } }));
    const { leafHash, ...entry } = audit(open).data[0] ?? {};
    const leaf = Buffer.concat([Buffer.of(0), Buffer.from(canonicalize(entry) ?? '')]);
    expect(createHash('sha256').update(leaf).digest('hex')).toBe(leafHash);
    expect(entry['facts']).toEqual({ seats: 3 });
    expect(entry['private']).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(entry)).not.toContain(address);
  });

  it('refuses to show an entry whose bytes are damaged', async () => {
    const open = await openLedger();
    await record(open, happening('lic_a'));
    open.database.native.exec(`UPDATE ledger_entries SET bytes = x'7b7d' WHERE realm_id = ${open.acme.live}`);
    expect(() => audit(open)).toThrow(expect.objectContaining({ code: 'LEDGER_INVALID' }));
  });

  it.each([
    { after: '-2' },
    { after: 'x' },
    { limit: '101' },
    { type: 'x' },
    { order: 'up' },
    { subject: '' },
  ])('refuses the query %j', async (query) => {
    expect(auditRoute(await openLedger()).query?.safeParse(query).success).toBe(false);
  });
});
