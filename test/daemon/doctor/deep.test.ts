import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareSmallTables } from '../../../src/daemon/doctor/compare-rows.ts';
import { lookAtTrust } from '../../../src/daemon/doctor/standing-checks.ts';
import { lookDeep } from '../../../src/daemon/doctor/walk-ledger.ts';
import type { Parts } from '../../../src/daemon/parts.ts';
import { purgeDeleted } from '../../../src/licensing/purge/purge.ts';
import { realmIdOf } from '../../../src/storage/realm-scope.ts';
import { TABLES } from '../../../src/storage/tables.ts';
import { startDaemon, temporaryDirectory } from '../../support/daemon.ts';
import { brokenInvariants } from '../../support/invariants.ts';
import { UNGUARDED } from './guarded-columns.ts';
import { live, type Lived, withParts } from './lived-appliance.ts';

const directory = temporaryDirectory();
const root = join(directory.path, 'appliance');
let lived: Lived;

beforeAll(async () => {
  const daemon = await startDaemon(root);
  lived = await live(daemon, { seed: 4711, requests: 300 });
  expect(await daemon.stop()).toBe(0);
});
afterAll(() => {
  directory[Symbol.dispose]();
});

/** Everything that a deep look finds wrong, in words. */
async function wrong(parts: Parts): Promise<string[]> {
  const { work, custody, identity, directory } = parts;
  const pause = (): Promise<void> => nextTurn();
  const report = await lookDeep({ reader: work.read, keys: custody, origin: identity.origin, pause });
  return [
    ...report.mismatches.map(({ kind, id, problem }) => `${kind} ${id} ${problem}`),
    ...report.ledger.problems.map(({ message }) => message),
    ...brokenInvariants(directory.database).map(({ what }) => what),
    ...lookAtTrust({ ...parts, reader: work.read, paths: directory.paths, pause }).flatMap(
      ({ result, detail }) => (result === 'ok' ? [] : [detail]),
    ),
  ];
}

type Row = Readonly<Record<string, unknown>>;

/** Raw SQL, as somebody writes it who has the file and no key: no rule of the schema is in his way. */
function asIntruder({ directory: { database } }: Parts) {
  const { native } = database;
  native.pragma('foreign_keys = OFF');
  native.pragma('ignore_check_constraints = ON');
  const where = (row: Row): string =>
    Object.keys(row)
      .map((name) => `${name} IS ?`)
      .join(' AND ');
  return {
    columns: (table: string) =>
      (native.pragma(`table_info(${table})`) as { name: string; type: string }[]).map(({ name, type }) => ({
        name,
        type,
      })),
    rows: (sql: string): Row[] => native.prepare<[], Row>(sql).all(),
    /** Replaces one row by another, or takes it away, or puts it there. False: another row has that place already. */
    replace: (table: string, was: Row | null, is: Row | null): boolean => {
      native.exec('SAVEPOINT intruder');
      try {
        if (was !== null)
          native.prepare(`DELETE FROM ${table} WHERE ${where(was)}`).run(...Object.values(was));
        const names = Object.keys(is ?? {});
        const insert = `INSERT INTO ${table} (${names.join()}) VALUES (${names.map(() => '?').join()})`;
        if (is !== null) native.prepare(insert).run(...Object.values(is));
        return true;
      } catch (error) {
        native.exec('ROLLBACK TO intruder');
        if (String(error).includes('UNIQUE constraint failed')) return false;
        throw error;
      } finally {
        native.exec('RELEASE intruder');
      }
    },
  };
}

function other(value: unknown, type: string): unknown {
  if (type === 'BLOB')
    return Buffer.isBuffer(value) && value.length > 0
      ? Buffer.from(value.map((byte) => byte ^ 1))
      : Buffer.from([1]);
  if (type === 'INTEGER') return typeof value === 'number' ? value + 1 : 1;
  return `${typeof value === 'string' ? value : ''}x`;
}

const RECORDED = Object.entries(TABLES).flatMap(([table, { kind }]) => (kind === 'recorded' ? [table] : []));

describe('an appliance after a long life', () => {
  it('has lived: everything that changes rows has happened', () => {
    expect(lived.size).toBeGreaterThanOrEqual(25);
  });

  it('has no row that is not what the ledger says', async () => {
    await withParts(root, async (parts) => {
      expect(await wrong(parts)).toEqual([]);
      expect(compareSmallTables(parts.work.read)).toEqual([]);
    });
  });

  it('has none after its purges either', async () => {
    const purged = join(directory.path, 'purged');
    execFileSync('cp', ['-a', root, purged]);
    await withParts(purged, async (parts) => {
      const deps = { ...parts, keepDeletedMs: -1, mayPurge: () => true };
      const realm = realmIdOf(1);
      const rows = await purgeDeleted(deps, realm);
      expect(rows.rows).toBeGreaterThan(0);
      expect(await wrong(parts)).toEqual([]);
    });
  });
});

describe('a deep look', () => {
  it.each(RECORDED)('finds an edit of every column of %s that decides something', async (table) => {
    await withParts(root, async (parts) => {
      const intruder = asIntruder(parts);
      const [row] = intruder.rows(`SELECT * FROM ${table} ORDER BY 1 DESC, 2 DESC LIMIT 1`);
      if (row === undefined) throw new Error(`nothing of the life is in ${table}`);
      const free = UNGUARDED[table as keyof typeof UNGUARDED] ?? {};
      const unseen: string[] = [];
      for (const { name, type } of intruder.columns(table)) {
        const edited = { ...row, [name]: other(row[name], type) };
        if (free[name] !== undefined || !intruder.replace(table, row, edited)) continue;
        // What cannot even be read is told by the check as a whole.
        const found = await wrong(parts).catch((error: unknown) => [String(error)]);
        if (found.length === 0) unseen.push(name);
        intruder.replace(table, edited, row);
      }
      expect(unseen).toEqual([]);
      expect(await wrong(parts)).toEqual([]);
    });
  });
});

/** What an intruder did, and what a deep look says of it; everything is as before when it returns. */
async function after(
  edit: (to: ReturnType<typeof asIntruder>, was: Row) => { table: string; was: Row | null; is: Row | null },
  rows: string,
): Promise<string[]> {
  return withParts(root, async (parts) => {
    const intruder = asIntruder(parts);
    const [row] = intruder.rows(rows);
    if (row === undefined) throw new Error(`the life left nothing that is found by ${rows}`);
    const { table, was, is } = edit(intruder, row);
    expect(intruder.replace(table, was, is)).toBe(true);
    try {
      return await wrong(parts);
    } finally {
      intruder.replace(table, is, was);
    }
  });
}

describe('a deep look, of rows as a whole,', () => {
  it('finds a licence that was put back as it was before it was revoked', async () => {
    const revoked = "SELECT * FROM licenses WHERE status = 'revoked' AND deleted_at IS NULL LIMIT 1";
    const found = await after((_, was) => {
      return {
        table: 'licenses',
        was,
        is: { ...was, status: 'active', version: Number(was['version']) - 1 },
      };
    }, revoked);
    expect(found).toContainEqual(expect.stringMatching(/^license lic_\w+ was changed behind the ledger: /));
  });

  it('finds an API key that was put back as it was before it was revoked, at every start too', async () => {
    await withParts(root, (parts) => {
      const intruder = asIntruder(parts);
      const [was] = intruder.rows('SELECT * FROM api_keys WHERE revoked_at IS NOT NULL LIMIT 1');
      if (was === undefined) throw new Error('no key was revoked');
      const is = { ...was, revoked_at: null };
      intruder.replace('api_keys', was, is);
      const problem = expect.stringContaining('api_key.revoked') as unknown;
      expect(compareSmallTables(parts.work.read)).toMatchObject([
        { kind: 'api-key', id: was['id'], problem },
      ]);
      intruder.replace('api_keys', is, was);
    });
  });

  it('finds a licence that was taken away with everything that leads to it', async () => {
    const found = await after(
      (_, was) => ({ table: 'licenses', was, is: null }),
      'SELECT * FROM licenses WHERE deleted_at IS NULL LIMIT 1',
    );
    expect(found).toContainEqual(expect.stringMatching(/^license lic_\w+ was taken away behind the ledger$/));
  });

  it('finds a key that was put there', async () => {
    const found = await after((_, was) => {
      return {
        table: 'api_keys',
        was: null,
        is: { ...was, seq: 900_000, id: 'key_00000000000000000000000000' },
      };
    }, 'SELECT * FROM api_keys LIMIT 1');
    expect(found).toContain(
      'api-key key_00000000000000000000000000 was put there: no entry of the ledger tells of it',
    );
  });

  it('finds an entry that is no longer found under what it is about', async () => {
    const newest = `SELECT s.* FROM ledger_subjects s JOIN ledger_entries e ON e.position = s.position
      WHERE json_extract(CAST(e.bytes AS TEXT), '$.target.id') = s.subject ORDER BY s.position DESC LIMIT 1`;
    const found = await after((_, was) => ({ table: 'ledger_subjects', was, is: null }), newest);
    expect(found).toContainEqual(expect.stringMatching(/^entry \d+ is not found any more under /));
  });

  it('finds an entry that was moved to another realm', async () => {
    const found = await after(
      (_, was) => ({ table: 'ledger_entries', was, is: { ...was, realm_id: 2 } }),
      'SELECT * FROM ledger_entries WHERE realm_id = 1 ORDER BY position DESC LIMIT 1',
    );
    expect(found).toContainEqual(expect.stringMatching(/^entry \d+ was moved from \w+\/live$/));
  });

  it('finds an entry that was altered, when its row is compared at a start', async () => {
    await withParts(root, (parts) => {
      const intruder = asIntruder(parts);
      const about = "SELECT * FROM ledger_entries WHERE CAST(bytes AS TEXT) LIKE '%api_key.revoked%' LIMIT 1";
      const [was] = intruder.rows(about);
      if (was === undefined) throw new Error('no key was revoked');
      const bytes = Buffer.from(String(was['bytes']).replace('req_', 'req_X'));
      const is = { ...was, bytes };
      intruder.replace('ledger_entries', was, is);
      const problem = expect.stringContaining('which was altered') as unknown;
      expect(compareSmallTables(parts.work.read)).toMatchObject([{ kind: 'api-key', problem }]);
      intruder.replace('ledger_entries', is, was);
    });
  });
});
