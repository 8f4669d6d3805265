import { describe, expect, it } from 'vitest';
import { verifyStored } from '../../src/ledger/verify-stored.ts';
import type { LedgerReport } from '../../src/ledger/verify.ts';
import { ORIGIN } from './ledger-fixtures.ts';
import { type OpenLedger, checkpointerOf, openLedger, recordMany } from './open-ledger.ts';

const verified = (open: OpenLedger): LedgerReport => verifyStored({ reader: open.work.read, origin: ORIGIN });

async function signedLedger(): Promise<OpenLedger> {
  const open = await openLedger();
  const checkpointer = checkpointerOf(open);
  await recordMany(open, 1200);
  await checkpointer.sign();
  await recordMany(open, 10);
  return open;
}

describe('a stored ledger', () => {
  it('verifies where it is, and says how much of it is signed', async () => {
    expect(verified(await signedLedger())).toMatchObject({
      ok: true,
      size: 1211,
      entries: 1211,
      signedSize: 1201,
    });
  });

  it('verifies before its first checkpoint', async () => {
    expect(verified(await openLedger())).toMatchObject({ ok: true, size: 1, signedSize: 0 });
  });

  it.each([
    {
      what: 'bytes that were changed',
      sql: "UPDATE ledger_entries SET bytes = CAST(replace(bytes, 'suspended', 'reinstated') AS BLOB) WHERE position = 700",
      code: 'ENTRY_ALTERED',
      index: 700,
    },
    {
      what: 'an entry under another number',
      sql: 'UPDATE ledger_entries SET bytes = CAST(replace(bytes, \'"index":700\', \'"index":701\') AS BLOB) WHERE position = 700',
      code: 'ENTRY_MISPLACED',
      index: 700,
    },
    {
      what: 'a row missing',
      sql: 'DELETE FROM ledger_entries WHERE position = 700',
      code: 'ENTRY_MISPLACED',
      index: 700,
    },
    {
      what: 'its end missing',
      sql: 'DELETE FROM ledger_entries WHERE position >= 1000',
      code: 'ENTRY_MISSING',
      index: 1000,
    },
  ])('is refused with $what', async ({ sql, code, index }) => {
    const open = await signedLedger();
    open.database.native.exec(sql);
    const report = verified(open);
    expect(report.problems.map((problem) => problem.code)).toContain(code);
    expect(report).toMatchObject({ ok: false, firstBad: { index } });
  });

  it('is refused when entry and hash were changed together below a checkpoint', async () => {
    const open = await signedLedger();
    open.database.native.exec(
      'UPDATE ledger_entries SET (bytes, hash) = (SELECT bytes, hash FROM ledger_entries WHERE position = 701) WHERE position = 700',
    );
    expect(verified(open)).toMatchObject({ ok: false, firstBad: { index: 700 } });
  });

  it('is refused when a hash was changed in the unsigned end', async () => {
    const open = await signedLedger();
    open.database.native.exec('UPDATE ledger_entries SET hash = randomblob(32) WHERE position = 1205');
    expect(verified(open).problems).toMatchObject([{ code: 'TILE_ALTERED', index: 1205 }]);
  });
});
