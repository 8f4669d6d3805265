import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { countLicenses, findForeignLicenses } from '../../scripts/security/licenses.ts';
import {
  findLockfileProblems,
  findLooseSettings,
  findLooseVersions,
  KNOWN_INSTALL_SCRIPTS,
  Lockfile,
  type Manifest,
} from '../../scripts/security/lockfile.ts';
import { findSecrets } from '../../scripts/security/secrets.ts';

/** Secrets of every kind, put together here so that the scan of this file finds none. */
const SECRETS: readonly (readonly [pattern: string, text: string])[] = [
  ['private key (PEM)', '-----BEGIN EC PRIVATE KEY-----\n' + 'A'.repeat(64)],
  ['Mintmark API key', 'sk_live_mm' + 'a1'.repeat(30)],
  ['age identity', 'AGE-SECRET-KEY-1' + 'Q'.repeat(58)],
  ['AWS access key', 'AKIA' + 'Q'.repeat(16)],
  ['GitHub token', 'ghp_' + 'a'.repeat(36)],
  ['npm token', 'npm_' + 'a'.repeat(36)],
  ['Slack token', 'xoxb-' + '1'.repeat(12)],
  ['Google API key', 'AIza' + 'b'.repeat(35)],
  ['password in a URL', 'postgres://admin:' + 'hunter22@db'],
  ['JSON Web Token', ['eyJ' + 'a'.repeat(12), 'eyJ' + 'b'.repeat(12), 'c'.repeat(24)].join('.')],
];

const sound = { version: '1.0.0', integrity: 'sha512-AAAA', license: 'MIT' };
const lock = (packages: Lockfile['packages']): Lockfile => ({ lockfileVersion: 3, packages });

describe('the secret scan', () => {
  it.each(SECRETS)('finds a %s, and never prints it', (pattern, text) => {
    const found = findSecrets([{ path: 'config/a.toml', text: `# one\nkey = "${text}"\n` }], []);
    expect(found).toEqual([`config/a.toml:2: ${pattern}`]);
  });

  it('leaves prose, public keys and placeholders alone', () => {
    const text =
      'sk_live_mm…, -----BEGIN PUBLIC KEY-----, https://user:${password}@host, -----BEGIN PRIVATE KEY-----';
    expect(findSecrets([{ path: 'docs/a.md', text }], [])).toEqual([]);
  });

  it('lets one file have one kind of secret with a reason, and wants the reason gone with it', () => {
    const [pattern, text] = SECRETS[0] ?? ['', ''];
    const allowance = { path: 'test/vectors/key.pem', pattern, reason: 'published test vector' };
    expect(findSecrets([{ path: allowance.path, text }], [allowance])).toEqual([]);
    expect(findSecrets([{ path: 'src/key.pem', text }], [allowance])).toHaveLength(2);
    const folder = { ...allowance, path: 'test/vectors/' };
    expect(findSecrets([{ path: allowance.path, text }], [folder])).toEqual([]);
    expect(findSecrets([{ path: 'test/vectors-of-others/key.pem', text }], [folder])).toHaveLength(2);
  });
});

describe('the lockfile', () => {
  it('pins every package by hash, names no address, and has no install script nobody looked at', () => {
    const path = 'node_modules/a';
    expect(findLockfileProblems(lock({ '': {}, [path]: sound }))).toEqual([]);
    const bad = [
      { ...sound, integrity: undefined },
      { ...sound, integrity: 'sha1-AAAA' },
      { ...sound, resolved: 'git+ssh://example.com/a.git' },
      { ...sound, link: true },
      { ...sound, hasInstallScript: true },
    ].map((entry) => findLockfileProblems(lock({ [path]: entry })));
    expect(bad.map((problems) => problems.length)).toEqual([1, 1, 1, 1, 1]);
  });

  it('still has every package whose install script is excused', () => {
    const { packages } = Lockfile.parse(JSON.parse(readFileSync('package-lock.json', 'utf8')));
    const gone = Object.keys(KNOWN_INSTALL_SCRIPTS).filter(
      (path) => packages[path]?.hasInstallScript !== true,
    );
    expect(gone).toEqual([]);
  });

  it('takes no range of versions', () => {
    const manifest = (version: string): Manifest => ({
      dependencies: { a: version },
      devDependencies: {},
      optionalDependencies: {},
    });
    expect(findLooseVersions(manifest('1.2.3'))).toEqual([]);
    const loose = ['^1.2.3', '~1.2.3', '1.x', '*', 'latest', 'file:../a', 'github:a/b'];
    expect(loose.flatMap((version) => findLooseVersions(manifest(version)))).toHaveLength(loose.length);
  });

  it('comes with settings that run no install script', () => {
    expect(findLooseSettings('ignore-scripts=true\nsave-exact=true\n')).toEqual([]);
    expect(findLooseSettings('# ignore-scripts=true\nsave-exact=true\n')).toEqual([
      '.npmrc: ignore-scripts=true is missing',
    ]);
  });
});

describe('the licences', () => {
  it('of what runs at a site allow us to ship it', () => {
    const packages = {
      '': {},
      'node_modules/free': sound,
      'node_modules/copyleft': { ...sound, license: 'AGPL-3.0-only' },
      'node_modules/silent': { version: '1.0.0', integrity: 'sha512-AAAA' },
      'node_modules/tool': { ...sound, license: 'GPL-3.0-only', dev: true },
    };
    expect(findForeignLicenses(lock(packages)).map((line) => line.split(',')[0])).toEqual([
      'node_modules/copyleft: licence AGPL-3.0-only is not one of 0BSD',
      'node_modules/silent: licence none is not one of 0BSD',
    ]);
    expect([...countLicenses(lock(packages))]).toEqual([
      ['MIT', 1],
      ['AGPL-3.0-only', 1],
      ['none', 1],
    ]);
  });
});
