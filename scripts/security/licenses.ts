import { lockedPackages, type Lockfile } from './lockfile.ts';

/** Licences that let a product under Apache-2.0 ship the package, asking for no more than a notice. */
const ACCEPTED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'Unlicense',
]);

/** How many packages of an installation at a site are under which licence. */
export function countLicenses(lockfile: Lockfile): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { license } of production(lockfile)) counts.set(license, (counts.get(license) ?? 0) + 1);
  return counts;
}

/** Packages of an installation at a site whose licence we have not accepted, or that name none; one line each. */
export function findForeignLicenses(lockfile: Lockfile): string[] {
  return production(lockfile)
    .filter(({ license }) => !ACCEPTED.has(license))
    .map(({ path, license }) => `${path}: licence ${license} is not one of ${[...ACCEPTED].join(', ')}`);
}

function production(lockfile: Lockfile): { path: string; license: string }[] {
  return lockedPackages(lockfile)
    .filter(({ entry }) => entry.dev !== true)
    .map(({ path, entry }) => ({ path, license: entry.license ?? 'none' }));
}
