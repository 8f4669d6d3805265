/**
 * `npm run check:security`: secrets in the tree, the lockfile, licences. Offline; prints one line per check and each
 * problem below it; exits with 1 when there is any. The static rules (tag lengths, constant-time comparison, dynamic
 * code, `Math.random`, SQL outside stores) are part of `npm run check:lint`.
 */
import { readFileSync } from 'node:fs';
import { findSecrets, type Allowance } from './security/secrets.ts';
import { countLicenses, findForeignLicenses } from './security/licenses.ts';
import {
  findLockfileProblems,
  findLooseSettings,
  findLooseVersions,
  lockedPackages,
  Lockfile,
  Manifest,
} from './security/lockfile.ts';
import { listTree, readTree } from './tree.ts';

/** Files that hold something that looks like a secret on purpose. */
const ALLOWED_SECRETS: readonly Allowance[] = [
  {
    path: 'test/vectors/',
    pattern: 'JSON Web Token',
    reason: 'signed by keys made for the vectors, to be verified by anybody',
  },
];

const json = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

function main(): number {
  const files = readTree(listTree());
  const lockfile = Lockfile.parse(json('package-lock.json'));
  const licenses = [...countLicenses(lockfile)].map(([name, count]) => `${count} ${name}`).join(', ');
  return (
    report(`secrets: ${files.length} files`, findSecrets(files, ALLOWED_SECRETS)) +
    report(`lockfile: ${lockedPackages(lockfile).length} packages`, findLockfileProblems(lockfile)) +
    report('versions', findLooseVersions(Manifest.parse(json('package.json')))) +
    report('.npmrc', findLooseSettings(readFileSync('.npmrc', 'utf8'))) +
    report(`licences at a site: ${licenses}`, findForeignLicenses(lockfile))
  );
}

function report(check: string, problems: readonly string[]): number {
  console.log(`${problems.length === 0 ? 'ok' : 'FAILED'} ${check}`);
  for (const problem of problems) console.error(`   ${problem}`);
  return problems.length;
}

process.exitCode = main() === 0 ? 0 : 1;
