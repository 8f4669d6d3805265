import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REQUEST, sampleResponse } from '../../scripts/vectors/response-cases.ts';
import { publishedKeys, readVector } from './run-vectors.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The noble packages alone are 25.8 KB minified; the file as it travels must stay below this (docs/adr/0015). */
const MAX_COMPRESSED_BYTES = 32 * 1024;
const MAX_MINIFIED_BYTES = 56 * 1024;

/** What an application pays that imports only this, minified with it by its own bundler. */
const IMPORTS = [
  { names: 'verifyMachineFile', kilobytes: 43 },
  { names: 'verifyMachineFile, verifyTrustBundle', kilobytes: 48 },
  { names: 'verifyResponse, verifyTrustBundle', kilobytes: 33 },
  { names: 'verifySignedKey, pinPublicKeys', kilobytes: 29 },
] as const;

/** The package.json of the build, as far as it is looked at. */
interface BuiltPackage {
  readonly exports: { readonly '.': { readonly module: string } };
}

let out: string;

beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), 'mintmark-verify-'));
  const built = spawnSync(process.execPath, [join(ROOT, 'scripts/build-verify.ts'), '--out', out], {
    encoding: 'utf8',
  });
  if (built.status !== 0) throw new Error(built.stderr);
});

afterAll(() => {
  rmSync(out, { recursive: true });
});

describe('the built verify library', () => {
  it('stays small', () => {
    const bytes = readFileSync(join(out, 'index.js'));
    expect(gzipSync(bytes).length).toBeLessThanOrEqual(MAX_COMPRESSED_BYTES);
    expect(bytes.length).toBeLessThanOrEqual(MAX_MINIFIED_BYTES);
  });

  it.each(IMPORTS)(
    'costs at most $kilobytes KB where only $names is imported',
    async ({ names, kilobytes }) => {
      const { exports } = JSON.parse(readFileSync(join(out, 'package.json'), 'utf8')) as BuiltPackage; // our own file
      const built = await build({
        stdin: {
          contents: `import { ${names} } from '${exports['.'].module}'; globalThis.used = [${names}];`,
          resolveDir: out,
        },
        bundle: true,
        minify: true,
        format: 'esm',
        target: 'es2022',
        write: false,
      });
      expect(built.outputFiles[0]?.contents.length).toBeLessThanOrEqual(kilobytes * 1024);
    },
  );

  it.each(['index.js', 'index.module.js'])('is one file that imports nothing: %s', (name) => {
    const text = readFileSync(join(out, name), 'utf8');
    const files = readdirSync(out).filter((file) => file.endsWith('.js'));
    expect(files.sort()).toEqual(['index.js', 'index.module.js']);
    expect(text).not.toMatch(/\bimport\s*[({*"']|\brequire\(/);
    expect(text).not.toMatch(/\beval\(|new Function/);
  });

  it('carries the licences of what is in it', () => {
    const text = readFileSync(join(out, 'LICENSE'), 'utf8');
    expect(text).toContain('Apache License');
    expect(text.match(/Paul Miller/g)).toHaveLength(3);
  });

  it('verifies in an engine that has nothing but the language', () => {
    const input = JSON.stringify({
      bundle: readVector('trust-bundle.jws'),
      root: publishedKeys.keys['root']?.fingerprint,
      file: readVector('license.lic'),
      machine: readVector('machine.lic'),
      fingerprint: publishedKeys.fingerprint,
      licenseKey: publishedKeys.licenseKey,
      request: REQUEST,
      response: sampleResponse(),
      now: Date.parse('2026-03-02T08:00:00.000Z'),
    });
    const engine = join(import.meta.dirname, 'bare-engine.ts');
    const flags = ['--experimental-vm-modules', '--no-warnings'];
    const run = spawnSync(process.execPath, [...flags, engine, join(out, 'index.js')], {
      input,
      encoding: 'utf8',
    });
    expect(run.stderr).toBe('');
    expect(JSON.parse(run.stdout)).toMatchObject({
      bundle: 'VALID',
      file: 'VALID',
      broken: expect.not.stringMatching(/^VALID$/) as string,
      machine: 'VALID',
      response: 'VALID',
      foreign: [],
    });
  });

  it('has declarations with which a strict program compiles', () => {
    const program = `
      import { verifyLicenseFile, verifyTrustBundle, type Verdict } from './index.js';
      const { trust } = verifyTrustBundle('', { roots: [] });
      export const verdict: Verdict | undefined =
        trust && verifyLicenseFile('', { trust, product: 'p', refuseDev: true });
    `;
    writeFileSync(join(out, 'program.ts'), program);
    const flags = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--exactOptionalPropertyTypes',
      '--module',
      'nodenext',
    ];
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const run = spawnSync(process.execPath, [tsc, ...flags, join(out, 'program.ts')], { encoding: 'utf8' });
    expect(run.stdout).toBe('');
    expect(run.status).toBe(0);
  });
});
