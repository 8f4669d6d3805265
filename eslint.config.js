import eslint from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Names of values that decide who gets in: compared in constant time (`equalBytes`), never with `===`. */
const SECRET_NAME = String.raw`/^(secret|token|hmac|mac|password|passphrase|apiKey|licenseKey|pin)$|(Secret|Token|Hmac|Mac|Password|Passphrase|Pin)$/`;
const COMPARISON = 'BinaryExpression[operator=/^[!=]==?$/]';
// esquery takes an absent name for "undefined" unless it is matched by a pattern.
const BUT_WITH_A_CONSTANT = [
  ':not([right.type="Literal"])',
  ':not([left.type="Literal"])',
  ':not([right.name=/^undefined$/])',
  ':not([left.name=/^undefined$/])',
  ':not([left.operator="typeof"])',
].join('');

const NO_DEFAULT_EXPORTS = [
  {
    selector: 'ExportDefaultDeclaration',
    message: 'Named exports only: one thing has one name everywhere.',
  },
  {
    selector: 'ExportSpecifier[exported.name="default"]',
    message: 'Named exports only: one thing has one name everywhere.',
  },
];

const SECURITY = [
  {
    selector:
      'CallExpression:matches([callee.name="createDecipheriv"], [callee.property.name="createDecipheriv"])' +
      ':not(:has(ObjectExpression > Property[key.name="authTagLength"]))',
    message: 'Pass authTagLength: without it a truncated authentication tag is accepted.',
  },
  {
    selector: 'MemberExpression[object.name="Math"][property.name="random"]',
    message:
      'Math.random can be predicted; take a Random as parameter (in tests: fast-check, or a seeded one).',
  },
  {
    selector: 'CallExpression[callee.property.name="compileFunction"]',
    message: 'No code from data.',
  },
];

const CONSTANT_TIME = [
  {
    selector: `${COMPARISON}${BUT_WITH_A_CONSTANT} > Identifier[name=${SECRET_NAME}]`,
    message: 'Compare secrets in constant time: equalBytes of lib/secret.ts.',
  },
  {
    selector: `${COMPARISON}${BUT_WITH_A_CONSTANT} > MemberExpression[property.name=${SECRET_NAME}]`,
    message: 'Compare secrets in constant time: equalBytes of lib/secret.ts.',
  },
];

const TIME_IS_A_PARAMETER = [
  {
    selector: 'MemberExpression[object.name="Date"][property.name="now"]',
    message: 'Time is a parameter: take a Clock, or tx.now inside a unit of work.',
  },
  {
    selector: 'NewExpression[callee.name="Date"][arguments.length=0]',
    message: 'Time is a parameter: take a Clock, or tx.now inside a unit of work.',
  },
  {
    selector: 'CallExpression[callee.name="Date"]',
    message: 'Time is a parameter: take a Clock, or tx.now inside a unit of work.',
  },
  {
    selector: 'MemberExpression[object.name="performance"][property.name="now"]',
    message: 'Time is a parameter: take a Clock.',
  },
  {
    selector: 'MemberExpression[object.name="process"][property.name=/^(hrtime|uptime)$/]',
    message: 'Time is a parameter: take a Clock.',
  },
];

const ONE_OWNER_OF_TIMERS = [
  {
    selector: 'CallExpression[callee.name="setInterval"]',
    message: 'jobs/schedule.ts is the one owner of repeating timers: list the work in a jobs.ts.',
  },
];

const RAW_SQL = {
  name: 'kysely',
  importNames: ['sql'],
  message: 'SQL fragments stay in storage/: the realm check cannot see into them.',
};
const MANUAL_DATABASE = {
  name: 'node:sqlite',
  message: 'better-sqlite3 in storage/ is the one way to the database.',
};
const DYNAMIC_CODE = { name: 'node:vm', message: 'No code from data.' };

const everywhere = [...NO_DEFAULT_EXPORTS, ...SECURITY];
const inSource = [...everywhere, ...CONSTANT_TIME, ...TIME_IS_A_PARAMETER, ...ONE_OWNER_OF_TIMERS];

export default defineConfig(
  globalIgnores(['node_modules/', 'dist/', 'var/', 'coverage/', '**/*.cjs', '**/*.mjs', 'eslint.config.js']),
  {
    files: ['**/*.ts'],
    extends: [eslint.configs.recommended, tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // The size and shape of a function (docs: style of the code).
      'max-lines': ['error', { max: 400 }],
      'max-lines-per-function': ['error', { max: 70 }],
      'max-params': 'off',
      '@typescript-eslint/max-params': ['error', { max: 3 }],
      'max-depth': ['error', 3],

      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-eval': 'error',
      'no-new-func': 'error',
      'no-implicit-coercion': ['error', { boolean: false }],
      'no-restricted-syntax': ['error', ...everywhere],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // A number in a template is what it says; everything else must be made a string on purpose.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `() => emitter.emit(…)` as a callback is clearer than braces around it.
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-syntax': ['error', ...inSource],
      'no-restricted-imports': ['error', { paths: [RAW_SQL, MANUAL_DATABASE, DYNAMIC_CODE] }],
    },
  },
  {
    files: ['src/lib/clock.ts'],
    rules: { 'no-restricted-syntax': ['error', ...everywhere, ...CONSTANT_TIME, ...ONE_OWNER_OF_TIMERS] },
  },
  {
    files: ['src/jobs/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...everywhere, ...CONSTANT_TIME, ...TIME_IS_A_PARAMETER] },
  },
  {
    files: ['src/storage/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { paths: [MANUAL_DATABASE, DYNAMIC_CODE] }] },
  },
  {
    // The terminal is the command line's output; a progress bar needs a timer of its own.
    files: ['src/cli/**/*.ts'],
    rules: {
      'no-console': 'off',
      'no-restricted-syntax': ['error', ...everywhere, ...CONSTANT_TIME, ...TIME_IS_A_PARAMETER],
    },
  },
  {
    // A `describe` block is a table of contents, not a function; its size is the file's.
    files: ['test/**/*.test.ts'],
    rules: { 'max-lines-per-function': 'off' },
  },
  {
    // These tools take their settings as a default export.
    files: ['*.config.ts'],
    rules: { 'no-restricted-syntax': ['error', ...SECURITY] },
  },
);
