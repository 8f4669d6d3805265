import { describe, expect, it } from 'vitest';
import { append } from '../../src/ledger/append.ts';
import { decidingDigest, parseEntry, privateCommitment } from '../../src/ledger/entry.ts';
import { readEntries, readTile, storedHead } from '../../src/ledger/ledger-store.ts';
import { EMPTY_TREE, appendLeaf, leafHash, treeRoot } from '../../src/ledger/merkle.ts';
import { InvariantViolation } from '../../src/lib/invariant.ts';
import { insertTenant, NO_LIMITS } from '../../src/storage/realms.ts';
import { testAuthority } from '../support/storage.ts';
import { type OpenLedger, happening, openLedger, record, recordMany } from './open-ledger.ts';

const rows = (open: OpenLedger, from = 0, to = open.ledger.head().size): ReturnType<typeof readEntries> =>
  readEntries(open.work.read, { from, to });

/** What must hold after every test that writes: stored bytes, stored hashes, tiles and head tell one story. */
function assertWhole(open: OpenLedger): void {
  const entries = rows(open);
  expect(entries.map(({ position }) => position)).toEqual(entries.map((_, i) => i));
  expect(entries.every(({ bytes, hash }) => leafHash(bytes).equals(hash))).toBe(true);
  expect(entries.every(({ bytes, position }) => parseEntry(bytes).index === position)).toBe(true);
  const head = entries.map(({ hash }) => hash).reduce(appendLeaf, EMPTY_TREE);
  expect(open.ledger.head()).toEqual(head);
  expect(storedHead(open.work.read)).toEqual(head);
  expect(open.ledger.anchor()).toEqual({ size: head.size, root: treeRoot(head) });
}

describe('a unit of work', () => {
  it('leaves an entry with who, when, what and under which request', async () => {
    const open = await openLedger();
    await record(open, happening('lic_1', { facts: { count: 3 } }));
    const [row] = rows(open, 1);
    expect(row?.realm).toBe(open.acme.live);
    const entry = parseEntry(row?.bytes ?? Buffer.alloc(0));
    expect(entry).toMatchObject({
      v: 1,
      index: 1,
      at: '2026-06-01T12:00:00.000Z',
      realm: 'ten_acme/live',
      actor: { kind: 'operator', id: 'op_test', via: 'socket' },
      action: 'license.suspended',
      target: { kind: 'license', id: 'lic_1' },
      outcome: 'done',
      requestId: 'req_test',
      facts: { count: 3 },
    });
    const after = decidingDigest(Buffer.from(entry.salt, 'hex'), { status: 'suspended', version: 2 });
    expect(entry.after).toBe(after.toString('hex'));
    assertWhole(open);
  });

  it('leaves two entries of the same change that cannot be told to be of the same change', async () => {
    const open = await openLedger();
    await Promise.all([record(open, happening('lic_1')), record(open, happening('lic_1'))]);
    const [a, b] = rows(open, 1).map(({ bytes }) => parseEntry(bytes));
    expect(a?.salt).not.toBe(b?.salt);
    expect(a?.after).not.toBe(b?.after);
    assertWhole(open);
  });

  it('that fails leaves no entry and no gap, whatever its batch does', async () => {
    const open = await openLedger();
    const failing = open.work.run(testAuthority(null), (tx) => {
      append(tx, happening('lic_never'));
      throw new Error('thrown away');
    });
    const settled = await Promise.allSettled([
      record(open, happening('lic_1')),
      failing,
      record(open, happening('lic_2')),
    ]);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const targets = rows(open, 1).map(({ bytes }) => parseEntry(bytes).target.id);
    expect(targets).toEqual(['lic_1', 'lic_2']);
    assertWhole(open);
  });

  it('sees the head of the last commit only, until its own commit has returned', async () => {
    const open = await openLedger();
    const before = open.ledger.head();
    const seen: number[] = [];
    open.ledger.onPublished(({ size }) => seen.push(size));
    await open.work.run(testAuthority(null), (tx) => {
      append(tx, happening('lic_1'));
      append(tx, happening('lic_2'));
      expect(open.ledger.head()).toBe(before);
    });
    expect(seen).toEqual([before.size + 2]);
    assertWhole(open);
  });

  it('may record in a realm that it has made itself, and forgets its name when it is thrown away', async () => {
    const open = await openLedger();
    const found = (code: string, fail: boolean): Promise<void> =>
      open.work.run(testAuthority(null), (tx) => {
        const limits = { tier: 'standard', ...NO_LIMITS, contact: null };
        const realms = insertTenant(tx, { id: `ten_${code}`, code, name: code, ...limits });
        append(tx, happening('lic_1', { realm: realms.live }));
        if (fail) throw new Error('thrown away');
      });
    await expect(found('initech', true)).rejects.toThrow('thrown away');
    await found('umbrella', false);
    expect(rows(open, 1).map(({ bytes }) => parseEntry(bytes).realm)).toEqual(['ten_umbrella/live']);
    assertWhole(open);
  });

  it('cannot write an entry that could not be read', async () => {
    const open = await openLedger();
    await expect(record(open, happening('lic_"quoted"'))).rejects.toThrow(InvariantViolation);
    await expect(record(open, happening('', {}))).rejects.toThrow(InvariantViolation);
    expect(open.ledger.head().size).toBe(1);
    assertWhole(open);
  });
});

describe('what describes a person', () => {
  const contact = { email: 'zoë@example.org', note: 'line\n"two"' };

  it('is sealed beside the entry, which holds a commitment that its opening proves', async () => {
    const open = await openLedger();
    await record(open, happening('lic_1', { private: contact }));
    const [row] = rows(open, 1);
    const stored = open.database.native
      .prepare('SELECT realm_id AS realm, salt, sealed FROM ledger_private WHERE position = 1')
      .get() as { realm: number; salt: Buffer; sealed: Buffer };
    const cell = { realm: open.acme.live, table: 'ledger_private', column: 'sealed', row: '1' };
    const opened = open.keys.open(cell, stored.sealed);
    expect(JSON.parse(opened.toString('utf8'))).toEqual(contact);
    expect(parseEntry(row?.bytes ?? Buffer.alloc(0)).private).toBe(
      privateCommitment(stored.salt, opened).toString('hex'),
    );
    expect(row?.bytes.includes('example.org')).toBe(false);
    expect(stored.sealed.includes('example.org')).toBe(false);
  });

  it('can be erased without hurting the tree', async () => {
    const open = await openLedger();
    await record(open, happening('lic_1', { private: contact }));
    open.database.native.exec('DELETE FROM ledger_private');
    await record(open, happening('lic_2'));
    assertWhole(open);
  });

  it('is sealed under the realm of the appliance when no realm is concerned', async () => {
    const open = await openLedger();
    await record(open, happening('lic_1', { private: contact }), null);
    expect(open.database.native.prepare('SELECT realm_id FROM ledger_private').pluck().get()).toBe(0);
  });
});

describe('a large ledger', () => {
  it('keeps full tiles of 256 hashes, grows those above, and opens again from them alone', async () => {
    const open = await openLedger();
    await recordMany(open, 1500);
    const tiles = open.database.native
      .prepare('SELECT level, number, length(hashes) AS bytes FROM ledger_tiles ORDER BY level, number')
      .all();
    const full = [0, 1, 2, 3, 4].map((number) => ({ level: 0, number, bytes: 8192 }));
    expect(tiles).toEqual([...full, { level: 1, number: 0, bytes: 5 * 32 }]);
    expect(readTile(open.work.read, { level: 0, number: 5 }, 10)).toHaveLength(320);
    assertWhole(open);
    const again = await openLedger(open);
    expect(again.ledger.head()).toEqual(open.ledger.head());
    await recordMany(again, 300);
    assertWhole(again);
  });

  it('rolls back a tile together with the unit that completed it', async () => {
    const open = await openLedger();
    await recordMany(open, 254);
    const failing = open.work.run(testAuthority(null), (tx) => {
      append(tx, happening('lic_never'));
      append(tx, happening('lic_never'));
      tx.afterCommit(() => expect.unreachable());
      throw new Error('thrown away');
    });
    await Promise.allSettled([
      failing,
      record(open, happening('lic_256th')),
      record(open, happening('lic_257th')),
    ]);
    expect(open.ledger.head().size).toBe(257);
    assertWhole(open);
    expect(rows(open, 255, 256).map(({ bytes }) => parseEntry(bytes).target.id)).toEqual(['lic_256th']);
  });
});
