import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { verifyExport } from '../../src/ledger/verify-export.ts';
import { ledgerVectors } from './ledger-vectors.ts';

const VECTORS = join(import.meta.dirname, '..', 'vectors', 'ledger');
const Case = z.object({
  name: z.string(),
  file: z.string(),
  find: z.string(),
  replace: z.string(),
  code: z.string(),
  index: z.number().optional(),
});
const cases = z.array(Case).parse(JSON.parse(readFileSync(join(VECTORS, 'cases.json'), 'utf8')));
const firstKey = readFileSync(join(VECTORS, 'verifier-keys'), 'utf8').split('\n')[0] ?? '';

describe('the published vectors of the ledger', () => {
  it('are what this program makes, byte for byte', async () => {
    const made = await ledgerVectors();
    const paths = readdirSync(VECTORS, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(VECTORS.length + 1));
    expect(paths.sort()).toEqual([...made.keys()].sort());
    for (const [path, content] of made) expect(readFileSync(join(VECTORS, path)).equals(content)).toBe(true);
  });

  it('verify, with a change of key on the way', async () => {
    const report = await verifyExport(VECTORS, { firstKey });
    expect(report).toMatchObject({ ok: true, size: 260, signedSize: 260, checkpoints: 4 });
    expect(report.keys.map(({ from }) => from)).toEqual([0, 201]);
  });

  it.each(cases)('are refused with $name', async ({ file, find, replace, code, index }) => {
    const directory = mkdtempSync(join(tmpdir(), 'mintmark-vectors-'));
    onTestFinished(() => {
      rmSync(directory, { recursive: true });
    });
    cpSync(VECTORS, directory, { recursive: true });
    const good = readFileSync(join(directory, file), 'utf8');
    expect(good.split(find)).toHaveLength(2);
    writeFileSync(join(directory, file), good.replace(find, replace));
    const report = await verifyExport(directory, { firstKey });
    expect(report.problems.map((problem) => problem.code)).toContain(code);
    expect(report.firstBad?.index).toBe(index);
  });
});
