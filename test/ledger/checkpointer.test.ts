import { cpSync, globSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { Fault } from '../../src/faults.ts';
import { checkAnchor } from '../../src/ledger/anchor.ts';
import { parseCheckpoint, signCheckpoint } from '../../src/ledger/checkpoint.ts';
import { lastCheckpoint, readCheckpoints } from '../../src/ledger/ledger-store.ts';
import { treeRoot } from '../../src/ledger/merkle.ts';
import { forcesCheckpoint } from '../../src/ledger/forced-actions.ts';
import { type NoteSigner, isSignedBy } from '../../src/ledger/note.ts';
import { ORIGIN, testSigner } from './ledger-fixtures.ts';
import { type OpenLedger, checkpointerOf, happening, openLedger, record, recordMany } from './open-ledger.ts';

const anchorOf = (open: OpenLedger): string => readFileSync(join(open.directory, 'anchor'), 'utf8');
const sizes = (open: OpenLedger): number[] =>
  readCheckpoints(open.work.read, { from: 0, to: 1e9, limit: 1000 }).map(({ size }) => size);

describe('a checkpoint', () => {
  it('is signed for what is durable, kept in the anchor and in the table', async () => {
    const open = await openLedger();
    await recordMany(open, 10);
    const checkpointer = checkpointerOf(open);
    expect(checkpointer.status()).toMatchObject({ size: 11, signedSize: 0, signedAt: undefined });
    await checkpointer.sign();
    const read = parseCheckpoint(anchorOf(open));
    expect(read).toMatchObject({ origin: ORIGIN, size: 11, root: treeRoot(open.ledger.head()) });
    expect(isSignedBy(read.note, open.signer.key)).toBe(true);
    expect(lastCheckpoint(open.work.read)).toMatchObject({ size: 11, note: anchorOf(open) });
    expect(statSync(join(open.directory, 'anchor')).mode & 0o777).toBe(0o600);
    expect(readdirSync(open.directory)).not.toContain('anchor.new');
    expect(checkpointer.status()).toMatchObject({ signedSize: 11, unsignedForMs: undefined });
  });

  it('is not signed again when nothing has come', async () => {
    const open = await openLedger();
    const checkpointer = checkpointerOf(open);
    await checkpointer.sign();
    const first = anchorOf(open);
    await checkpointer.sign();
    expect(sizes(open)).toEqual([1]);
    expect(anchorOf(open)).toBe(first);
  });

  it('is signed by itself when enough entries have come together', async () => {
    const open = await openLedger();
    const checkpointer = checkpointerOf(open, { everyEntries: 100 });
    await recordMany(open, 250);
    await vi.waitFor(() => {
      expect(checkpointer.status().signedSize).toBeGreaterThan(100);
    });
    expect(sizes(open).length).toBeGreaterThan(0);
  });

  it('covers everything that was durable when it was asked for, also when one is under way', async () => {
    const open = await openLedger();
    const checkpointer = checkpointerOf(open);
    const first = checkpointer.sign();
    await record(open, happening('lic_1'));
    await Promise.all([first, checkpointer.sign(), checkpointer.sign()]);
    expect(checkpointer.status()).toMatchObject({ size: 2, signedSize: 2 });
    expect(sizes(open)).toEqual([1, 2]);
  });

  it('says for how long entries have gone unsigned', async () => {
    const open = await openLedger();
    const checkpointer = checkpointerOf(open);
    await checkpointer.sign();
    await record(open, happening('lic_1'));
    open.clock.advance(7000);
    expect(checkpointer.status().unsignedForMs).toBe(7000);
  });

  it('goes on from the stored ones after a restart', async () => {
    const open = await openLedger();
    await checkpointerOf(open).sign();
    const again = await openLedger(open);
    const checkpointer = checkpointerOf(again);
    expect(checkpointer.status()).toMatchObject({ size: 1, signedSize: 1 });
    await record(again, happening('lic_1'));
    await checkpointer.sign();
    expect(sizes(again)).toEqual([1, 2]);
  });
});

describe('when signing fails', () => {
  it('nothing is written down, and the next checkpoint covers the same entries', async () => {
    const open = await openLedger();
    let down = true;
    const signer: NoteSigner = {
      key: open.signer.key,
      sign: (message) =>
        down
          ? Promise.reject(new Fault('SIGNER_UNAVAILABLE', 'the token is gone'))
          : open.signer.sign(message),
    };
    const checkpointer = checkpointerOf(open, { signers: () => [signer] });
    await expect(checkpointer.sign()).rejects.toMatchObject({ code: 'SIGNER_UNAVAILABLE' });
    expect(await open.anchor.read()).toBeUndefined();
    expect(sizes(open)).toEqual([]);
    down = false;
    await checkpointer.sign();
    expect(sizes(open)).toEqual([1]);
  });

  it('a checkpoint that nobody waits for tells whoever looks after failures', async () => {
    const open = await openLedger();
    const errors: unknown[] = [];
    const signers = (): never => {
      throw new Fault('SIGNER_UNAVAILABLE', 'the token is gone');
    };
    checkpointerOf(open, { everyEntries: 1, signers, onError: (error) => errors.push(error) });
    await record(open, happening('lic_1'));
    await vi.waitFor(() => {
      expect(errors[0]).toMatchObject({ code: 'SIGNER_UNAVAILABLE' });
    });
  });
});

describe('while nothing may be signed', () => {
  it('an older anchor is left alone, and nobody waits', async () => {
    const open = await openLedger();
    await open.anchor.write('the anchor of a longer ledger\n');
    const checkpointer = checkpointerOf(open, { maySign: () => false, everyEntries: 1 });
    await record(open, happening('lic_1', { action: 'clock.set' }));
    await checkpointer.sign();
    await checkpointer.beforeAnswer('req_test');
    expect(anchorOf(open)).toBe('the anchor of a longer ledger\n');
    expect(sizes(open)).toEqual([]);
  });
});

describe('before an answer', () => {
  it.each([
    'signing_key.created',
    'api_key.created',
    'operator.created',
    'restore.accepted',
    'clock.set',
    'slot.added',
  ])('a checkpoint is signed after %s', async (action) => {
    const open = await openLedger();
    const checkpointer = checkpointerOf(open);
    await checkpointer.sign();
    await record(open, happening('x', { action }));
    await checkpointer.beforeAnswer('req_test');
    expect(sizes(open)).toEqual([1, 2]);
    await checkpointer.beforeAnswer('req_test');
    expect(sizes(open)).toEqual([1, 2]);
  });

  it('a checkpoint is signed after every action of ours on keys, slots, clock and restore, as it is really called', () => {
    const sources = globSync('src/**/*.ts').map((file) => readFileSync(file, 'utf8'));
    const actions = sources.flatMap((text) => [...text.matchAll(/\baction: '([a-z_-]+\.[a-z_-]+)'/g)]);
    const forcing = actions.flatMap(([, name = '']) =>
      /^(?:[a-z_]*key|slot|operator|clock|restore)\./.test(name) ? [name] : [],
    );
    expect(forcing).toEqual(
      expect.arrayContaining(['api_key.created', 'api_key.rotated', 'api_key.revoked']),
    );
    expect(forcing).toEqual(
      expect.arrayContaining(['signing_key.created', 'clock.trusted', 'restore.completed']),
    );
    expect(forcing.filter((name) => !forcesCheckpoint(name))).toEqual([]);
  });

  it('nobody waits for the entries of others, nor for everyday ones', async () => {
    const open = await openLedger();
    const checkpointer = checkpointerOf(open);
    await checkpointer.sign();
    await record(open, happening('lic_1'));
    await checkpointer.beforeAnswer('req_test');
    await record(open, happening('x', { action: 'signing_key.created' }));
    await checkpointer.beforeAnswer('req_other');
    expect(sizes(open)).toEqual([1]);
  });

  it('an entry that was thrown away forces nothing', async () => {
    const open = await openLedger();
    const checkpointer = checkpointerOf(open);
    await checkpointer.sign();
    const failing = record(open, happening('"', { action: 'signing_key.created' }));
    await expect(failing).rejects.toThrow();
    await checkpointer.beforeAnswer('req_test');
    expect(sizes(open)).toEqual([1]);
  });
});

describe('at the start the anchor', () => {
  const found = (open: OpenLedger, note: string | undefined): ReturnType<typeof checkAnchor> =>
    checkAnchor(open.work.read, note, [open.signer.key]);

  it('may be absent', async () => {
    const open = await openLedger();
    expect(found(open, await open.anchor.read())).toEqual({ state: 'absent' });
  });

  it('is contained in a ledger that has grown since', async () => {
    const open = await openLedger();
    await recordMany(open, 300);
    await checkpointerOf(open).sign();
    await recordMany(open, 900);
    expect(found(open, await open.anchor.read())).toEqual({ state: 'contained', size: 301 });
  });

  it('is contained when the program stopped between the anchor and the table', async () => {
    const open = await openLedger();
    await open.anchor.write(await signCheckpoint(ORIGIN, open.ledger.head(), [open.signer]));
    expect(sizes(open)).toEqual([]);
    expect(found(open, await open.anchor.read())).toEqual({ state: 'contained', size: 1 });
  });

  it('tells that the database was put back', async () => {
    const open = await openLedger();
    const old = open.database.native.serialize();
    await recordMany(open, 20);
    await checkpointerOf(open).sign();
    const anchor = await open.anchor.read();
    const other = await openLedger();
    other.database.close();
    writeFileSync(join(other.directory, 'mintmark.db'), old);
    cpSync(join(open.directory, 'keys'), join(other.directory, 'keys'), { recursive: true });
    const restored = await openLedger({ ...open, directory: other.directory });
    expect(checkAnchor(restored.work.read, anchor, [open.signer.key])).toMatchObject({
      state: 'rolled-back',
      anchorSize: 21,
      ledgerSize: 1,
    });
  });

  it('tells that entries it covers were rewritten, also by a longer ledger', async () => {
    const open = await openLedger();
    await recordMany(open, 20);
    await checkpointerOf(open).sign();
    await recordMany(open, 20);
    open.database.native.exec('UPDATE ledger_entries SET hash = randomblob(32) WHERE position = 7');
    expect(found(open, await open.anchor.read())).toMatchObject({
      state: 'rolled-back',
      anchorSize: 21,
      ledgerSize: 41,
    });
  });

  it('is not needed to see that entries under a stored checkpoint were removed or rewritten', async () => {
    const open = await openLedger();
    await recordMany(open, 20);
    await checkpointerOf(open).sign();
    const { native } = open.database;
    native.exec('BEGIN; DELETE FROM ledger_entries WHERE position = 20');
    expect(found(open, undefined)).toMatchObject({ state: 'rolled-back', anchorSize: 21, ledgerSize: 20 });
    native.exec('ROLLBACK; UPDATE ledger_entries SET hash = randomblob(32) WHERE position = 7');
    expect(found(open, undefined)).toMatchObject({ state: 'rolled-back', anchorSize: 21, ledgerSize: 21 });
  });

  it('says nothing when it is damaged or signed by somebody else', async () => {
    const open = await openLedger();
    const stranger = await signCheckpoint(ORIGIN, open.ledger.head(), [testSigner('stranger')]);
    expect(found(open, stranger)).toMatchObject({ state: 'unreadable' });
    expect(found(open, 'half a no')).toMatchObject({ state: 'unreadable' });
    const own = await signCheckpoint(ORIGIN, open.ledger.head(), [open.signer]);
    expect(found(open, own.replace('\n1\n', '\n2\n'))).toMatchObject({ state: 'unreadable' });
  });
});
