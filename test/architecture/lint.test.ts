import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';

/** Typed rules need a file that TypeScript knows; its text is replaced by the example. */
const SOURCE = 'src/faults.ts';
const eslint = new ESLint();

/** The rules that an example breaks, with the beginning of each message. */
async function complaints(text: string, filePath: string): Promise<string[]> {
  const [result] = await eslint.lintText(text, { filePath });
  return (result?.messages ?? []).map(({ ruleId, message }) => `${ruleId ?? 'parse error'}: ${message}`);
}

/** What may not be written in src/, and a word of the complaint. */
const REFUSED: readonly (readonly [what: string, text: string, complaint: string])[] = [
  [
    'a promise nobody waits for',
    'async function f(): Promise<void> { await Promise.resolve(); }\nf();',
    'no-floating-promises',
  ],
  [
    'a promise as a condition',
    'declare const p: Promise<boolean>;\nif (p) throw new Error("x");',
    'no-misused-promises',
  ],
  ['any', 'export const a: any = 1;', 'no-explicit-any'],
  [
    'a non-null assertion',
    'declare const a: string | undefined;\nexport const b = a!;',
    'no-non-null-assertion',
  ],
  ['a default export', 'export default 1;', 'Named exports only'],
  ['a default export by another name', 'const a = 1;\nexport { a as default };', 'Named exports only'],
  [
    'a fourth parameter',
    'export function f(a: 1, b: 1, c: 1, d: 1): number { return a + b + c + d; }',
    'max-params',
  ],
  [
    'a function of 71 lines',
    `export function f(): void {\n${'Date.UTC(1);\n'.repeat(69)}}`,
    'max-lines-per-function',
  ],
  ['a file of 401 lines', '/** */\n'.repeat(401), 'max-lines'],
  [
    'nesting of four',
    'export function f(a: number): void { if (a > 1) { if (a > 2) { if (a > 3) { if (a > 4) { throw new Error("x"); } } } } }',
    'max-depth',
  ],
  ['the console', 'console.log(1);', 'no-console'],
  [
    'decryption that takes any tag length',
    "import { createDecipheriv } from 'node:crypto';\nexport const d = createDecipheriv('aes-256-gcm', Buffer.alloc(32), Buffer.alloc(12));",
    'Pass authTagLength',
  ],
  [
    'decryption with options, but no tag length',
    "import * as c from 'node:crypto';\nexport const d = c.createDecipheriv('aes-256-gcm', Buffer.alloc(32), Buffer.alloc(12), { highWaterMark: 1 });",
    'Pass authTagLength',
  ],
  ['Math.random', 'export const r = Math.random();', 'Math.random can be predicted'],
  ['eval', "eval('1');", 'no-eval'],
  ['new Function', "export const f = new Function('return 1');", 'no-new-func'],
  ['a timer from text', "setTimeout('1', 1);", 'no-implied-eval'],
  ['node:vm', "import { runInNewContext } from 'node:vm';\nrunInNewContext('1');", 'No code from data'],
  ['Date.now', 'export const t = Date.now();', 'Time is a parameter'],
  ['new Date without a value', 'export const t = new Date();', 'Time is a parameter'],
  ['performance.now', 'export const t = performance.now();', 'Time is a parameter'],
  ['process.hrtime', 'export const t = process.hrtime.bigint();', 'Time is a parameter'],
  ['a timer that repeats', 'setInterval(() => undefined, 1);', 'one owner of repeating timers'],
  [
    'secrets compared by ===',
    'export const f = (token: string, given: string): boolean => token === given;',
    'constant time',
  ],
  [
    'secrets of an object compared by !==',
    'export const f = (a: { keySecret: string }, given: string): boolean => given !== a.keySecret;',
    'constant time',
  ],
  [
    'SQL outside storage',
    "import { sql } from 'kysely';\nexport const q = sql`select 1`;",
    'SQL fragments stay in storage',
  ],
  [
    'another way to SQLite',
    "import { DatabaseSync } from 'node:sqlite';\nexport const d = DatabaseSync;",
    'one way to the database',
  ],
  ['a comparison that converts', 'export const f = (a: unknown): boolean => a == 1;', 'eqeqeq'],
  [
    'an unknown thing in a text',
    'export const f = (a: object): string => `${a}`;',
    'restrict-template-expressions',
  ],
  [
    'a type imported as a value',
    "import { FaultCode } from './faults.ts';\nexport type F = FaultCode;",
    'consistent-type-imports',
  ],
];

/** What may be written in src/. */
const ACCEPTED: readonly (readonly [what: string, text: string])[] = [
  ['a date from a value', 'export const f = (at: number): string => new Date(at).toISOString();'],
  [
    'decryption with a tag length',
    "import { createDecipheriv } from 'node:crypto';\nexport const d = createDecipheriv('aes-256-gcm', Buffer.alloc(32), Buffer.alloc(12), { authTagLength: 16 });",
  ],
  [
    'a look whether a secret is there',
    'export const f = (token: string | undefined): boolean => token === undefined;',
  ],
  ['a single timeout', 'setTimeout(() => undefined, 1);'],
];

describe('the linter refuses in src', () => {
  it.each(REFUSED)('%s', async (_what, text, complaint) => {
    expect((await complaints(text, SOURCE)).join('\n')).toContain(complaint);
  });
});

describe('the linter accepts in src', () => {
  it.each(ACCEPTED)('%s', async (_what, text) => {
    expect(await complaints(text, SOURCE)).toEqual([]);
  });

  it('the clock in lib/clock.ts, and there alone', async () => {
    const text = 'export const t = (): number => Date.now();';
    expect(await complaints(text, 'src/lib/clock.ts')).toEqual([]);
    expect(await complaints(text, 'src/lib/random.ts')).toHaveLength(1);
  });
});

describe('the linter in tests', () => {
  it('refuses what can be predicted, and a promise nobody waits for', async () => {
    const found = await complaints('Math.random();\nPromise.resolve(1);', 'test/architecture/source.ts');
    expect(found.join('\n')).toMatch(/Math\.random can be predicted[^]*no-floating-promises/);
  });
});
