import { spawnSync } from 'node:child_process';
import { MODULES, pathOf } from './hsm-modules.ts';

/**
 * The custodian's contract on every PKCS#11 module that Debian has: `npm run test:hsm-matrix`. Installs what is missing
 * where it may (as root, or sudo without a password), and says of every module whether it was tried.
 */
const missing = MODULES.flatMap(({ packages }) => packages).filter((name) => !isInstalled(name));
const [known, unknown] = [missing.filter(isKnown), missing.filter((name) => !isKnown(name))];
if (unknown.length > 0) console.log(`Not in this release of Debian: ${unknown.join(' ')}`);
if (known.length > 0 && !install(known)) {
  console.log(`To try all modules, as root: apt-get install -y --no-install-recommends ${known.join(' ')}`);
}

const flags = ['run', 'test/custody/pkcs11/matrix.test.ts', '--reporter', 'verbose'];
const run = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', ...flags], {
  env: { ...process.env, HSM_MATRIX: '1' },
  stdio: 'inherit',
});
for (const row of MODULES) {
  const path = pathOf(row);
  const absent = `NOT TRIED, not installed (Debian: ${row.packages.join(' ')})`;
  console.log(`${row.name}: ${path === undefined ? absent : `tried, ${path}`}`);
}
process.exitCode = run.status ?? 1;

function isInstalled(name: string): boolean {
  const asked = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status}', name], { encoding: 'utf8' });
  return asked.stdout === 'installed';
}

function isKnown(name: string): boolean {
  return spawnSync('apt-cache', ['show', name], { stdio: 'ignore' }).status === 0;
}

function install(names: readonly string[]): boolean {
  const command = ['apt-get', 'install', '-y', '-q', '--no-install-recommends', ...names];
  const [program = '', ...rest] = process.getuid?.() === 0 ? command : ['sudo', '-n', ...command];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync(program, rest, { env, stdio: 'inherit' }).status === 0;
}
