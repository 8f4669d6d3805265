import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { Database } from '../../src/storage/database.ts';
import { jsonOf, mintmark } from '../cli/run-cli.ts';
import { startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { sendAsOperator } from '../support/operator-socket.ts';

interface KeyRow {
  readonly kid: string;
  readonly purpose: string;
  readonly environment: string | null;
  readonly state: string;
}

/** A dev appliance in a process of its own, and its operator. */
async function appliance(path: string, args: readonly string[] = []) {
  const daemon = await startDaemon(join(path, 'appliance'), { args });
  const data = join(daemon.dir, 'data');
  const post = (below: string, body?: object, headers: Record<string, string> = {}) =>
    sendAsOperator(data, {
      method: 'POST',
      path: `/system/signing-keys${below}`,
      headers,
      ...(body === undefined ? {} : { body }),
    });
  const run = (...args: string[]) => mintmark([...args, '--data-dir', data]);
  const keys = async (): Promise<KeyRow[]> => jsonOf(await run('keys', 'list', '--json'))['data'] as KeyRow[];
  const kidOf = async (purpose: string, state = 'active'): Promise<string> =>
    (await keys()).find((key) => key.purpose === purpose && key.state === state && key.environment !== 'test')
      ?.kid ?? `no ${state} ${purpose} key`;
  return { daemon, data, post, run, keys, kidOf };
}

describe('the signing keys of a running appliance', () => {
  it('are rotated, compromised and proven at the operator socket', async () => {
    using directory = temporaryDirectory();
    const { daemon, data, post, run, kidOf } = await appliance(directory.path);
    try {
      const kid = await kidOf('license');
      const rotated = await run('keys', 'rotate', '--purpose', 'license');
      expect(rotated).toMatchObject({ code: EXIT.ok, stderr: '' });
      expect(rotated.stdout).toMatch(/^license key \S{16} of \w+ live: pending until 20/);
      const next = await kidOf('license', 'pending');
      const early = await run('keys', 'activate', next);
      expect(early.code).toBe(EXIT.refused);
      expect(early.stderr).toContain('confirm with exactly: verifiers without the newest trust bundle');
      const confirm = 'verifiers without the newest trust bundle refuse what this key signs';
      expect((await run('keys', 'activate', next, '--confirm', confirm)).stdout).toMatch(/live: active\n$/);
      expect((await run('keys', 'retire', kid)).stdout).toMatch(/retired\n$/);
      const once = { 'idempotency-key': 'rotate-token-1' };
      const token = await kidOf('token');
      const answers = [
        await post(`/${token}/rotate`, {}, once),
        await post(`/${token}/rotate`, {}, once),
        await post(`/${token}/rotate`, {}, { 'if-match': '"00000000.1"' }),
      ];
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 412]);
      expect(answers[1]?.body).toEqual(answers[0]?.body);
      const lost = await run('keys', 'compromise', next, '--since', '2026-01-01T00:00:00Z');
      expect(lost.stdout).toMatch(
        /compromised\nsuccessor: license key \S{16} of \w+ live: active\n0 products/,
      );
      const report = jsonOf(await run('keys', 'affected', next, '--json'));
      expect(report).toEqual({ data: [], totals: { licenses: 0, files: 0, machines: 0, customers: 0 } });
      const all = await run('keys', 'verify');
      expect(all.code).toBe(EXIT.ok);
      rmSync(join(data, 'keys', `${token}.key`));
      const missing = await run('keys', 'verify', '--json');
      expect(missing.code).toBe(EXIT.invalid);
      const proofs = jsonOf(missing)['data'] as { kid: string; outcome: string; reason: string | null }[];
      const failed = proofs.filter(({ outcome }) => outcome !== 'proven');
      expect(failed).toMatchObject([{ kid: token, reason: expect.stringContaining('is missing') as string }]);
    } finally {
      await daemon.kill();
    }
  });

  it('are not for an API key, whatever it may do', async () => {
    using directory = temporaryDirectory();
    const { daemon, kidOf } = await appliance(directory.path);
    try {
      const kid = await kidOf('license');
      for (const path of ['', `/${kid}/rotate`, `/${kid}/retire`, `/${kid}/compromise`, '/verify']) {
        const answer = await fetch(`${daemon.url}/api/v1/system/signing-keys${path}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${daemon.live.secretKey}`, 'content-type': 'application/json' },
          body: '{}',
        });
        expect([path, answer.status]).toEqual([path, 403]);
      }
    } finally {
      await daemon.stop();
    }
  });

  it('hand the ledger over with one checkpoint of both, through a kill in between, and the log proves itself', async () => {
    using directory = temporaryDirectory();
    // A checkpoint begins in the very turn in which an entry is published.
    const first = await appliance(directory.path, ['--set', 'ledger.checkpointEntries=1']);
    const old = await first.kidOf('ledger');
    for (let round = 0; round < 2; round++) {
      const rotated = await first.run('keys', 'rotate', '--purpose', 'ledger');
      expect(rotated.stderr).toBe('');
      expect(rotated.stdout).toMatch(/^ledger key \S{16}: active; replaces/);
    }
    await first.daemon.kill();
    const database = Database.openWriter(join(first.data, 'mintmark.db'));
    const note = 'SELECT note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1';
    expect(String(database.native.prepare(note).pluck().get()).match(/^— /gm)).toHaveLength(2);
    // As if the last checkpoint had not been reached.
    database.native.exec(
      `DELETE FROM ledger_checkpoints WHERE size = (SELECT max(size) FROM ledger_checkpoints)`,
    );
    database.close();
    const again = await appliance(directory.path);
    try {
      const out = join(directory.path, 'export');
      expect((await again.run('audit', 'export', out)).code).toBe(EXIT.ok);
      expect(await mintmark(['audit', 'verify', out])).toMatchObject({ code: EXIT.ok, stderr: '' });
      expect(readFileSync(join(out, 'verifier-keys'), 'utf8').match(/mintmark\//g)?.length).toBe(3);
      expect((await again.run('keys', 'retire', old)).stdout).toMatch(/retired\n$/);
    } finally {
      await again.daemon.stop();
    }
  });
});
