import { z } from 'zod';

/** Packages that bring an install script. None is ever run (`ignore-scripts=true`); each is here with the reason. */
export const KNOWN_INSTALL_SCRIPTS: Readonly<Record<string, string>> = {
  'node_modules/@scarf/scarf': 'usage statistics of a linter dependency; never run, never imported by us',
  'node_modules/esbuild': 'only checks its own platform package; works without',
  'node_modules/pkcs11js':
    'would compile its binding; scripts/build-pkcs11 does that where keys are in a token',
};

const Package = z.object({
  version: z.string().optional(),
  integrity: z.string().optional(),
  resolved: z.string().optional(),
  link: z.boolean().optional(),
  dev: z.boolean().optional(),
  license: z.string().optional(),
  hasInstallScript: z.boolean().optional(),
});

/** package-lock.json, as far as we read it. */
export const Lockfile = z.object({
  lockfileVersion: z.literal(3),
  packages: z.record(z.string(), Package),
});
export type Lockfile = z.infer<typeof Lockfile>;

/** package.json, as far as we read it. */
export const Manifest = z.object({
  dependencies: z.record(z.string(), z.string()),
  devDependencies: z.record(z.string(), z.string()),
  optionalDependencies: z.record(z.string(), z.string()),
});
export type Manifest = z.infer<typeof Manifest>;

/** Every locked package but the root, with its path below the root. */
export function lockedPackages(lockfile: Lockfile): { path: string; entry: z.infer<typeof Package> }[] {
  return Object.entries(lockfile.packages)
    .filter(([path]) => path !== '')
    .map(([path, entry]) => ({ path, entry }));
}

/**
 * What is wrong with a lockfile, one line each: a package without a SHA-512, with an address of its own (a registry,
 * git or a tarball somewhere), linked from the disk, or with an install script that nobody has looked at.
 */
export function findLockfileProblems(lockfile: Lockfile): string[] {
  return lockedPackages(lockfile).flatMap(({ path, entry }) => [
    ...(entry.integrity?.startsWith('sha512-') === true ? [] : [`${path}: no sha512 integrity`]),
    ...(entry.resolved === undefined ? [] : [`${path}: resolved to an address (${entry.resolved})`]),
    ...(entry.link === true ? [`${path}: is a link, not a package`] : []),
    ...(entry.hasInstallScript === true && KNOWN_INSTALL_SCRIPTS[path] === undefined
      ? [`${path}: has an install script; read it, then name it in KNOWN_INSTALL_SCRIPTS with the reason`]
      : []),
  ]);
}

/** Dependencies of package.json whose version is not one exact number, one line each. */
export function findLooseVersions(manifest: Manifest): string[] {
  const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  return Object.entries(all)
    .filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/.test(version))
    .map(([name, version]) => `${name}: ${version} is not an exact version`);
}

/** What is missing in .npmrc: install scripts stay off, and versions are saved exactly. */
export function findLooseSettings(npmrc: string): string[] {
  const lines = npmrc.split('\n').map((line) => line.trim());
  return ['ignore-scripts=true', 'save-exact=true']
    .filter((setting) => !lines.includes(setting))
    .map((setting) => `.npmrc: ${setting} is missing`);
}
