import ts from 'typescript';
import { lineOf, nodesOf, parseSource, type Source } from './source.ts';
import type { TreeFile } from '../../scripts/tree.ts';

/** Properties of `DataPaths` that name a file which SQLite holds locks on. */
const FILES = new Set(['database', 'lock']);
/** The same files by name, wherever somebody puts a path together by hand. */
const NAMES = /\b(?:mintmark|lock)\.db\b/;

/** What puts a path together. */
const JOIN = new Set(['join', 'resolve']);

/**
 * What may be given such a path: SQLite, and what looks at a file without opening it. (`Fault` and `invalid` say its
 * name; `run` binds it to SQL; `copyDatabase`, `checkIntegrity` and `checkContents` hand it to SQLite in a worker, `FileLock` here.)
 */
const MAY_TAKE = new Set([
  ...JOIN,
  ...['BetterSqlite3', 'openWriter', 'openReader', 'run', 'copyDatabase', 'runCopy', 'checkIntegrity'],
  'checkContents',
  ...['chmodSync', 'existsSync', 'lstatSync', 'statSync'],
  ...['Fault', 'invalid'],
  'FileLock.take',
  // Puts the layout of a data directory together.
  'at',
]);

/**
 * Places where the path of the database, its log or the lock file goes to something that may open it. POSIX drops every
 * lock of a process on a file when any descriptor of it is closed: SQLite would go on writing without its lock.
 */
export function findOpenedDatabases(file: TreeFile): string[] {
  const source = parseSource(file);
  const nodes = nodesOf(source.tree);
  const carriers = carriersIn(nodes);
  return nodes
    .filter((node) => ts.isCallExpression(node) || ts.isNewExpression(node))
    .filter(({ expression }) => !MAY_TAKE.has(nameOf(expression)) && !MAY_TAKE.has(expression.getText()))
    .filter((call) => (call.arguments ?? []).some((argument) => carries(argument, carriers)))
    .map((call) => `${file.path}:${String(lineOf(source, call))}: ${wordsOf(source, call)}`);
}

function wordsOf({ tree }: Source, call: ts.CallExpression | ts.NewExpression): string {
  return `${call.expression.getText(tree)} gets the path of a file that SQLite holds locks on`;
}

function nameOf(expression: ts.Expression): string {
  return ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText();
}

/** Constants that such a path was put into, by whatever way. */
function carriersIn(nodes: readonly ts.Node[]): Set<string> {
  const carriers = new Set<string>();
  for (const node of nodes.filter(ts.isVariableDeclaration)) {
    const { name, initializer } = node;
    if (initializer === undefined) continue;
    if (ts.isIdentifier(name) && carries(initializer, carriers)) carriers.add(name.text);
    if (ts.isObjectBindingPattern(name) && isPaths(initializer))
      for (const taken of namesTaken(name)) carriers.add(taken);
  }
  return carriers;
}

/** `const { database, lock: held } = paths` takes `database` and `held`. */
function namesTaken(pattern: ts.ObjectBindingPattern): string[] {
  return pattern.elements
    .filter(({ name, propertyName }) => FILES.has((propertyName ?? name).getText()))
    .map(({ name }) => name.getText());
}

/** `paths`, or `….paths`. */
function isPaths(expression: ts.Expression): boolean {
  return /(?:^|\.)paths$/.test(expression.getText());
}

/** Whether an expression is such a path, or one put together from it. What a call makes of it is not it any more. */
function carries(node: ts.Node, carriers: ReadonlySet<string>): boolean {
  if (ts.isPropertyAccessExpression(node)) return FILES.has(node.name.text) && isPaths(node.expression);
  if (ts.isIdentifier(node)) return carriers.has(node.text);
  if (ts.isStringLiteralLike(node) || ts.isTemplateTail(node) || ts.isTemplateMiddle(node))
    return NAMES.test(node.text);
  if (ts.isFunctionLike(node) || ts.isObjectLiteralExpression(node)) return false;
  if (ts.isCallExpression(node) && !JOIN.has(nameOf(node.expression))) return false;
  return node.getChildren().some((child) => carries(child, carriers));
}
