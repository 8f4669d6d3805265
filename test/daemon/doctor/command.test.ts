import { chmodSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Finding } from '../../../src/daemon/doctor/finding.ts';
import { mintmark } from '../../cli/run-cli.ts';
import {
  EndedBeforeServing,
  initAppliance,
  type InitialisedAppliance,
  serveAppliance,
} from '../../support/appliance-process.ts';
import { temporaryDirectory } from '../../support/daemon.ts';

const directory = temporaryDirectory();
let made: InitialisedAppliance;

beforeAll(async () => {
  made = await initAppliance(directory.path);
});
afterAll(() => {
  directory[Symbol.dispose]();
});

const SMALL_DISK = ['--set', 'data.ballastMiB=0', '--set', 'data.reserveMiB=1'];

async function doctor(...more: string[]): Promise<{ code: number | null; findings: Finding[] }> {
  const where = ['--data-dir', made.data, '--set', `custody.credential=${made.credential}`, ...SMALL_DISK];
  const { code, stdout } = await mintmark(['doctor', ...where, '--json', ...more]);
  return { code, findings: (JSON.parse(stdout) as { data: Finding[] }).data };
}

const bad = (findings: readonly Finding[]) =>
  findings.filter(({ result }) => result === 'failed' || result === 'unchecked');

function edit(sql: string): void {
  const database = new BetterSqlite3(join(made.data, 'mintmark.db'));
  database.exec(sql);
  database.close();
}

describe('mintmark doctor', () => {
  it('finds nothing wrong with a new appliance, stopped or running, deep or not', async () => {
    const before = readdirSync(made.data).sort();
    const stopped = await doctor('--deep');
    expect(bad(stopped.findings)).toEqual([]);
    expect(stopped.code).toBe(0);
    const left = readdirSync(made.data).filter((name) => !before.includes(name));
    for (const name of left) expect(name).toMatch(/-(wal|shm)$/);
    const served = await serveAppliance(made);
    const running = await doctor('--deep');
    expect(bad(running.findings)).toEqual([]);
    expect(running.findings.map(({ check }) => check)).toEqual(stopped.findings.map(({ check }) => check));
    const short = await doctor();
    expect(short.findings.map(({ check }) => check)).toContain('ledger');
    expect(await served.stop()).toBe(0);
  });

  it('says what it could not look at when no slot opens the keys', async () => {
    const wrong = join(directory.path, 'wrong');
    writeFileSync(wrong, 'correct horse battery staple', { mode: 0o600 });
    const { code, findings } = await doctor('--passphrase-file', wrong);
    expect(code).toBe(3);
    expect(bad(findings).map(({ check, result }) => [check, result])).toEqual([
      ['signing keys', 'unchecked'],
      ['data keys', 'unchecked'],
    ]);
  });

  it('finds a file that others may read, a damaged slot and a missing key file', async () => {
    chmodSync(join(made.data, 'anchor'), 0o644);
    writeFileSync(join(made.data, 'slots', 'extra.json'), 'no slot', { mode: 0o600 });
    const { code, findings } = await doctor();
    rmSync(join(made.data, 'slots', 'extra.json'));
    chmodSync(join(made.data, 'anchor'), 0o600);
    expect(code).toBe(3);
    expect(bad(findings).map(({ check, detail }) => `${check}: ${detail}`)).toEqual([
      `data directory: others may read or write ${join(made.data, 'anchor')}`,
      'slots: slot extra is damaged',
    ]);
  });

  it('keeps an appliance from starting with an API key that was edited, until somebody says that it is right', async () => {
    edit('UPDATE api_keys SET scopes = \'["licenses:read"]\'');
    const refused = serveAppliance(made);
    await expect(refused).rejects.toBeInstanceOf(EndedBeforeServing);
    await expect(refused).rejects.toThrow(
      /ROWS_DIFFER: api-key key_\w+ \(ten_\w+\/live\) was changed behind the ledger/,
    );
    const { code, findings } = await doctor();
    expect(code).toBe(3);
    const [small] = bad(findings);
    expect(small).toMatchObject({ check: 'small tables', result: 'failed' });
    const id = /key_\w+/.exec(small?.detail ?? '')?.[0] ?? '';
    const accept = ['doctor', 'accept', 'api-key', id, '--reason', 'narrowed by hand'];
    const where = ['--data-dir', made.data, '--credential-file', made.credential, ...SMALL_DISK];
    expect(await mintmark([...accept, ...where])).toMatchObject({ code: 0 });
    const served = await serveAppliance(made);
    expect(await served.stop()).toBe(0);
  });
});
