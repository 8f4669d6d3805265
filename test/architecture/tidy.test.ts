import { describe, expect, it } from 'vitest';
import { listTree, readTree, type TreeFile } from '../../scripts/tree.ts';
import { readImportGraph, type ImportGraph } from './import-graph.ts';
import { findDeadFiles } from './reach.ts';
import { parseSource, type Source } from './source.ts';
import { findDefaultExports, findUndocumentedExports, findUnexplainedCasts } from './syntax-rules.ts';
import { findBadNames, findLongFiles, findStrayPaths, findTestTricks, findUnfinished } from './tree-rules.ts';

const paths = listTree();
const code = readTree(paths.filter((path) => /^(?:src|test|scripts|bench)\/.*\.ts$/.test(path)));
const prose = readTree(paths.filter((path) => /^(?:docs|config|systemd|scripts)\/|^[A-Z]+\.md$/.test(path)));
const sources = code.filter(({ path }) => path.startsWith('src/')).map(parseSource);
const programs = code.filter(({ path }) => /^(?:src|scripts|bench)\//.test(path)).map(parseSource);

/** Where running begins: the program, the library's entry points, what npm and people start. */
const ROOTS = /^src\/main\.ts$|^src\/verify\/(?:index|exchange)\.ts$|^(?:scripts|bench)\/[^/]+\.ts$/;

const source = (text: string): Source => parseSource({ path: 'src/a.ts', text });

describe('the tree', () => {
  it('has no file over 400 lines', () => {
    expect(findLongFiles(code)).toEqual([]);
    const long: TreeFile = { path: 'src/a.ts', text: 'x;\n'.repeat(401) };
    expect(findLongFiles([long])).toEqual(['src/a.ts: 401 lines, at most 400; split it by idea']);
  });

  it('has no note of unfinished work', () => {
    expect(findUnfinished([...code, ...prose])).toEqual([]);
    const word = 'TO' + 'DO';
    expect(findUnfinished([{ path: 'src/a.ts', text: `// fine\n// ${word}: later` }])).toEqual([
      `src/a.ts:2: ${word}`,
    ]);
  });

  it('names files and folders in kebab case, by what is inside', () => {
    expect(findBadNames(code.map(({ path }) => path))).toEqual([]);
    expect(
      findBadNames([
        'src/http/Server.ts',
        'src/http/http_server.ts',
        'src/utils/a.ts',
        'src/a/key-manager.ts',
      ]),
    ).toEqual([
      'src/http/Server.ts: Server.ts is not in kebab case',
      'src/http/http_server.ts: http_server.ts is not in kebab case',
      'src/utils/a.ts: "utils" says nothing about what is inside',
      'src/a/key-manager.ts: "manager" says nothing about what is inside',
    ]);
  });

  it('keeps everything in its room', () => {
    expect(findStrayPaths(paths)).toEqual([]);
    expect(
      findStrayPaths([
        'lib/a.ts',
        'src/services/a.ts',
        'src/lib/strings.ts',
        '.gitignore',
        'src/lib/clock.ts',
      ]),
    ).toEqual([
      'lib/a.ts: the top level is fixed',
      'src/services/a.ts: services is no part of src',
      'src/lib/strings.ts: lib takes nothing new without an ADR',
    ]);
  });

  it('has no source file that nothing loads', () => {
    const roots = paths.filter((path) => ROOTS.test(path));
    expect(findDeadFiles(sources, readImportGraph(), roots)).toEqual([]);
  });

  it('finds a file that only another dead file loads, but spares one that is started by address', () => {
    const files = ['main', 'used', 'dead', 'deader', 'worker'].map((name) => ({
      path: `src/${name}.ts`,
      text: '',
    }));
    const main = { path: 'src/main.ts', text: "new Worker(new URL('./worker.ts', import.meta.url))" };
    const arrow = (from: string, to: string) => ({ source: from, dependencies: [{ resolved: to }] });
    const graph: ImportGraph = {
      modules: [arrow('src/main.ts', 'src/used.ts'), arrow('src/dead.ts', 'src/deader.ts')],
      summary: { totalCruised: 2, violations: [] },
    };
    expect(findDeadFiles([...files.slice(1), main], graph, ['src/main.ts'])).toEqual([
      'src/dead.ts',
      'src/deader.ts',
    ]);
  });
});

describe('the source', () => {
  it('gives a reason for every cast', () => {
    expect(programs.flatMap(findUnexplainedCasts)).toEqual([]);
    const bare = source('const a = 1;\nconst b = a as unknown;\nconst c = <unknown>a;\n');
    expect(findUnexplainedCasts(bare)).toEqual([
      'src/a.ts:2: cast to unknown without a reason',
      'src/a.ts:3: cast to unknown without a reason',
    ]);
    const explained = source(
      "const a = 'https://x' as const;\n// The driver returns rows untyped.\nconst b = a as unknown;\n\nconst c = a as unknown; // as above\n",
    );
    expect(findUnexplainedCasts(explained)).toEqual([]);
  });

  it('exports by name only', () => {
    expect([...programs, ...code.map(parseSource)].flatMap(findDefaultExports)).toEqual([]);
    const texts = [
      'export default 1;',
      'export default function f() {}',
      'const a = 1;\nexport { a as default };',
    ];
    expect(texts.flatMap((text) => findDefaultExports(source(text)))).toEqual([
      'src/a.ts:1: default export',
      'src/a.ts:1: default export',
      'src/a.ts:2: default export',
    ]);
  });

  it('says of every export what it is', () => {
    expect(sources.flatMap(findUndocumentedExports)).toEqual([]);
    const missing = source(
      '/** One. */\nexport const a = 1;\nexport const b = 2;\n\nexport const c = 3;\n/** */\nexport function d() {}\n',
    );
    expect(findUndocumentedExports(missing)).toEqual([
      'src/a.ts:5: export without a doc sentence',
      'src/a.ts:7: export without a doc sentence',
    ]);
  });
});

describe('the tests', () => {
  it('are all switched on and replace no module', () => {
    expect(code.filter(({ path }) => path.endsWith('.test.ts')).flatMap(findTestTricks)).toEqual([]);
    const off = ['it', 'skip'].join('.');
    const mock = ['vi', 'mock('].join('.');
    expect(
      findTestTricks({ path: 'test/a.test.ts', text: `${off}('x');\n${mock}'y');\nit.skipIf(z)('x')` }),
    ).toEqual([`test/a.test.ts:1: ${off}`, `test/a.test.ts:2: ${mock}`]);
  });
});
