/**
 * `npm run build:verify`: the verify library as applications embed it, in dist/verify: one ESM file with everything in
 * it, the same for bundlers, type declarations, a package.json and the licences. `--out <directory>` writes elsewhere.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

const ROOT = join(import.meta.dirname, '..');
const SOURCE = join(ROOT, 'src/verify');
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

/** esbuild, which is among the packages of development. */
const { build } = await import('esbuild').catch(() => {
  console.error('build:verify: esbuild is not installed: run `npm ci`, without --omit=dev');
  process.exit(1);
});

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { out: { type: 'string', default: join(ROOT, 'dist/verify') } } });
  rmSync(values.out, { recursive: true, force: true });
  mkdirSync(values.out, { recursive: true });
  const file = await bundle(values.out);
  declarations(values.out);
  writePackage(values.out);
  writeLicenses(values.out);
  const bytes = readFileSync(file);
  console.log(`${file}: ${bytes.length.toString()} bytes, ${gzipSync(bytes).length.toString()} compressed`);
}

/** No engine API but ECMAScript 2022 is assumed: it must run on a plain-HTTP page and in an embedded engine. */
async function bundle(out: string): Promise<string> {
  const outfile = join(out, 'index.js');
  await write(outfile, { minify: true });
  await write(join(out, FOR_BUNDLERS), { minify: false });
  return outfile;
}

/**
 * The same code with the marks of what has no side effect, which minifying takes away: a bundler that reads it leaves out
 * what an application does not import (docs/adr/0015).
 */
const FOR_BUNDLERS = 'index.module.js';

async function write(outfile: string, { minify }: { readonly minify: boolean }): Promise<void> {
  await build({
    entryPoints: [join(SOURCE, 'index.ts')],
    outfile,
    bundle: true,
    minify,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    mainFields: ['module', 'main'],
    logLevel: 'warning',
  });
}

function declarations(out: string): void {
  const settings = [
    '--declaration',
    '--emitDeclarationOnly',
    ...['--module', 'nodenext', '--target', 'es2024', '--lib', 'es2024'],
    ...['--strict', '--exactOptionalPropertyTypes', '--allowImportingTsExtensions', '--skipLibCheck'],
    ...['--rootDir', SOURCE, '--outDir', out],
  ];
  const command = [TSC, '--ignoreConfig', ...settings, join(SOURCE, 'index.ts')];
  const { status } = spawnSync(process.execPath, command, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) throw new Error('the type declarations could not be made');
  for (const name of readdirSync(out).filter((file) => file.endsWith('.d.ts'))) nameAsBuilt(join(out, name));
}

/** Declarations refer to each other as they are after the build: `./trust.js`, not `./trust.ts`. */
function nameAsBuilt(path: string): void {
  const text = readFileSync(path, 'utf8').replaceAll(/(from '\.\/[a-z0-9-]+)\.ts'/g, "$1.js'");
  writeFileSync(path, text);
  if (statSync(path).size === 0) throw new Error(`${path} is empty`);
}

function writePackage(out: string): void {
  const { version, license } = ownPackage();
  const text = {
    name: 'mintmark-verify',
    version,
    license,
    description: 'Checks licence files, machine files and signed keys of Mintmark without a network',
    type: 'module',
    exports: { '.': { types: './index.d.ts', module: `./${FOR_BUNDLERS}`, default: './index.js' } },
    sideEffects: false,
  };
  writeFileSync(join(out, 'package.json'), `${JSON.stringify(text, undefined, 2)}\n`);
}

/** What the file contains may be passed on with these texts beside it. */
function writeLicenses(out: string): void {
  const own = readFileSync(join(ROOT, 'LICENSE'), 'utf8');
  const others = ['ciphers', 'ed25519', 'hashes'].map((name) => {
    const text = readFileSync(join(ROOT, 'node_modules/@noble', name, 'LICENSE'), 'utf8');
    return `\n---- @noble/${name}, contained in index.js and ${FOR_BUNDLERS} ----\n\n${text}`;
  });
  writeFileSync(join(out, 'LICENSE'), own + others.join(''));
}

interface OwnPackage {
  readonly version: string;
  readonly license: string;
}

function ownPackage(): OwnPackage {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as OwnPackage; // our own file
}

await main();
